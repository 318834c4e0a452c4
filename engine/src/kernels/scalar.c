// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Plain C: the reference that every other row is compared with. Each product and each sum is rounded
// on its own, in the order of k: no contraction, and each product has a variable, since a compiler may
// evaluate float in a wider type (x87, s390x) and rounds only what is stored.
#include "../kernels.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#endif

enum { SCALAR_WIDE = 8, SCALAR_TALL = 4 };

static size_t panel__scalar(size_t left) {
    (void)left;
    return SCALAR_WIDE;
}

// x > 0 keeps x, the rest is multiplied; a NaN goes through the multiplication and stays.
static float prelu__scalar(float x, float slope) { return x > 0 ? x : slope * x; }

static void gemm_tile__scalar(const MfnGemm *g, const float *w, size_t m0, size_t n0, size_t tall) {
    float acc[SCALAR_TALL][SCALAR_WIDE];
    const float *bias = w, *slope = w + SCALAR_WIDE;
    for (size_t i = 0; i < tall; i++)
        for (size_t j = 0; j < SCALAR_WIDE; j++) acc[i][j] = bias[j];
    w += 2 * SCALAR_WIDE;
    for (size_t k = 0; k < g->k; k++, w += SCALAR_WIDE) {
        const float *a = g->a + m0 * g->a_px + (g->taps ? (size_t)g->taps[k] : k);
        for (size_t i = 0; i < tall; i++)
            for (size_t j = 0; j < SCALAR_WIDE; j++) {
                float product = a[i * g->a_px] * w[j];
                acc[i][j] += product;
            }
    }
    for (size_t i = 0; i < tall; i++) {
        size_t at = (m0 + i) * g->out_px + n0;
        for (size_t j = 0; j < SCALAR_WIDE; j++) {
            float x = g->act ? prelu__scalar(acc[i][j], slope[j]) : acc[i][j];
            g->out[at + j] = g->residual ? x + g->residual[at + j] : x;
        }
    }
}

static void f32_gemm__scalar(const MfnGemm *g) {
    const float *w = g->w;
    for (size_t n0 = 0; n0 < g->n; n0 += SCALAR_WIDE, w += SCALAR_WIDE * (g->k + 2)) {
        size_t m = 0;
        for (; m + SCALAR_TALL <= g->m; m += SCALAR_TALL)
            gemm_tile__scalar(g, w, m, n0, SCALAR_TALL);
        if (m < g->m) gemm_tile__scalar(g, w, m, n0, g->m - m);
    }
}

static void f32_dw3__scalar(const MfnDw *d) {
    for (size_t c0 = 0; c0 < d->channels; c0 += MFN_BLOCK) {
        const float *w = d->w + c0 * 11;
        for (size_t y = 0; y < d->n_rows; y++)
            for (size_t x = 0; x < d->w_out; x++) {
                float acc[MFN_BLOCK];
                for (size_t c = 0; c < MFN_BLOCK; c++) acc[c] = w[9 * MFN_BLOCK + c];
                for (size_t ky = 0; ky < 3; ky++)
                    for (size_t kx = 0; kx < 3; kx++) {
                        size_t at = x * d->stride + kx;  // one right of the input column
                        if (at < 1 || at > d->w_in) continue;
                        const float *in = d->rows[y * d->stride + ky] + (at - 1) * d->px + c0;
                        const float *tap = w + (ky * 3 + kx) * MFN_BLOCK;
                        for (size_t c = 0; c < MFN_BLOCK; c++) {
                            float product = in[c] * tap[c];
                            acc[c] += product;
                        }
                    }
                float *out = d->out + (y * d->w_out + x) * d->px + c0;
                for (size_t c = 0; c < MFN_BLOCK; c++)
                    out[c] = prelu__scalar(acc[c], w[10 * MFN_BLOCK + c]);
            }
    }
}

static void f32_gdc__scalar(const MfnGdc *g) {
    const float *w = g->w;
    for (size_t c0 = 0; c0 < g->channels; c0 += MFN_BLOCK, w += (g->pixels + 1) * MFN_BLOCK) {
        float acc[MFN_BLOCK];
        for (size_t c = 0; c < MFN_BLOCK; c++) acc[c] = w[g->pixels * MFN_BLOCK + c];
        for (size_t p = 0; p < g->pixels; p++)
            for (size_t c = 0; c < MFN_BLOCK; c++) {
                float product = g->in[p * g->px + c0 + c] * w[p * MFN_BLOCK + c];
                acc[c] += product;
            }
        for (size_t c = 0; c < MFN_BLOCK; c++) g->out[c0 + c] = acc[c];
    }
}

static void widen__scalar(const MfnWiden *n) {
    const size_t stride = n->area + (n->slopes ? 2 : 1), block = mfn_narrow_block(n->area, n->slopes);
    for (size_t c = 0; c < n->channels; c++) {
        const size_t lane = c % MFN_BLOCK;
        const unsigned char *w = n->w + c / MFN_BLOCK * block;
        const unsigned char *bias = w + n->area * MFN_BLOCK, *half = bias + 4 * MFN_BLOCK;
        float *to = n->out + c / MFN_BLOCK * stride * MFN_BLOCK + lane;
        uint16_t scale, slope;
        memcpy(&scale, half + 2 * lane, sizeof scale);
        for (size_t i = 0; i < n->area; i++, to += MFN_BLOCK)
            *to = (float)(int8_t)w[i * MFN_BLOCK + lane] * mfn_bf16_float(scale);
        memcpy(to, bias + 4 * lane, sizeof *to);
        if (!n->slopes) continue;
        memcpy(&slope, half + 2 * (MFN_BLOCK + lane), sizeof slope);
        to[MFN_BLOCK] = mfn_bf16_float(slope);
    }
}

static void u8_to_f32__scalar(const uint8_t *in, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = ((float)in[i] - 127.5f) * 0.0078125f;
}

static void pixels__scalar(const uint8_t *in, int16_t *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = (int16_t)(2 * in[i] - MFN_TOP_PIXEL);
}

static double fma_probe__scalar(uint64_t rounds) {
    float acc[32];
    for (int i = 0; i < 32; i++) acc[i] = (float)i;
    for (uint64_t r = 0; r < rounds; r++)
        for (int i = 0; i < 32; i++) acc[i] = acc[i] * 0.5f + 1.0f;
    volatile float sink = 0;
    for (int i = 0; i < 32; i++) sink = sink + acc[i];
    return 32.0 * (double)rounds;
}

// `step` is 1 and a level has two bytes for both numbers of bits, which must be a constant: gcc 12 for
// AArch64 loads a weight of either size before it asks for the number, and so beyond the last byte.
INLINE void quantise__scalar(const MfnQuantise *q, int bits) {
    for (size_t at = 0; at < q->m; at += q->group) {
        size_t n = q->m - at < q->group ? q->m - at : q->group;
        int32_t most = 0;
        uint32_t least = 0;
        for (size_t i = at; i < at + n; i++)
            for (size_t c = 0; c < q->channels; c++) {
                int32_t x;
                memcpy(&x, q->in + i * q->px + c, sizeof x);
                if (x > most) most = x;
                if ((uint32_t)x > least) least = (uint32_t)x;
            }
        const MfnRange r = mfn_range(bits, most, least);
        for (size_t i = at; i < at + n; i++) {
            q->scale[i] = r.scale, q->zero[i] = r.zero;
            for (size_t c = 0; c < q->px; c++) {
                int16_t level = 0;
                if (r.finite && c < q->channels) {
                    float x = q->in[i * q->px + c] * r.inverse;
                    long v = lrintf(x);
                    if (bits == 8 && v > MFN_TOP_8 - r.zero) v = MFN_TOP_8 - r.zero;
                    level = (int16_t)v;
                }
                memcpy(q->levels + (i * q->px + c) * sizeof level, &level, sizeof level);
            }
        }
    }
}

INLINE int32_t weight__scalar(const unsigned char *w, int bits) {
    if (bits == 8) return (int8_t)*w;
    int16_t v;
    memcpy(&v, w, sizeof v);
    return v;
}

INLINE void product__scalar(const MfnProduct *p, int bits) {
    const size_t bytes = bits / 8, head = MFN_INT_HEAD * SCALAR_WIDE;
    const unsigned char *w = p->w;
    for (size_t n0 = 0; n0 < p->n; n0 += SCALAR_WIDE) {
        float bias[SCALAR_WIDE];
        uint16_t scale[SCALAR_WIDE], slope[SCALAR_WIDE];
        memcpy(bias, w, sizeof bias);
        memcpy(scale, w + sizeof bias, sizeof scale);
        memcpy(slope, w + sizeof bias + sizeof scale, sizeof slope);
        for (size_t m = 0; m < p->m; m++) {
            int32_t acc[SCALAR_WIDE] = {0};
            for (size_t k = 0; k < p->k; k++) {
                int16_t level;
                memcpy(&level, p->levels + (m * p->a_px + (p->taps ? (size_t)p->taps[k] : k)) * sizeof level,
                       sizeof level);
                for (size_t j = 0; j < SCALAR_WIDE; j++)
                    acc[j] += level * weight__scalar(w + head + (k * SCALAR_WIDE + j) * bytes, bits);
            }
            size_t at = m * p->out_px + n0;
            for (size_t j = 0; j < SCALAR_WIDE; j++) {
                float factor = p->scale[p->taps ? 0 : m] * mfn_bf16_float(scale[j]);
                float x = (float)acc[j] * factor;
                x += bias[j];
                float bend = mfn_bf16_float(slope[j]) - 1, bent = bend * (x > 0 ? 0 : x);
                if (p->act) x += bent;
                p->out[at + j] = p->residual ? x + p->residual[at + j] : x;
            }
        }
        w += head + p->k * SCALAR_WIDE * bytes;
    }
}

static void i8_quantise__scalar(const MfnQuantise *q) { quantise__scalar(q, 8); }
static void i16_quantise__scalar(const MfnQuantise *q) { quantise__scalar(q, 16); }
static void i8_product__scalar(const MfnProduct *p) { product__scalar(p, 8); }
static void i16_product__scalar(const MfnProduct *p) { product__scalar(p, 16); }

static const MfnIntegers i8__scalar = {false, 8, 0, 1, 1, 2, panel__scalar, i8_quantise__scalar,
                                       i8_product__scalar};
static const MfnIntegers i16__scalar = {false, 16, 0, 1, 2, 2, panel__scalar, i16_quantise__scalar,
                                        i16_product__scalar};

const MfnKernels mfn_kernels__scalar = {
    .panel = panel__scalar,
    .fc_panel = panel__scalar,
    .gemm = f32_gemm__scalar,
    .fc = f32_gemm__scalar,
    .dw3 = f32_dw3__scalar,
    .gdc = f32_gdc__scalar,
    .widen = widen__scalar,
    .u8 = u8_to_f32__scalar,
    .pixels = pixels__scalar,
    .stem = &i16__scalar,
    .fast = &i8__scalar,
    .high = &i16__scalar,
    .fma_probe = fma_probe__scalar,
};

#if !defined(__clang__) && defined(__GNUC__)
#pragma GCC pop_options
#endif
