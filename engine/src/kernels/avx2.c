// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// AVX2 and FMA: 16 registers of 8 floats.
#include "../kernels.h"

#ifdef MFN_HAVE_X86
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

typedef __m256 V__avx2;
#define V V__avx2
#define NAME(x) x##__avx2
#define LANES 8
#define vload(p) _mm256_loadu_ps(p)
#define vstore(p, v) _mm256_storeu_ps(p, v)
#define vdup(p) _mm256_broadcast_ss(p)
#define vadd(a, b) _mm256_add_ps(a, b)
#define vfma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define vmul(a, b) _mm256_mul_ps(a, b)
#define vpick(x, a, b) \
    _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ))

// 6 x 2 + 2 + 1 and 4 x 3 + 3 + 1 of 16 registers. Depthwise: 7 sums, a column; the taps come
// from memory.
#define TALL 6
#define SHORT 4
#define DW_ROWS 1
#define DW_RUN 7

static size_t NAME(panel)(size_t left) {
    if (left <= 8) return 8;
    if (left <= 16) return 16;
    if (left <= 24) return 24;
    if (left <= 32) return 16;
    return 24;
}

#include "simd.h"

static void NAME(u8_to_f32)(const uint8_t *in, float *out, size_t n) {
    const __m256 scale = _mm256_set1_ps(0.0078125f), offset = _mm256_set1_ps(-0.99609375f);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i p = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(in + i)));
        vstore(out + i, vfma(_mm256_cvtepi32_ps(p), scale, offset));
    }
    for (; i < n; i++) out[i] = ((float)in[i] - 127.5f) * 0.0078125f;
}

const MfnKernels mfn_kernels__avx2 = {MFN_KERNEL_SLOTS, .u8 = NAME(u8_to_f32)};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int mfn_no_avx2;
#endif
