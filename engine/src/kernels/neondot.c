// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The dot products of ARMv8.2: four products of bytes and their sum in a lane and a step. 16 bits gain
// nothing over float32 here, so that precision has no slot.
#include "../kernels.h"

#ifdef MFN_HAVE_NEONDOT
#include <arm_neon.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

#define NAME(x) x##__neondot
#include "neon.h"

// 8 x 2 and 6 x 3 sums, the weights and the levels in 32 registers. A byte is signed: it holds
// level + zero - 128.
#define INT(x) x##_i8__neondot
#define BITS 8
#define STEP 4
#define LEVEL_BYTES 1
#define LEVEL_OFFSET 128
#define WEIGHT_BYTES 1
#define INT_TALL 8
#define INT_SHORT 6
#define ZERO_APART 1
#define iweights(p) viload(p)
#define istart(p, head, at, m) \
    vmulq_n_s32(viload((head)->sum + at), LEVEL_OFFSET - (p)->zero[m])
#define idot(sum, a, b) \
    vdotq_s32(sum, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b))
#define panel_i8__neondot NAME(panel)

INLINE int16x4_t INT(rounded)(const float *x, V inverse) {
    return vqmovn_s32(vcvtnq_s32_f32(vmul(vload(x), inverse)));
}

INLINE int8x8_t INT(half)(const float *x, V inverse, int16x8_t add) {
    int16x8_t v = vcombine_s16(INT(rounded)(x, inverse), INT(rounded)(x + 4, inverse));
    return vqmovn_s16(vaddq_s16(v, add));
}

INLINE void INT(convert)(unsigned char *to, const float *x, size_t n, V inverse, int32_t zero) {
    const int16x8_t add = vdupq_n_s16((int16_t)(zero - LEVEL_OFFSET));
    for (size_t i = 0; i < n; i += MFN_BLOCK)
        vst1q_s8((int8_t *)(void *)(to + i),
                 vcombine_s8(INT(half)(x + i, inverse, add), INT(half)(x + i + 8, inverse, add)));
}

#include "simd_int.h"

const MfnKernels mfn_kernels__neondot = {.fast = &set_i8__neondot};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int mfn_no_neondot;
#endif
