// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#include "../kernels.h"

#ifdef MFN_HAVE_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,prefer-vector-width=512")
#endif
#include <immintrin.h>

#define NAME(x) x##__avx512
#define V __m512
#define VW 16
#define V_REGISTER(x) "+v"(x)
#define v_load(p) _mm512_loadu_ps(p)
#define v_store(p, x) _mm512_storeu_ps(p, x)
#define v_set1(x) _mm512_set1_ps(x)
#define v_add(a, b) _mm512_add_ps(a, b)
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
// The second operand is what comes out where one of them is a NaN.
#define v_max0(x) _mm512_max_ps(_mm512_setzero_ps(), x)
#define v_min0(x) _mm512_min_ps(_mm512_setzero_ps(), x)
// 7x48 is 21 sums of 32 registers, 14x32 is 28: both leave one for the row's value, the rest for weights.
#define TALL(nv) ((nv) == 3 ? 7 : 14)
#define WIDE 3
#define FC_WIDE 8

static size_t panel__avx512(size_t left);
static size_t fc_panel__avx512(size_t left) { return left >= 128 ? 128 : 16; }

#include "simd.h"

STRIP(1)
STRIP(2)
STRIP(3)

// Columns in vectors, the last one in half where 8 or fewer of its 16 are real: pairs of vectors, and a
// triple where that leaves no single one. 24 is a vector and a half.
static size_t panel__avx512(size_t left) {
    size_t vectors = (left + 15) / 16;
    bool half = left % 16 >= 1 && left % 16 <= 8;
    if (half && vectors == 2) return 24;
    if (half ? vectors % 2 == 1 && vectors >= 5 : vectors == 3) return 48;
    return vectors == 1 ? 16 : 32;
}

// 24 columns: a whole vector and half of one, which Zen's two 256-bit pipes do in 3 of 4 halves.
INLINE void tile24__avx512(const MfnGemm *g, const float *w, size_t m0, size_t n0, const int tall,
                           const bool taps) {
    __m512 acc[14], b = _mm512_loadu_ps(w);
    __m256 half[14], h = _mm256_loadu_ps(w + 16);
    UNROLL for (int i = 0; i < tall; i++) acc[i] = b, half[i] = h;
    const float *rows = w + 48, *a = g->a + m0 * g->a_px;
    const size_t step = g->a_px, depth = g->k;
    for (size_t k = 0; k < depth; k++, rows += 24) {
        const float *at = a + (taps ? (size_t)g->taps[k] : k);
        b = _mm512_loadu_ps(rows), h = _mm256_loadu_ps(rows + 16);
        UNROLL for (int i = 0; i < tall; i++) {
            __m512 x = _mm512_set1_ps(at[(size_t)i * step]);
            acc[i] = _mm512_fmadd_ps(x, b, acc[i]);
            half[i] = _mm256_fmadd_ps(_mm512_castps512_ps256(x), h, half[i]);
        }
    }
    b = _mm512_loadu_ps(w + 24), h = _mm256_loadu_ps(w + 40);
    const __m256 zero = _mm256_setzero_ps();
    UNROLL for (int i = 0; i < tall; i++) {
        size_t at = (m0 + (size_t)i) * g->out_px + n0;
        if (g->act) {
            acc[i] = prelu__avx512(acc[i], b);
            half[i] = _mm256_fmadd_ps(h, _mm256_min_ps(zero, half[i]), _mm256_max_ps(zero, half[i]));
        }
        if (g->residual) {
            acc[i] = _mm512_add_ps(acc[i], _mm512_loadu_ps(g->residual + at));
            half[i] = _mm256_add_ps(half[i], _mm256_loadu_ps(g->residual + at + 16));
        }
        _mm512_storeu_ps(g->out + at, acc[i]);
        _mm256_storeu_ps(g->out + at + 16, half[i]);
    }
}

INLINE void strip24_any__avx512(const MfnGemm *g, const float *w, size_t n0, const bool taps) {
    size_t m = 0;
    for (; g->m - m >= 14; m += 14) tile24__avx512(g, w, m, n0, 14, taps);
    for (; g->m - m >= 7; m += 7) tile24__avx512(g, w, m, n0, 7, taps);
    for (; m < g->m; m++) tile24__avx512(g, w, m, n0, 1, taps);
}

static void strip24__avx512(const MfnGemm *g, const float *w, size_t n0) {
    if (g->taps)
        strip24_any__avx512(g, w, n0, true);
    else
        strip24_any__avx512(g, w, n0, false);
}

static void f32_gemm__avx512(const MfnGemm *g) {
    const float *w = g->w;
    for (size_t n0 = 0; n0 < g->n;) {
        size_t wide = panel__avx512(g->n - n0);
        switch (wide) {
        case 48: strip3__avx512(g, w, n0); break;
        case 32: strip2__avx512(g, w, n0); break;
        case 24: strip24__avx512(g, w, n0); break;
        default: strip1__avx512(g, w, n0); break;
        }
        w += wide * (g->k + 2);
        n0 += wide;
    }
}

static void u8_to_f32__avx512(const uint8_t *in, float *out, size_t n) {
    const __m512 middle = _mm512_set1_ps(127.5f), scale = _mm512_set1_ps(0.0078125f);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(in + i));
        __m512 x = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
        _mm512_storeu_ps(out + i, _mm512_mul_ps(_mm512_sub_ps(x, middle), scale));
    }
    for (; i < n; i++) out[i] = ((float)in[i] - 127.5f) * 0.0078125f;
}

const MfnKernels mfn_kernels__avx512 = {
    .panel = panel__avx512,
    .fc_panel = fc_panel__avx512,
    .gemm = f32_gemm__avx512,
    .fc = f32_fc__avx512,
    .dw3 = f32_dw3__avx512,
    .gdc = f32_gdc__avx512,
    .u8 = u8_to_f32__avx512,
    .fma_probe = fma_probe__avx512,
};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
