// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// AVX-VNNI: four products of bytes, or two of 16 bits, and their sum in a lane and a step.
#include "../kernels.h"

#ifdef MFN_HAVE_AVXVNNI
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,avxvnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avxvnni")
#endif

#define NAME(x) x##__avxvnni
#include "ymm.h"

static size_t NAME(int_panel)(size_t left) { return left <= 8 ? 8 : 16; }

// 6 x 2 sums, the weights and the levels in 16 registers.
#define INT_TALL 6
#define LEVEL_OFFSET 0
#define INT_SHORT 4
#define iweights(p) viload(p)
#define idot(sum, a, b) INT(dot)(sum, a, b)

// 8 bits. A byte holds level + zero, and every column's sum begins at -zero times its weights' sum.
// What wraps around on the way does so back: the result fits.
#define INT(x) x##_i8__avxvnni
#define BITS 8
#define STEP 4
#define LEVEL_BYTES 1
#define WEIGHT_BYTES 1
#define ZERO_APART 1
#define istart(p, head, at, m) _mm256_mullo_epi32(viload((head)->sum + at), vidup(-(p)->zero[m]))
#define panel_i8__avxvnni NAME(int_panel)

// As in avx512vnni.c. The prefix asks for the encoding of AVX-VNNI, not of AVX-512.
INLINE __m256i INT(dot)(__m256i sum, __m256i a, __m256i b) {
#ifdef MFN_NO_ASM
    return _mm256_dpbusd_avx_epi32(sum, a, b);
#else
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
    return sum;
#endif
}

INLINE void INT(convert)(unsigned char *to, const float *x, size_t n, V inverse, int32_t zero) {
    const __m256i add = _mm256_set1_epi16((short)zero);
    for (size_t i = 0; i < n; i += MFN_BLOCK) {
        __m256i v = _mm256_add_epi16(NAME(packed)(x + i, inverse), add);
        v = _mm256_permute4x64_epi64(_mm256_packus_epi16(v, v), 0xd8);
        _mm_storeu_si128((__m128i *)(void *)(to + i), _mm256_castsi256_si128(v));
    }
}

#include "simd_int.h"

#undef INT
#undef BITS
#undef STEP
#undef LEVEL_BYTES
#undef WEIGHT_BYTES
#undef ZERO_APART
#undef istart
#define INT(x) x##_i16__avxvnni
#define BITS 16
#define STEP 2
#define LEVEL_BYTES 2
#define WEIGHT_BYTES 2
#define ZERO_APART 0
#define istart(p, head, at, m) vizero()
#define convert_i16__avxvnni NAME(convert_i16)
#define panel_i16__avxvnni NAME(int_panel)

INLINE __m256i INT(dot)(__m256i sum, __m256i a, __m256i b) {
#ifdef MFN_NO_ASM
    return _mm256_dpwssd_avx_epi32(sum, a, b);
#else
    __asm__("%{vex%} vpdpwssd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
    return sum;
#endif
}

#include "simd_int.h"

const MfnKernels mfn_kernels__avxvnni = {.fast = &set_i8__avxvnni,
                                            .high = &set_i16__avxvnni, .stem = &set_i16__avxvnni};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int mfn_no_avxvnni;
#endif
