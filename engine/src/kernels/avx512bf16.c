// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// AVX-512 BF16: two products of bfloat16, and their sum in float32, in a lane and a step. Values and
// weights are rounded once and sums as those of float32 are; no range is looked for.
#include "../kernels.h"

#ifdef MFN_HAVE_AVX512BF16
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(                                                           \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,fma")
#endif

#define NAME(x) x##__avx512bf16
#include "zmm.h"

// As in avx512vnni.c. A register of sums has the type VI and holds floats.
#define INT(x) x##_bf16__avx512bf16
#define BF16
#define BITS 16
#define STEP 2
#define LEVEL_BYTES 2
#define LEVEL_OFFSET 0
#define WEIGHT_BYTES 2
#define INT_TALL 7
#define INT_SHORT 7
#define ZERO_APART 0
#define iweights(p) viload(p)
#define istart(p, head, at, m) viload((head)->bias + at)
#define idot(sum, a, b) INT(dot)(sum, a, b)
#define panel_bf16__avx512bf16 NAME(int_panel)

// The odd and the even elements' product are added one after the other, each sum rounded to nearest
// whatever the control register says, with denormals as zeros on all sides.
INLINE __m512i INT(dot)(__m512i sum, __m512i a, __m512i b) {
#ifdef MFN_NO_ASM
    return _mm512_castps_si512(
        _mm512_dpbf16_ps(_mm512_castsi512_ps(sum), (__m512bh)a, (__m512bh)b));
#else
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
#endif
}

static void INT(quantise)(const MfnQuantise *q) {
    const size_t px = q->px;
    unsigned char *to = q->levels;
    for (size_t i = 0; i < q->m * px; i += MFN_BLOCK, to += MFN_BLOCK * LEVEL_BYTES)
        _mm256_storeu_si256((__m256i *)(void *)to, (__m256i)_mm512_cvtneps_pbh(vload(q->in + i)));
    // A last pair's second element that is no channel: a NaN would be one times the weight 0, too.
    if (q->channels % STEP)
        for (size_t i = 0; i < q->m; i++)
            memset(q->levels + (i * px + q->channels) * LEVEL_BYTES, 0, LEVEL_BYTES);
}

INLINE V INT(scaled)(VI sum, V factor, V bias) {
    (void)factor, (void)bias;
    return _mm512_castsi512_ps(sum);
}

#include "simd_int.h"

const MfnKernels mfn_kernels__avx512bf16 = {.high = &set_bf16__avx512bf16};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int mfn_no_avx512bf16;
#endif
