// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The kernels in terms of a vector type; an instruction set's file defines these and includes this:
//   V, VW            the vector and its floats         NAME(x)   x with the row's suffix
//   v_load v_store v_set1 v_add v_fma(a, b, c)         a * b + c in one rounding
//   v_max0 v_min0    max(x, 0), min(x, 0); a NaN stays a NaN
//   TALL(nv)         rows of a product's tile that is nv vectors wide
//   WIDE             most vectors of a panel           FC_WIDE   the same for one row
// Tiles keep one chain of sums per output in the order of k, so a row's result does not hang on
// how many rows there are.

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { NAME(wide_floats) = WIDE * VW, NAME(fc_floats) = FC_WIDE * VW };

INLINE V NAME(prelu)(V x, V slope) { return v_fma(slope, v_min0(x), v_max0(x)); }

// One tile: `tall` rows by `nv` vectors at column n0 of row m0. All of tall, nv, taps are constants.
INLINE void NAME(tile)(const MfnGemm *g, const float *w, size_t m0, size_t n0, const int tall,
                       const int nv, const bool taps) {
    V acc[16][4], b[4];
    const size_t wide = (size_t)nv * VW;
    UNROLL for (int j = 0; j < nv; j++) b[j] = v_load(w + (size_t)j * VW);
    UNROLL for (int i = 0; i < tall; i++)
        UNROLL for (int j = 0; j < nv; j++) acc[i][j] = b[j];
    const float *rows = w + 2 * wide, *a = g->a + m0 * g->a_px;
    const size_t step = g->a_px, depth = g->k;
    for (size_t k = 0; k < depth; k++, rows += wide) {
        const float *at = a + (taps ? (size_t)g->taps[k] : k);
        UNROLL for (int j = 0; j < nv; j++) b[j] = v_load(rows + (size_t)j * VW);
        UNROLL for (int i = 0; i < tall; i++) {
            V x = v_set1(at[(size_t)i * step]);
            UNROLL for (int j = 0; j < nv; j++) acc[i][j] = v_fma(x, b[j], acc[i][j]);
        }
    }
    if (g->act) {
        UNROLL for (int j = 0; j < nv; j++) b[j] = v_load(w + wide + (size_t)j * VW);
        UNROLL for (int i = 0; i < tall; i++)
            UNROLL for (int j = 0; j < nv; j++) acc[i][j] = NAME(prelu)(acc[i][j], b[j]);
    }
    float *out = g->out + m0 * g->out_px + n0;
    if (g->residual) {
        const float *r = g->residual + m0 * g->out_px + n0;
        UNROLL for (int i = 0; i < tall; i++)
            UNROLL for (int j = 0; j < nv; j++)
                acc[i][j] = v_add(acc[i][j], v_load(r + (size_t)i * g->out_px + (size_t)j * VW));
    }
    UNROLL for (int i = 0; i < tall; i++)
        UNROLL for (int j = 0; j < nv; j++)
            v_store(out + (size_t)i * g->out_px + (size_t)j * VW, acc[i][j]);
}

INLINE void NAME(strip)(const MfnGemm *g, const float *w, size_t n0, const int nv, const bool taps) {
    size_t m = 0;
    for (; m + TALL(nv) <= g->m; m += TALL(nv)) NAME(tile)(g, w, m, n0, TALL(nv), nv, taps);
    if (TALL(nv) > 7 && g->m - m >= 7) NAME(tile)(g, w, m, n0, 7, nv, taps), m += 7;
    for (; g->m - m >= 4; m += 4) NAME(tile)(g, w, m, n0, 4, nv, taps);
    for (; m < g->m; m++) NAME(tile)(g, w, m, n0, 1, nv, taps);
}

#define STRIP(nv)                                                                        \
    static void NAME(strip##nv)(const MfnGemm *g, const float *w, size_t n0) {           \
        if (g->taps)                                                                     \
            NAME(strip)(g, w, n0, nv, true);                                             \
        else                                                                             \
            NAME(strip)(g, w, n0, nv, false);                                            \
    }

// Nine products of a window whose columns lie at x0 + c * px of three rows; lo..hi are the columns
// inside the map.
INLINE V NAME(window)(const float *const *rows, ptrdiff_t x0, size_t px, const V *t, V acc, int lo,
                      int hi) {
    for (int ky = 0; ky < 3; ky++)
        for (int c = lo; c < hi; c++)
            acc = v_fma(v_load(rows[ky] + x0 + c * (ptrdiff_t)px), t[3 * ky + c], acc);
    return acc;
}

// A patch of 2 outputs side by side in `high` rows; every column is inside the map.
INLINE void NAME(patch)(const float *const *rows, size_t x0, const MfnDw *d, float *out, const V *t,
                        V bias, V slope, const int s, const int high) {
    V acc[2][2];
    UNROLL for (int i = 0; i < high; i++) acc[i][0] = acc[i][1] = bias;
    UNROLL for (int r = 0; r < (high - 1) * s + 3; r++) {
        const float *in = rows[r] + x0;
        UNROLL for (int c = 0; c < s + 3; c++) {
            V x = v_load(in + (size_t)c * d->px);
            UNROLL for (int i = 0; i < high; i++)
                UNROLL for (int j = 0; j < 2; j++)
                    if (r - i * s >= 0 && r - i * s < 3 && c - j * s >= 0 && c - j * s < 3)
                        acc[i][j] = v_fma(x, t[3 * (r - i * s) + c - j * s], acc[i][j]);
        }
    }
    UNROLL for (int i = 0; i < high; i++)
        UNROLL for (int j = 0; j < 2; j++)
            v_store(out + ((size_t)i * d->w_out + (size_t)j) * d->px,
                    NAME(prelu)(acc[i][j], slope));
}

// `high` output rows of one vector of channels. s is the stride where it is a constant, else 0.
INLINE void NAME(dw_rows)(const MfnDw *d, const float *const *from, size_t c0, float *out,
                          const V *t, V bias, V slope, const int s, const int high) {
    const float *rows[5];
    const size_t stride = s ? (size_t)s : d->stride;
    for (int r = 0; r < (high - 1) * (int)stride + 3; r++) rows[r] = from[r] + c0;
    for (size_t x = 0; x < d->w_out;) {
        size_t left = x * stride;  // one right of the window's first column
        if (s && left >= 1 && x + 2 <= d->w_out && left + (size_t)s + 2 <= d->w_in) {
            NAME(patch)(rows, (left - 1) * d->px, d, out + x * d->px, t, bias, slope, s, high);
            x += 2;
            continue;
        }
        int lo = left < 1, hi = left + 2 > d->w_in ? (int)(d->w_in + 1 - left) : 3;
        for (int i = 0; i < high; i++) {
            V acc = NAME(window)(rows + (size_t)i * stride, ((ptrdiff_t)left - 1) * (ptrdiff_t)d->px,
                                 d->px, t, bias, lo, hi);
            v_store(out + ((size_t)i * d->w_out + x) * d->px, NAME(prelu)(acc, slope));
        }
        x++;
    }
}

INLINE void NAME(dw_channels)(const MfnDw *d, size_t c0, const int s) {
    const float *w = d->w + c0 / MFN_BLOCK * (11 * MFN_BLOCK) + c0 % MFN_BLOCK;
    V t[9];
    UNROLL for (int i = 0; i < 9; i++) t[i] = v_load(w + i * MFN_BLOCK);
    V bias = v_load(w + 9 * MFN_BLOCK), slope = v_load(w + 10 * MFN_BLOCK);
    size_t y = 0;
    for (; s && y + 2 <= d->n_rows; y += 2)
        NAME(dw_rows)(d, d->rows + y * d->stride, c0, d->out + y * d->w_out * d->px + c0, t, bias,
                      slope, s, 2);
    for (; y < d->n_rows; y++)
        NAME(dw_rows)(d, d->rows + y * d->stride, c0, d->out + y * d->w_out * d->px + c0, t, bias,
                      slope, s, 1);
}

static void NAME(f32_dw3)(const MfnDw *d) {
    for (size_t c0 = 0; c0 < d->channels; c0 += VW) {
        if (d->stride == 1)
            NAME(dw_channels)(d, c0, 1);
        else if (d->stride == 2)
            NAME(dw_channels)(d, c0, 2);
        else
            NAME(dw_channels)(d, c0, 0);
    }
}

// Four chains, since each product waits for the sum before it.
static void NAME(f32_gdc)(const MfnGdc *g) {
    for (size_t c0 = 0; c0 < g->channels; c0 += VW) {
        const float *w = g->w + c0 / MFN_BLOCK * ((g->pixels + 1) * MFN_BLOCK) + c0 % MFN_BLOCK;
        const float *in = g->in + c0;
        V acc[4] = {v_load(w + g->pixels * MFN_BLOCK), v_set1(0), v_set1(0), v_set1(0)};
        size_t p = 0;
        for (; p + 4 <= g->pixels; p += 4)
            UNROLL for (int i = 0; i < 4; i++)
                acc[i] = v_fma(v_load(in + (p + (size_t)i) * g->px),
                               v_load(w + (p + (size_t)i) * MFN_BLOCK), acc[i]);
        for (; p < g->pixels; p++)
            acc[0] = v_fma(v_load(in + p * g->px), v_load(w + p * MFN_BLOCK), acc[0]);
        v_store(g->out + c0, v_add(v_add(acc[0], acc[1]), v_add(acc[2], acc[3])));
    }
}

// One row: bound by reading the weights once.
static void NAME(f32_fc)(const MfnGemm *g) {
    const float *w = g->w;
    for (size_t n0 = 0; n0 < g->n;) {
        size_t wide = NAME(fc_panel)(g->n - n0);
        const float *rows = w + 2 * wide;
        if (wide == NAME(fc_floats)) {
            V acc[FC_WIDE];
            UNROLL for (int j = 0; j < FC_WIDE; j++) acc[j] = v_load(w + j * VW);
            for (size_t k = 0; k < g->k; k++, rows += wide) {
                V x = v_set1(g->a[k]);
                UNROLL for (int j = 0; j < FC_WIDE; j++)
                    acc[j] = v_fma(x, v_load(rows + j * VW), acc[j]);
            }
            UNROLL for (int j = 0; j < FC_WIDE; j++) v_store(g->out + n0 + j * VW, acc[j]);
        } else {
            V acc = v_load(w);
            for (size_t k = 0; k < g->k; k++, rows += wide)
                acc = v_fma(v_set1(g->a[k]), v_load(rows), acc);
            v_store(g->out + n0, acc);
        }
        w += wide * (g->k + 2);
        n0 += wide;
    }
}

static double NAME(fma_probe)(uint64_t rounds) {
    V acc[12], half = v_set1(0.5f), one = v_set1(1.0f);
    UNROLL for (int i = 0; i < 12; i++) acc[i] = v_set1((float)i);
    for (uint64_t r = 0; r < rounds; r++) {
        UNROLL for (int i = 0; i < 12; i++) {
            acc[i] = v_fma(acc[i], half, one);
            __asm__ volatile("" : V_REGISTER(acc[i]));
        }
    }
    float out[VW];
    volatile float sink = 0;
    UNROLL for (int i = 0; i < 12; i++) {
        v_store(out, acc[i]);
        sink = sink + out[0];
    }
    return 12.0 * VW * (double)rounds;
}
