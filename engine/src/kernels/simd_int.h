// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Products in integers, written once over a row's vectors, after simd.h. The row's file defines
//   VI (LANES int32), vizero(), vidup, viload, vistore, viand, vimaxs, vimaxu (signed, unsigned), vitops, vitopu (the largest
//   lane), vifloat,
//   vmin0(x) (a float, or 0 where x > 0; x where it is NaN)
// and for each number of bits
//   INT(x), BITS, STEP, WEIGHT_BYTES, LEVEL_BYTES, LEVEL_OFFSET, INT_TALL, INT_SHORT (rows of a tile)
//   int_panel (the width of the next panel: 1, 2 or 3 vectors)
//   iweights(p) (a step's weights of LANES columns)
//   idot(sum, levels, weights)
//   istart(p, sum, m) (where sums begin, from the columns' sums and pixel m's zero)
//   ZERO_APART (1: the start depends on the pixel's group)
//   INT(convert)(to, x, inverse, zero) (MFN_BLOCK floats to levels)
// and may define
//   INT_UNROLL (a pragma before the loop over the steps)
// and includes this file.

#ifndef INT_UNROLL
#define INT_UNROLL
#endif

// The first `n` of MFN_BLOCK lanes: from MFN_BLOCK - n on.
static const int32_t INT(lanes)[2 * MFN_BLOCK] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                  -1, -1, -1, -1, -1, -1, -1, -1};

// 8 bits need the least value too, 16 bits magnitudes alone.
INLINE void INT(widen)(VI *most, VI *least, VI x) {
    if (BITS == 8)
        *most = vimaxs(*most, x), *least = vimaxu(*least, x);
    else
        *most = vimaxs(*most, viand(x, vidup(INT32_MAX)));
}

// The range of `pixels` pixels of `whole` floats, a multiple of MFN_BLOCK, and `rest` more.
INLINE MfnRange INT(range)(const float *in, size_t pixels, size_t px, size_t whole, size_t rest) {
    enum { VECS = MFN_BLOCK / LANES };
    VI most[VECS], least[VECS];
    UNROLL for (int i = 0; i < VECS; i++) most[i] = least[i] = vizero();
    for (size_t p = 0; p < pixels; p++, in += px) {
        for (size_t c = 0; c < whole; c += MFN_BLOCK) {
            UNROLL for (int i = 0; i < VECS; i++)
                INT(widen)(&most[i], &least[i], viload(in + c + i * LANES));
        }
        if (!rest) continue;
        UNROLL for (int i = 0; i < VECS; i++) {
            VI keep = viload(INT(lanes) + MFN_BLOCK - rest + i * LANES);
            INT(widen)(&most[i], &least[i], viand(viload(in + whole + i * LANES), keep));
        }
    }
    UNROLL for (int i = 1; i < VECS; i++) {
        most[0] = vimaxs(most[0], most[i]), least[0] = vimaxu(least[0], least[i]);
    }
    return mfn_range(BITS, vitops(most[0]), BITS == 8 ? vitopu(least[0]) : 0);
}

static void INT(quantise)(const MfnQuantise *q) {
    const size_t px = q->px, rest = q->channels % MFN_BLOCK;
    for (size_t at = 0; at < q->m; at += q->group) {
        size_t n = q->m - at < q->group ? q->m - at : q->group, run = n * px;
        const float *in = q->in + at * px;
        unsigned char *to = q->levels + at * px * LEVEL_BYTES;
        // Without a rest the pixels are one run of floats.
        const MfnRange r = rest ? INT(range)(in, n, px, q->channels - rest, rest)
                                : INT(range)(in, 1, px, run, 0);
        for (size_t i = 0; i < n; i++) q->scale[at + i] = r.scale, q->zero[at + i] = r.zero;
        if (!r.finite) {
            memset(to, (256 - LEVEL_OFFSET) % 256, run * LEVEL_BYTES);
            continue;
        }
        // Padding becomes levels too, whatever they are.
        const V inverse = vdup(&r.inverse);
        for (size_t i = 0; i < run; i += MFN_BLOCK)
            INT(convert)(to + i * LEVEL_BYTES, in + i, inverse, r.zero);
    }
}

// What follows the sums, as in simd.h.
INLINE void INT(finish)(const MfnProduct *p, const float *bend, size_t at, V x[INT_TALL][3],
                        const int rows, const int vecs) {
    if (p->act) {
        UNROLL for (int c = 0; c < vecs; c++) {
            V s = vload(bend + c * LANES);
            UNROLL for (int r = 0; r < rows; r++) x[r][c] = vfma(vmin0(x[r][c]), s, x[r][c]);
        }
    }
    if (p->residual) {
        const float *from = p->residual + at;
        UNROLL for (int r = 0; r < rows; r++) {
            UNROLL for (int c = 0; c < vecs; c++)
                x[r][c] = vadd(x[r][c], vload(from + (size_t)r * p->out_px + c * LANES));
        }
    }
    float *to = p->out + at;
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int c = 0; c < vecs; c++)
            vstore(to + (size_t)r * p->out_px + c * LANES, x[r][c]);
    }
}

// The sums times their scales, and the bias. `one`: the pixels are of one group, so a column has one
// factor; it is the same product as each pixel's own.
INLINE void INT(scaled)(const float *scale, const float *bias, const float *weight,
                        VI acc[INT_TALL][3], V x[INT_TALL][3], const int rows, const int vecs,
                        const bool one) {
    UNROLL for (int c = 0; c < vecs; c++) {
        V b = vload(bias + c * LANES), t = vload(weight + c * LANES), s = vmul(vdup(scale), t);
        UNROLL for (int r = 0; r < rows; r++) {
            if (!one) s = vmul(vdup(scale + r), t);
            x[r][c] = vfma(vifloat(acc[r][c]), s, b);
        }
    }
}

// rows x (vecs * LANES) outputs from pixel m and column n on; `w` is the panel. `one`: as above.
INLINE void INT(tile)(const MfnProduct *p, const unsigned char *w, size_t m, size_t n, bool one,
                      const int rows, const int vecs) {
    VI acc[INT_TALL][3];
    const size_t wide = (size_t)vecs * LANES, line = p->a_px * LEVEL_BYTES;
    const size_t depth = (p->k + STEP - 1) / STEP;
    const float *bias = (const float *)(const void *)w, *bend = bias + wide;
    const float *weight = bend + wide;
    const unsigned char *a = p->levels + m * line;
    w += wide * MFN_INT_HEAD * sizeof(float);
    UNROLL for (int c = 0; c < vecs; c++) {
        VI start = istart(p, weight + wide + c * LANES, m);
        UNROLL for (int r = 0; r < rows; r++) acc[r][c] = start;
        if (ZERO_APART && !one)
            UNROLL for (int r = 1; r < rows; r++)
                acc[r][c] = istart(p, weight + wide + c * LANES, m + (size_t)r);
    }
    INT_UNROLL for (size_t k = 0; k < depth; k++) {
        const unsigned char *at = a + k * STEP * LEVEL_BYTES;
        VI b[3];
        UNROLL for (int c = 0; c < vecs; c++) b[c] = iweights(w + c * LANES * STEP * WEIGHT_BYTES);
        w += wide * STEP * WEIGHT_BYTES;
        UNROLL for (int r = 0; r < rows; r++) {
            int32_t step;
            memcpy(&step, at + (size_t)r * line, sizeof step);
            VI v = vidup(step);
            UNROLL for (int c = 0; c < vecs; c++) acc[r][c] = idot(acc[r][c], v, b[c]);
        }
    }
    V x[INT_TALL][3];
    if (one)
        INT(scaled)(p->scale + m, bias, weight, acc, x, rows, vecs, true);
    else
        INT(scaled)(p->scale + m, bias, weight, acc, x, rows, vecs, false);
    INT(finish)(p, bend, m * p->out_px + n, x, rows, vecs);
}

// All pixels of one panel.
INLINE void INT(tiles)(const MfnProduct *p, const unsigned char *w, size_t n, const int rows,
                       const int vecs) {
    size_t m = 0, group = p->group;  // the end of m's group
#define INT_TILES(height)                                                      \
    for (; m + (height) <= p->m; m += (height)) {                              \
        while (group <= m) group += p->group;                                  \
        INT(tile)(p, w, m, n, m + (height) <= group, (int)(height), vecs);     \
    }
    INT_TILES((size_t)rows)
    if (rows > INT_SHORT) INT_TILES(INT_SHORT)
    INT_TILES(2)
    INT_TILES(1)
#undef INT_TILES
}

static void INT(product)(const MfnProduct *p) {
    const unsigned char *w = p->w;
    const size_t depth = (p->k + STEP - 1) / STEP;
    for (size_t n = 0; n < p->n;) {
        size_t wide = INT(panel)(p->n - n);
        if (wide == 3 * LANES)
            INT(tiles)(p, w, n, INT_SHORT, 3);
        else if (wide == 2 * LANES)
            INT(tiles)(p, w, n, INT_TALL, 2);
        else
            INT(tiles)(p, w, n, INT_TALL, 1);
        w += wide * (MFN_INT_HEAD * sizeof(float) + depth * STEP * WEIGHT_BYTES);
        n += wide;
    }
}

static const MfnIntegers INT(set) = {
    .bits = BITS, .offset = LEVEL_OFFSET, .step = STEP, .weight_bytes = WEIGHT_BYTES, .level_bytes = LEVEL_BYTES,
    .panel = INT(panel), .quantise = INT(quantise), .product = INT(product),
};
