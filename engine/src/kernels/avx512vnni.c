// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// AVX-512 VNNI: four products of bytes, or two of 16 bits, and their sum in a lane and a step.
#include "../kernels.h"

#ifdef MFN_HAVE_AVX512VNNI
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(                                                           \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx512vnni,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx512vnni,fma")
#endif

#define NAME(x) x##__avx512vnni
#include "zmm.h"

// 7 x 3 sums, 3 weights and the levels of 32 registers; with 14 x 2 gcc's loop of 16 bits uses the
// stack, and both of clang's.
#define INT_TALL 7
#define LEVEL_OFFSET 0
#define INT_SHORT 7
#define iweights(p) viload(p)
#define idot(sum, a, b) INT(dot)(sum, a, b)

// 8 bits. A byte holds level + zero, and every column's sum begins at -zero times its weights' sum.
// What wraps around on the way does so back: the result fits.
#define INT(x) x##_i8__avx512vnni
#define BITS 8
#define STEP 4
#define LEVEL_BYTES 1
#define WEIGHT_BYTES 1
#define ZERO_APART 1
#define istart(p, head, at, m) _mm512_mullo_epi32(viload((head)->sum + at), vidup(-(p)->zero[m]))
#define panel_i8__avx512vnni NAME(int_panel)

// gcc 12 keeps copies of the intrinsic's sums and runs out of registers; a statement of one instruction
// has no such copies. The intrinsics are for compilers that do not know such statements.
INLINE __m512i INT(dot)(__m512i sum, __m512i a, __m512i b) {
#ifdef MFN_NO_ASM
    return _mm512_dpbusd_epi32(sum, a, b);
#else
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
#endif
}

INLINE void INT(convert)(unsigned char *to, const float *x, size_t n, V inverse, int32_t zero) {
    const __m512i add = _mm512_set1_epi16((short)zero);
    // Of each quarter the four registers' words: word i of register j is word 4 i + j.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        const __m512i a = _mm512_add_epi16(NAME(packed)(x + i, inverse), add);
        const __m512i b = _mm512_add_epi16(NAME(packed)(x + i + 2 * LANES, inverse), add);
        vistore(to + i, _mm512_permutexvar_epi32(order, _mm512_packus_epi16(a, b)));
    }
    for (; i < n; i += LANES) {
        const __m512i v = _mm512_add_epi32(NAME(rounded)(x + i, inverse), vidup(zero));
        _mm_storeu_si128((__m128i *)(void *)(to + i), _mm512_cvtusepi32_epi8(v));
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
#define INT(x) x##_i16__avx512vnni
#define BITS 16
#define STEP 2
#define LEVEL_BYTES 2
#define WEIGHT_BYTES 2
#define ZERO_APART 0
#define istart(p, head, at, m) vizero()
#define convert_i16__avx512vnni NAME(convert_i16)
#define panel_i16__avx512vnni NAME(int_panel)

INLINE __m512i INT(dot)(__m512i sum, __m512i a, __m512i b) {
#ifdef MFN_NO_ASM
    return _mm512_dpwssd_epi32(sum, a, b);
#else
    __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
#endif
}

#include "simd_int.h"

const MfnKernels mfn_kernels__avx512vnni = {.fast = &set_i8__avx512vnni,
                                            .high = &set_i16__avx512vnni, .stem = &set_i16__avx512vnni};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int mfn_no_avx512vnni;
#endif
