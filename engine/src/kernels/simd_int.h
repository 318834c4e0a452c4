// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Products in integers, written once over a row's vectors, after simd.h. The row's file defines
//   VI (LANES int32), vizero(), viload, vistore, viand, vimaxs, vimaxu (signed, unsigned), vifloat
// and for each number of bits
//   INT(x), BITS, STEP, WEIGHT_BYTES, LEVEL_BYTES, INT_TALL, INT_SHORT (rows of a tile)
//   int_panel (the width of the next panel: 1, 2 or 3 vectors)
//   iweights(p) (a step's weights of LANES columns), ilevels(p) (a step's levels in all lanes)
//   idot(sum, levels, weights)
//   istart(p, sum, m) (where sums begin, from the columns' sums and pixel m's zero)
//   ZERO_APART (1: the start depends on the pixel's group, and a tile stays within one)
//   INT(convert)(to, x, keep, range) (MFN_BLOCK floats, under the mask `keep`, to levels)
// and includes this file.

// The first `n` of MFN_BLOCK lanes: from MFN_BLOCK - n on.
static const int32_t INT(lanes)[2 * MFN_BLOCK] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                  -1, -1, -1, -1, -1, -1, -1, -1};

INLINE MfnRange INT(range)(const MfnQuantise *q, const float *in, size_t pixels) {
    VI most = vizero(), least = vizero();
    const size_t whole = q->channels / LANES * LANES;
    for (size_t p = 0; p < pixels; p++, in += q->px) {
        for (size_t c = 0; c < whole; c += LANES) {
            VI x = viload(in + c);
            most = vimaxs(most, x), least = vimaxu(least, x);
        }
        if (whole == q->channels) continue;
        VI x = viand(viload(in + whole), viload(INT(lanes) + MFN_BLOCK - (q->channels - whole)));
        most = vimaxs(most, x), least = vimaxu(least, x);
    }
    int32_t m[LANES];
    uint32_t l[LANES];
    vistore(m, most), vistore(l, least);
    for (int i = 1; i < LANES; i++) {
        if (m[i] > m[0]) m[0] = m[i];
        if (l[i] > l[0]) l[0] = l[i];
    }
    return mfn_range(BITS, m[0], l[0]);
}

static void INT(quantise)(const MfnQuantise *q) {
    const size_t whole = q->channels / MFN_BLOCK * MFN_BLOCK, rest = q->channels - whole;
    const size_t px = q->px;
    for (size_t at = 0; at < q->m; at += q->group) {
        size_t n = q->m - at < q->group ? q->m - at : q->group;
        const float *in = q->in + at * px;
        unsigned char *to = q->levels + at * px * LEVEL_BYTES;
        const MfnRange r = INT(range)(q, in, n);
        for (size_t i = 0; i < n; i++) q->scale[at + i] = r.scale, q->zero[at + i] = r.zero;
        if (!r.finite) {
            memset(to, 0, n * px * LEVEL_BYTES);
            continue;
        }
        for (size_t i = 0; i < n; i++, in += px, to += px * LEVEL_BYTES) {
            for (size_t c = 0; c < whole; c += MFN_BLOCK)
                INT(convert)(to + c * LEVEL_BYTES, in + c, NULL, r);
            if (rest)
                INT(convert)(to + whole * LEVEL_BYTES, in + whole, INT(lanes) + MFN_BLOCK - rest, r);
        }
    }
}

// rows x (vecs * LANES) outputs from pixel m and column n on; `w` is the panel.
INLINE void INT(tile)(const MfnProduct *p, const unsigned char *w, size_t m, size_t n,
                      const int rows, const int vecs) {
    VI acc[INT_TALL][3];
    const size_t wide = (size_t)vecs * LANES, line = p->a_px * LEVEL_BYTES;
    const size_t depth = (p->k + STEP - 1) / STEP;
    const float *bias = (const float *)(const void *)w, *slope = bias + wide;
    const float *weight = slope + wide;
    const unsigned char *a = p->levels + m * line;
    w += wide * MFN_INT_HEAD * sizeof(float);
    UNROLL for (int c = 0; c < vecs; c++) {
        VI start = istart(p, weight + wide + c * LANES, m);
        UNROLL for (int r = 0; r < rows; r++) acc[r][c] = start;
    }
    for (size_t k = 0; k < depth; k++, a += STEP * LEVEL_BYTES) {
        VI b[3];
        UNROLL for (int c = 0; c < vecs; c++) b[c] = iweights(w + c * LANES * STEP * WEIGHT_BYTES);
        w += wide * STEP * WEIGHT_BYTES;
        UNROLL for (int r = 0; r < rows; r++) {
            VI v = ilevels(a + (size_t)r * line);
            UNROLL for (int c = 0; c < vecs; c++) acc[r][c] = idot(acc[r][c], v, b[c]);
        }
    }
    const size_t at = m * p->out_px + n;
    UNROLL for (int c = 0; c < vecs; c++) {
        V b = vload(bias + c * LANES), s = vload(slope + c * LANES), t = vload(weight + c * LANES);
        UNROLL for (int r = 0; r < rows; r++) {
            const size_t to = at + (size_t)r * p->out_px + (size_t)c * LANES;
            V x = vfma(vmul(vifloat(acc[r][c]), vdup(p->scale + m + r)), t, b);
            if (p->act) x = NAME(prelu)(x, s);
            if (p->residual) x = vadd(x, vload(p->residual + to));
            vstore(p->out + to, x);
        }
    }
}

// The pixels from m to `end` of one panel.
INLINE void INT(tiles)(const MfnProduct *p, const unsigned char *w, size_t m, size_t end, size_t n,
                       const int rows, const int vecs) {
    for (; m + (size_t)rows <= end; m += (size_t)rows) INT(tile)(p, w, m, n, rows, vecs);
    if (rows > INT_SHORT)
        for (; m + INT_SHORT <= end; m += INT_SHORT) INT(tile)(p, w, m, n, INT_SHORT, vecs);
    for (; m + 2 <= end; m += 2) INT(tile)(p, w, m, n, 2, vecs);
    if (m < end) INT(tile)(p, w, m, n, 1, vecs);
}

INLINE void INT(panel_tiles)(const MfnProduct *p, const unsigned char *w, size_t n, const int rows,
                             const int vecs) {
    const size_t group = ZERO_APART ? p->group : p->m;
    for (size_t m = 0; m < p->m; m += group)
        INT(tiles)(p, w, m, p->m - m < group ? p->m : m + group, n, rows, vecs);
}

static void INT(product)(const MfnProduct *p) {
    const unsigned char *w = p->w;
    const size_t depth = (p->k + STEP - 1) / STEP;
    for (size_t n = 0; n < p->n;) {
        size_t wide = INT(panel)(p->n - n);
        if (wide == 3 * LANES)
            INT(panel_tiles)(p, w, n, INT_SHORT, 3);
        else if (wide == 2 * LANES)
            INT(panel_tiles)(p, w, n, INT_TALL, 2);
        else
            INT(panel_tiles)(p, w, n, INT_TALL, 1);
        w += wide * (MFN_INT_HEAD * sizeof(float) + depth * STEP * WEIGHT_BYTES);
        n += wide;
    }
}

static const MfnIntegers INT(set) = {
    .bits = BITS, .step = STEP, .weight_bytes = WEIGHT_BYTES, .level_bytes = LEVEL_BYTES,
    .panel = INT(panel), .quantise = INT(quantise), .product = INT(product),
};
