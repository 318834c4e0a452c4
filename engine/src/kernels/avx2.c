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

#define VI __m256i
#define vizero() _mm256_setzero_si256()
#define vidup(x) _mm256_set1_epi32(x)
#define viload(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define vistore(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
#define viand(a, b) _mm256_and_si256(a, b)
#define vimaxs(a, b) _mm256_max_epi32(a, b)
#define vimaxu(a, b) _mm256_max_epu32(a, b)
#define vmin0(x) _mm256_min_ps(_mm256_setzero_ps(), x)
#define vifloat(v) _mm256_cvtepi32_ps(v)

// 16 bits by vpmaddwd, for both precisions: vpmaddubsw saturates with weights of 8 bits, and to widen
// them takes longer. 6 x 2 sums, 2 weights, the levels and a product in 16 registers.
#define INT(x) x##_i16__avx2
#define BITS 16
#define STEP 2
#define LEVEL_BYTES 2
#define WEIGHT_BYTES 2
#define INT_TALL 6
#define INT_SHORT 4
#define ZERO_APART 0
#define iweights(p) viload(p)
#define ilevels(p) INT(levels)(p)
#define istart(p, sum, m) vizero()
#define idot(sum, a, b) INT(dot)(sum, a, b)

// Two levels of a pixel in every pair of lanes.
INLINE __m256i INT(levels)(const unsigned char *p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm256_set1_epi32(pair);
}

// gcc schedules a tile's products before its sums and runs out of registers; as one statement a
// product has its sum at once. The intrinsics are for compilers that do not know such statements.
INLINE __m256i INT(dot)(__m256i sum, __m256i a, __m256i b) {
#ifdef MFN_NO_ASM
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
#else
    __m256i product;
    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0"
            : "+x"(sum), "=&x"(product)
            : "x"(a), "x"(b));
    return sum;
#endif
}

INLINE V INT(quarters)(const float *x) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(x)), _mm_loadu_ps(x + 8), 1);
}

INLINE void INT(convert)(unsigned char *to, const float *x, const int32_t *keep, V inverse,
                         int32_t zero) {
    // vpackssdw works within the halves of a register: each gets the quarters that belong there.
    V a = INT(quarters)(x), b = INT(quarters)(x + 4);
    (void)zero;
    if (keep) {
        a = _mm256_and_ps(a, INT(quarters)((const float *)(const void *)keep));
        b = _mm256_and_ps(b, INT(quarters)((const float *)(const void *)(keep + 4)));
    }
    vistore(to, _mm256_packs_epi32(_mm256_cvtps_epi32(vmul(a, inverse)),
                                   _mm256_cvtps_epi32(vmul(b, inverse))));
}

static size_t INT(panel)(size_t left) { return left <= 8 ? 8 : 16; }

#include "simd_int.h"

static void NAME(u8_to_f32)(const uint8_t *in, float *out, size_t n) {
    const __m256 scale = _mm256_set1_ps(0.0078125f), offset = _mm256_set1_ps(-0.99609375f);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i p = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(in + i)));
        vstore(out + i, vfma(_mm256_cvtepi32_ps(p), scale, offset));
    }
    for (; i < n; i++) out[i] = ((float)in[i] - 127.5f) * 0.0078125f;
}

const MfnKernels mfn_kernels__avx2 = {MFN_KERNEL_SLOTS, .u8 = NAME(u8_to_f32), .fast = &set_i16__avx2,
                                       .high = &set_i16__avx2};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int mfn_no_avx2;
#endif
