// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#include "../kernels.h"

#ifdef MFN_HAVE_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#include <immintrin.h>

#define NAME(x) x##__avx2
#define V __m256
#define VW 8
#define V_REGISTER(x) "+x"(x)
#define v_load(p) _mm256_loadu_ps(p)
#define v_store(p, x) _mm256_storeu_ps(p, x)
#define v_set1(x) _mm256_set1_ps(x)
#define v_add(a, b) _mm256_add_ps(a, b)
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
// The second operand is what comes out where one of them is a NaN.
#define v_max0(x) _mm256_max_ps(_mm256_setzero_ps(), x)
#define v_min0(x) _mm256_min_ps(_mm256_setzero_ps(), x)
// 4x24 and 6x16 are 12 sums of 16 registers; a single column of vectors takes its weight from memory.
#define TALL(nv) ((nv) == 3 ? 4 : (nv) == 2 ? 6 : 10)
#define WIDE 3
#define FC_WIDE 8

static size_t panel__avx2(size_t left) { return left > 16 ? 24 : left > 8 ? 16 : 8; }
static size_t fc_panel__avx2(size_t left) { return left >= 64 ? 64 : 8; }

#include "simd.h"

STRIP(1)
STRIP(2)
STRIP(3)

static void f32_gemm__avx2(const MfnGemm *g) {
    const float *w = g->w;
    for (size_t n0 = 0; n0 < g->n;) {
        size_t wide = panel__avx2(g->n - n0);
        switch (wide) {
        case 24: strip3__avx2(g, w, n0); break;
        case 16: strip2__avx2(g, w, n0); break;
        default: strip1__avx2(g, w, n0); break;
        }
        w += wide * (g->k + 2);
        n0 += wide;
    }
}

static void u8_to_f32__avx2(const uint8_t *in, float *out, size_t n) {
    const __m256 middle = _mm256_set1_ps(127.5f), scale = _mm256_set1_ps(0.0078125f);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)(in + i));
        __m256 x = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
        _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_sub_ps(x, middle), scale));
    }
    for (; i < n; i++) out[i] = ((float)in[i] - 127.5f) * 0.0078125f;
}

const MfnKernels mfn_kernels__avx2 = {
    .panel = panel__avx2,
    .fc_panel = fc_panel__avx2,
    .gemm = f32_gemm__avx2,
    .fc = f32_fc__avx2,
    .dw3 = f32_dw3__avx2,
    .gdc = f32_gdc__avx2,
    .u8 = u8_to_f32__avx2,
    .fma_probe = fma_probe__avx2,
};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
