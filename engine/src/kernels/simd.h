// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The kernels, written once over a row's vectors. An instruction set's file defines the wrappers
//   V, LANES, NAME(x), vload, vstore, vdup (one float from memory), vadd, vmul, vfma (a * b + c),
//   vprelu(x, slope) (x where x > 0, else slope * x, which is NaN where x is)
//   panel (the width of gemm's next panel for the remaining columns: 1, 2 or 3 vectors)
// and may define
//   ODD_PANEL(g, w, n, taps) (computes a panel of any other width that panel gives)
// and the shapes that fit its registers
//   TALL (rows of a tile of one or two vectors), SHORT (of three, and of remainders), DW_ROWS, DW_RUN
// and includes this file. Everything that has a constant for an argument is inlined and unrolled.
// Every sum runs over k in one chain from the bias on, so tile shapes do not change a result.

// x > 0 keeps x, whatever the slope is; the rest is multiplied, and a NaN stays.
INLINE V NAME(prelu)(V x, V slope) { return vprelu(x, slope); }

// What follows the sums, for `rows` pixels of `vecs` vectors.
INLINE void NAME(finish)(const MfnGemm *g, const float *slope, size_t at, V acc[TALL][3],
                         const int rows, const int vecs) {
    if (g->act) {
        UNROLL for (int c = 0; c < vecs; c++) {
            V s = vload(slope + c * LANES);
            UNROLL for (int r = 0; r < rows; r++) acc[r][c] = NAME(prelu)(acc[r][c], s);
        }
    }
    if (g->residual) {
        const float *from = g->residual + at;
        UNROLL for (int r = 0; r < rows; r++) {
            UNROLL for (int c = 0; c < vecs; c++)
                acc[r][c] = vadd(acc[r][c], vload(from + (size_t)r * g->out_px + c * LANES));
        }
    }
    float *to = g->out + at;
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int c = 0; c < vecs; c++)
            vstore(to + (size_t)r * g->out_px + c * LANES, acc[r][c]);
    }
}

// rows x (vecs * LANES) outputs from pixel m and column n on; `w` is the panel.
INLINE void NAME(tile)(const MfnGemm *g, const float *w, size_t m, size_t n, const int rows,
                       const int vecs, const bool taps) {
    V acc[TALL][3];
    const float *a = g->a + m * g->a_px, *slope = w + vecs * LANES;
    const size_t step = g->a_px, depth = g->k;
    UNROLL for (int c = 0; c < vecs; c++) {
        UNROLL for (int r = 0; r < rows; r++) acc[r][c] = vload(w + c * LANES);
    }
    w += 2 * vecs * LANES;
    for (size_t k = 0; k < depth; k++, w += vecs * LANES) {
        const float *x = taps ? a + g->taps[k] : a + k;
        V b[3];
        UNROLL for (int c = 0; c < vecs; c++) b[c] = vload(w + c * LANES);
        UNROLL for (int r = 0; r < rows; r++) {
            V v = vdup(x + (size_t)r * step);
            UNROLL for (int c = 0; c < vecs; c++) acc[r][c] = vfma(v, b[c], acc[r][c]);
        }
    }
    NAME(finish)(g, slope, m * g->out_px + n, acc, rows, vecs);
}

// All pixels of one panel. A last tile that would stick out starts earlier instead and computes
// some pixels again, which gives the same bits because out is no input.
INLINE void NAME(panel_tiles)(const MfnGemm *g, const float *w, size_t n, const int rows,
                              const int vecs, const bool taps) {
    size_t m = 0;
    for (; m + (size_t)rows <= g->m; m += (size_t)rows) NAME(tile)(g, w, m, n, rows, vecs, taps);
    for (; m + SHORT <= g->m; m += SHORT) NAME(tile)(g, w, m, n, SHORT, vecs, taps);
    if (m == g->m) return;
    if (g->m >= SHORT)
        NAME(tile)(g, w, g->m - SHORT, n, SHORT, vecs, taps);
    else
        for (; m < g->m; m++) NAME(tile)(g, w, m, n, 1, vecs, taps);
}

#ifndef ODD_PANEL
#define ODD_PANEL(g, w, n, taps) (void)0
#endif

INLINE void NAME(product)(const MfnGemm *g, const bool taps) {
    const float *w = g->w;
    for (size_t n = 0; n < g->n;) {
        size_t wide = NAME(panel)(g->n - n);
        if (wide == 3 * LANES)
            NAME(panel_tiles)(g, w, n, SHORT, 3, taps);
        else if (wide == 2 * LANES)
            NAME(panel_tiles)(g, w, n, TALL, 2, taps);
        else if (wide == LANES)
            NAME(panel_tiles)(g, w, n, TALL, 1, taps);
        else
            ODD_PANEL(g, w, n, taps);
        w += wide * (g->k + 2);
        n += wide;
    }
}

static void NAME(f32_gemm)(const MfnGemm *g) {
    if (g->taps)
        NAME(product)(g, true);
    else
        NAME(product)(g, false);
}

// One row times a matrix: FC_VECS chains side by side hide the latency; memory sets the pace.
enum { NAME(FC_VECS) = 8 };

static size_t NAME(fc_panel)(size_t left) {
    return left >= NAME(FC_VECS) * LANES ? NAME(FC_VECS) * LANES : MFN_BLOCK;
}

INLINE void NAME(fc_columns)(const MfnGemm *g, const float *w, float *out, const int vecs) {
    V acc[NAME(FC_VECS)];
    UNROLL for (int c = 0; c < vecs; c++) acc[c] = vload(w + c * LANES);
    w += 2 * vecs * LANES;
    for (size_t k = 0; k < g->k; k++, w += vecs * LANES) {
        V v = vdup(g->a + k);
        UNROLL for (int c = 0; c < vecs; c++) acc[c] = vfma(v, vload(w + c * LANES), acc[c]);
    }
    UNROLL for (int c = 0; c < vecs; c++) vstore(out + c * LANES, acc[c]);
}

static void NAME(f32_fc)(const MfnGemm *g) {
    const float *w = g->w;
    for (size_t n = 0; n < g->n;) {
        size_t wide = NAME(fc_panel)(g->n - n);
        if (wide == MFN_BLOCK)
            NAME(fc_columns)(g, w, g->out + n, MFN_BLOCK / LANES);
        else
            NAME(fc_columns)(g, w, g->out + n, NAME(FC_VECS));
        w += wide * (g->k + 2);
        n += wide;
    }
}

// `rows` x `run` outputs of LANES channels at row y and column x, stride s; a column is loaded
// once for all outputs that see it. `left`, `right`: the first, the last column lies outside.
INLINE void NAME(dw_block)(const MfnDw *d, const float *w, size_t c, size_t y, size_t x,
                           const int rows, const int run, const int s, const bool left,
                           const bool right) {
    V tap[9], acc[DW_ROWS][DW_RUN];
    UNROLL for (int i = 0; i < 9; i++) tap[i] = vload(w + i * MFN_BLOCK);
    V bias = vload(w + 9 * MFN_BLOCK);
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int p = 0; p < run; p++) acc[r][p] = bias;
    }
    const int columns = (run - 1) * s + 3;
    UNROLL for (int i = 0; i < (rows - 1) * s + 3; i++) {
        // One left of the first column that is read: the offset below never is 0 where left.
        const float *in = d->rows[y * (size_t)s + (size_t)i] + c;
        UNROLL for (int j = 0; j < columns; j++) {
            if ((left && j == 0) || (right && j == columns - 1)) continue;
            V v = vload(in + (x * (size_t)s + (size_t)j - 1) * d->px);
            UNROLL for (int r = 0; r < rows; r++) {
                UNROLL for (int kx = 0; kx < 3; kx++) {
                    int ky = i - r * s, p = (j - kx) / s;
                    if (ky >= 0 && ky < 3 && j >= kx && (j - kx) % s == 0 && p < run)
                        acc[r][p] = vfma(v, tap[ky * 3 + kx], acc[r][p]);
                }
            }
        }
    }
    V slope = vload(w + 10 * MFN_BLOCK);
    UNROLL for (int r = 0; r < rows; r++) {
        float *out = d->out + ((y + (size_t)r) * d->w_out + x) * d->px + c;
        UNROLL for (int p = 0; p < run; p++)
            vstore(out + (size_t)p * d->px, NAME(prelu)(acc[r][p], slope));
    }
}

// All columns of `rows` rows.
INLINE void NAME(dw_rows)(const MfnDw *d, const float *w, size_t c, size_t y, const int rows,
                          const int run, const int s) {
    size_t n = d->w_out, r = (size_t)run, x = 0;
    bool open = (n - 1) * (size_t)s + 2 > d->w_in;  // the last output reads beyond the right edge
    if (n <= r) {
        if (n < r) return;
        if (open)
            NAME(dw_block)(d, w, c, y, 0, rows, run, s, true, true);
        else
            NAME(dw_block)(d, w, c, y, 0, rows, run, s, true, false);
        return;
    }
    NAME(dw_block)(d, w, c, y, 0, rows, run, s, true, false);
    for (x = r; x + r < n; x += r) NAME(dw_block)(d, w, c, y, x, rows, run, s, false, false);
    if (open)
        NAME(dw_block)(d, w, c, y, n - r, rows, run, s, false, true);
    else
        NAME(dw_block)(d, w, c, y, n - r, rows, run, s, false, false);
}

// Any stride and width, one output at a time.
static void NAME(dw_any)(const MfnDw *d, const float *w, size_t c) {
    V bias = vload(w + 9 * MFN_BLOCK), slope = vload(w + 10 * MFN_BLOCK);
    for (size_t y = 0; y < d->n_rows; y++)
        for (size_t x = 0; x < d->w_out; x++) {
            V acc = bias;
            for (size_t i = 0; i < 9; i++) {
                size_t at = x * d->stride + i % 3;  // one right of the input column
                if (at < 1 || at > d->w_in) continue;
                const float *in = d->rows[y * d->stride + i / 3] + (at - 1) * d->px + c;
                acc = vfma(vload(in), vload(w + i * MFN_BLOCK), acc);
            }
            vstore(d->out + (y * d->w_out + x) * d->px + c, NAME(prelu)(acc, slope));
        }
}

INLINE void NAME(dw_stride)(const MfnDw *d, const float *w, size_t c, const int s) {
    size_t y = 0;
    for (; y + DW_ROWS <= d->n_rows; y += DW_ROWS) NAME(dw_rows)(d, w, c, y, DW_ROWS, DW_RUN, s);
    for (; y < d->n_rows; y++) NAME(dw_rows)(d, w, c, y, 1, DW_RUN, s);
}

static void NAME(f32_dw3)(const MfnDw *d) {
    for (size_t c = 0; c < d->channels; c += LANES) {
        const float *w = d->w + c / MFN_BLOCK * 11 * MFN_BLOCK + c % MFN_BLOCK;
        if (d->stride > 2 || d->w_out < DW_RUN)
            NAME(dw_any)(d, w, c);
        else if (d->stride == 2)
            NAME(dw_stride)(d, w, c, 2);
        else
            NAME(dw_stride)(d, w, c, 1);
    }
}

INLINE void NAME(gdc_columns)(const MfnGdc *g, const float *w, size_t c, const int vecs) {
    V acc[4];
    const size_t block = (g->pixels + 1) * MFN_BLOCK;  // the weights of MFN_BLOCK channels
    size_t at[4];
    UNROLL for (int i = 0; i < vecs; i++) {
        size_t lane = c + (size_t)i * LANES;
        at[i] = lane / MFN_BLOCK * block + lane % MFN_BLOCK;
        acc[i] = vload(w + at[i] + block - MFN_BLOCK);
    }
    for (size_t p = 0; p < g->pixels; p++) {
        UNROLL for (int i = 0; i < vecs; i++)
            acc[i] = vfma(vload(g->in + p * g->px + c + (size_t)i * LANES),
                          vload(w + at[i] + p * MFN_BLOCK), acc[i]);
    }
    UNROLL for (int i = 0; i < vecs; i++) vstore(g->out + c + (size_t)i * LANES, acc[i]);
}

static void NAME(f32_gdc)(const MfnGdc *g) {
    size_t c = 0, n = mfn_round_up(g->channels, MFN_BLOCK);
    for (; c + 4 * LANES <= n; c += 4 * LANES) NAME(gdc_columns)(g, g->w, c, 4);
    for (; c < n; c += LANES) NAME(gdc_columns)(g, g->w, c, 1);
}

static void NAME(f32_widen)(const MfnWiden *n) {
    const size_t stride = n->area + (n->slopes ? 2 : 1), block = mfn_narrow_block(n->area, n->slopes);
    for (size_t c = 0; c < n->channels; c += LANES) {
        const size_t lane = c % MFN_BLOCK;
        const unsigned char *w = n->w + c / MFN_BLOCK * block;
        const float *bias = (const float *)(const void *)(w + n->area * MFN_BLOCK);
        const uint16_t *half = (const uint16_t *)(const void *)(bias + MFN_BLOCK);
        float *to = n->out + c / MFN_BLOCK * stride * MFN_BLOCK + lane;
        V scale = vbf16(half + lane);
        for (size_t i = 0; i < n->area; i++, to += MFN_BLOCK)
            vstore(to, vmul(NAME(bytes)(w + i * MFN_BLOCK + lane), scale));
        vstore(to, vload(bias + lane));
        if (n->slopes) vstore(to + MFN_BLOCK, vbf16(half + MFN_BLOCK + lane));
    }
}

// Independent chains that need nothing but the multipliers.
static double NAME(fma_probe)(uint64_t rounds) {
    // Volatile: what a compiler knows of the chains' values it may use to leave one out.
    volatile float values[14] = {0.5f, 1.0f};
    float start[12], constants[2] = {values[0], values[1]};
    V acc[12], x = vdup(&constants[0]), y = vdup(&constants[1]);
    for (int i = 0; i < 12; i++) start[i] = values[2 + i] + (float)i;
    UNROLL for (int i = 0; i < 12; i++) acc[i] = vdup(&start[i]);
    for (uint64_t r = 0; r < rounds; r++) {
        UNROLL for (int i = 0; i < 12; i++) acc[i] = vfma(acc[i], x, y);
    }
    float sink[LANES];
    UNROLL for (int i = 1; i < 12; i++) acc[0] = vadd(acc[0], acc[i]);
    vstore(sink, acc[0]);
    volatile float keep = sink[0];
    (void)keep;
    return 12.0 * LANES * (double)rounds;
}

#define MFN_KERNEL_SLOTS                                                                      \
    .panel = NAME(panel), .fc_panel = NAME(fc_panel), .gemm = NAME(f32_gemm),                 \
    .fc = NAME(f32_fc), .dw3 = NAME(f32_dw3), .gdc = NAME(f32_gdc), .widen = NAME(f32_widen),   \
    .fma_probe = NAME(fma_probe)
