// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// AVX-512 (F, VL, DQ, BW): 32 registers of 16 floats.
#include "../kernels.h"

#ifdef MFN_HAVE_X86
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,fma")
#endif

#define NAME(x) x##__avx512
#include "zmm.h"

// 14 x 2 + 2 + 1 and 7 x 3 + 3 + 1 of 32 registers; every map row of the published networks is
// a multiple of 7 wide. Depthwise: 2 x 7 sums, 9 taps, a column.
#define TALL 14
#define SHORT 7
#define DW_ROWS 2
#define DW_RUN 7

// 48 columns need the fewest loads; no width that is a multiple of 8 leaves a column unused.
static size_t NAME(panel)(size_t left) {
    if (left <= 16) return 16;
    if (left <= 24) return 24;
    if (left <= 32) return 32;
    if (left <= 48) return 48;
    if (left <= 64) return 32;
    if (left <= 80) return 48;
    if (left <= 88) return 32;
    return 48;
}

#define ODD_PANEL(g, w, n, taps) NAME(panel_24)(g, w, n, taps)
static inline __attribute__((always_inline)) void NAME(panel_24)(const MfnGemm *g, const float *w,
                                                                 size_t n, const bool taps);

#include "simd.h"

// 24 columns: 16 in a register of their own; the other 8 of two pixels share one register, so no
// lane is idle. `rows` pixels from m on.
INLINE void NAME(tile_24)(const MfnGemm *g, const float *w, size_t m, size_t n, const int rows,
                          const bool taps) {
    __m512 lo[TALL], hi[TALL / 2];
    const float *a = g->a + m * g->a_px, *slope = w + 24;
    const size_t step = g->a_px, depth = g->k;
    UNROLL for (int r = 0; r < rows; r++) {
        lo[r] = vload(w);
        if (r % 2 == 0) hi[r / 2] = _mm512_broadcast_f32x8(_mm256_loadu_ps(w + 16));
    }
    w += 48;
    for (size_t k = 0; k < depth; k++, w += 24) {
        const float *x = taps ? a + g->taps[k] : a + k;
        __m512 b = vload(w), c = _mm512_broadcast_f32x8(_mm256_loadu_ps(w + 16));
        UNROLL for (int r = 0; r < rows; r += 2) {
            __m512 v = vdup(x + (size_t)r * step), pair = v;
            lo[r] = vfma(v, b, lo[r]);
            if (r + 1 < rows) {
                __m512 u = vdup(x + (size_t)(r + 1) * step);
                lo[r + 1] = vfma(u, b, lo[r + 1]);
                pair = _mm512_mask_blend_ps(0xff00, v, u);
            }
            hi[r / 2] = vfma(pair, c, hi[r / 2]);
        }
    }
    if (g->act) {
        __m512 s = vload(slope), t = _mm512_broadcast_f32x8(_mm256_loadu_ps(slope + 16));
        UNROLL for (int r = 0; r < rows; r++) {
            lo[r] = NAME(prelu)(lo[r], s);
            if (r % 2 == 0) hi[r / 2] = NAME(prelu)(hi[r / 2], t);
        }
    }
    size_t at = m * g->out_px + n;
    UNROLL for (int r = 0; r < rows; r++, at += g->out_px) {
        __m256 h = r % 2 ? _mm512_extractf32x8_ps(hi[r / 2], 1) : _mm512_castps512_ps256(hi[r / 2]);
        if (g->residual) {
            lo[r] = vadd(lo[r], vload(g->residual + at));
            h = _mm256_add_ps(h, _mm256_loadu_ps(g->residual + at + 16));
        }
        vstore(g->out + at, lo[r]);
        _mm256_storeu_ps(g->out + at + 16, h);
    }
}

INLINE void NAME(panel_24)(const MfnGemm *g, const float *w, size_t n, const bool taps) {
    size_t m = 0;
    for (; m + TALL <= g->m; m += TALL) NAME(tile_24)(g, w, m, n, TALL, taps);
    for (; m + SHORT <= g->m; m += SHORT) NAME(tile_24)(g, w, m, n, SHORT, taps);
    if (m == g->m) return;
    if (g->m >= SHORT)
        NAME(tile_24)(g, w, g->m - SHORT, n, SHORT, taps);
    else
        for (; m < g->m; m++) NAME(tile_24)(g, w, m, n, 1, taps);
}

// (p - 127.5) / 128 as one operation; exact, so equal to any other way of computing it.
static void NAME(u8_to_f32)(const uint8_t *in, float *out, size_t n) {
    const __m512 scale = _mm512_set1_ps(0.0078125f), offset = _mm512_set1_ps(-0.99609375f);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m512i p = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(in + i)));
        vstore(out + i, vfma(_mm512_cvtepi32_ps(p), scale, offset));
    }
    for (; i < n; i++) out[i] = ((float)in[i] - 127.5f) * 0.0078125f;
}

// 16 bits by vpmaddwd, for both precisions: 8 bits gain nothing without VNNI. 7 x 3 sums, 3 weights,
// the levels and a product of 32 registers; 14 x 2 would take all, and gcc spills one.
#define INT(x) x##_i16__avx512
#define BITS 16
#define STEP 2
#define LEVEL_BYTES 2
#define LEVEL_OFFSET 0
#define WEIGHT_BYTES 2
#define INT_TALL 7
#define INT_SHORT 7
#define ZERO_APART 0
#define iweights(p) viload(p)
#define istart(p, head, at, m) vizero()
#define idot(sum, a, b) INT(dot)(sum, a, b)
#define convert_i16__avx512 NAME(convert_i16)
#define panel_i16__avx512 NAME(int_panel)

// As in avx2.c.
INLINE __m512i INT(dot)(__m512i sum, __m512i a, __m512i b) {
#ifdef MFN_NO_ASM
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
#else
    __m512i product;
    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0"
            : "+v"(sum), "=&v"(product)
            : "v"(a), "v"(b));
    return sum;
#endif
}

#include "simd_int.h"

const MfnKernels mfn_kernels__avx512 = {MFN_KERNEL_SLOTS, .u8 = NAME(u8_to_f32),
                                         .stem = &set_i16__avx512, .fast = &set_i16__avx512,
                                         .high = &set_i16__avx512};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int mfn_no_avx512;
#endif
