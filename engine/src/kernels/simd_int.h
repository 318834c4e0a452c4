// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Products in integers, written once over a row's vectors, after simd.h. The row's file defines
//   VI (LANES int32), vizero(), vidup, viload, vistore, viand, vimaxs, vimaxu (signed, unsigned),
//   vitops, vitopu (the largest lane), vifloat,
//   vmin0(x) (a float, or 0 where x > 0; x where it is NaN), vbf16 (LANES floats from bfloat16)
// and for each number of bits
//   INT(x), BITS, STEP, WEIGHT_BYTES, LEVEL_BYTES, LEVEL_OFFSET, INT_TALL, INT_SHORT (rows of a tile)
//   int_panel (the width of the next panel: 1, 2 or 3 vectors)
//   iweights(p) (a step's weights of LANES columns)
//   idot(sum, levels, weights)
//   istart(p, head, at, m) (where sums of the columns from `at` on begin, by pixel m's zero)
//   ZERO_APART (1: the start depends on the pixel's group)
//   INT(convert)(to, x, n, inverse, zero) (n floats, a multiple of MFN_BLOCK, to levels)
// and includes this file. Where sums are float32, it defines BF16, INT(quantise) and INT(scaled).

#ifndef BF16
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
        INT(convert)(to, in, run, vdup(&r.inverse), r.zero);
    }
}

// What a sum stands for.
INLINE V INT(scaled)(VI sum, V factor, V bias) { return vfma(vifloat(sum), factor, bias); }
#endif

// What a panel holds before its weights as tiles read it, and each column's sum of weights. It is made
// once for a panel and all its pixels; kept in memory it would be a tenth of the weights.
typedef struct INT(Head) {
    float bias[3 * LANES], bend[3 * LANES], scale[3 * LANES];
    int32_t sum[3 * LANES];
} INT(Head);

// Not inlined: a compiler that sees the values keeps them in registers, which the sums need.
static __attribute__((noinline)) void INT(read_head)(INT(Head) *head, const MfnProduct *p,
                                                     const unsigned char *w, size_t wide) {
    const float less = -1;
    const float *bias = (const float *)(const void *)w;
    const uint16_t *scale = (const uint16_t *)(const void *)(bias + wide), *slope = scale + wide;
    w += wide * MFN_INT_HEAD;
    for (size_t c = 0; c < wide; c += LANES, w += LANES * STEP * WEIGHT_BYTES) {
        vstore(head->bias + c, vload(bias + c));
        vstore(head->bend + c, vadd(vbf16(slope + c), vdup(&less)));
        vstore(head->scale + c, vbf16(scale + c));
        VI sum = vizero();
        for (size_t k = 0; ZERO_APART && k < p->k; k += STEP)
            sum = idot(sum, vidup(0x01010101), iweights(w + k * wide * WEIGHT_BYTES));
        vistore(head->sum + c, sum);
    }
}

// What follows the sums, as in simd.h. `px` is a value of its own: a store could change p's.
INLINE void INT(finish)(const MfnProduct *p, const float *bend, size_t at, V x[INT_TALL][3],
                        const int rows, const int vecs) {
    const size_t px = p->out_px;
    if (p->act) {
        UNROLL for (int c = 0; c < vecs; c++) {
            V s = vload(bend + c * LANES);
            UNROLL for (int r = 0; r < rows; r++) x[r][c] = vfma(vmin0(x[r][c]), s, x[r][c]);
        }
    }
    if (p->residual) {
        const float *from = p->residual + at;
        UNROLL for (int r = 0; r < rows; r++, from += px) {
            UNROLL for (int c = 0; c < vecs; c++) x[r][c] = vadd(x[r][c], vload(from + c * LANES));
        }
    }
    float *to = p->out + at;
    UNROLL for (int r = 0; r < rows; r++, to += px) {
        UNROLL for (int c = 0; c < vecs; c++) vstore(to + c * LANES, x[r][c]);
    }
}

// The sums times their scales, and the bias. `one`: the pixels are of one group, so a column has one
// factor; it is the same product as each pixel's own.
INLINE void INT(outputs)(const INT(Head) *head, const float *scale, VI acc[INT_TALL][3],
                         V x[INT_TALL][3], const int rows, const int vecs, const bool one) {
    UNROLL for (int c = 0; c < vecs; c++) {
        V b = vload(head->bias + c * LANES), t = vload(head->scale + c * LANES);
        V factor = vmul(vdup(scale), t);
        UNROLL for (int r = 0; r < rows; r++) {
            if (!one) factor = vmul(vdup(scale + r), t);
            x[r][c] = INT(scaled)(acc[r][c], factor, b);
        }
    }
}

// rows x (vecs * LANES) outputs from pixel m and column n on; `w` are the panel's weights, `one` as
// above.
INLINE void INT(tile)(const MfnProduct *p, const INT(Head) *head, const unsigned char *w, size_t m,
                      size_t n, bool one, const int rows, const int vecs, const bool taps) {
    VI acc[INT_TALL][3];
    const size_t wide = (size_t)vecs * LANES, line = p->a_px * LEVEL_BYTES;
    const size_t depth = (p->k + STEP - 1) / STEP;
    const unsigned char *a = p->levels + m * line;
    UNROLL for (int c = 0; c < vecs; c++) {
        VI start = istart(p, head, c * LANES, m);
        UNROLL for (int r = 0; r < rows; r++) acc[r][c] = start;
        if (ZERO_APART && !one)
            UNROLL for (int r = 1; r < rows; r++)
                acc[r][c] = istart(p, head, c * LANES, m + (size_t)r);
    }
    for (size_t k = 0; k < depth; k++, a += taps ? 0 : STEP * LEVEL_BYTES) {
        const unsigned char *x = taps ? a + (size_t)p->taps[k] * LEVEL_BYTES : a;
        // Not an array: clang would keep one of a single vector in memory.
        const size_t next = LANES * STEP * WEIGHT_BYTES;
        const VI b0 = iweights(w), b1 = vecs > 1 ? iweights(w + next) : b0;
        const VI b2 = vecs > 2 ? iweights(w + 2 * next) : b0;
        w += wide * STEP * WEIGHT_BYTES;
        UNROLL for (int r = 0; r < rows; r++) {
            int32_t step;
            memcpy(&step, x + (size_t)r * line, sizeof step);
            VI v = vidup(step);
            acc[r][0] = idot(acc[r][0], v, b0);
            if (vecs > 1) acc[r][1] = idot(acc[r][1], v, b1);
            if (vecs > 2) acc[r][2] = idot(acc[r][2], v, b2);
        }
    }
    V x[INT_TALL][3];
    if (one)
        INT(outputs)(head, p->scale + (taps ? 0 : m), acc, x, rows, vecs, true);
    else
        INT(outputs)(head, p->scale + m, acc, x, rows, vecs, false);
    INT(finish)(p, head->bend, m * p->out_px + n, x, rows, vecs);
}

// All pixels of one panel, with taps. A last tile that would stick out starts earlier, as in simd.h.
INLINE void INT(taps_tiles)(const MfnProduct *p, const INT(Head) *head, const unsigned char *w,
                            size_t n, const int rows, const int vecs) {
    const size_t tall = (size_t)rows;
    if (p->m < tall) {
        for (size_t m = 0; m < p->m; m++) INT(tile)(p, head, w, m, n, true, 1, vecs, true);
        return;
    }
    for (size_t m = 0; m < p->m; m += tall) {
        const size_t at = m + tall <= p->m ? m : p->m - tall;
#ifndef MFN_NO_ASM
        // A compiler that sees the same head each time keeps it in registers, which the sums need.
        __asm__("" : "+r"(head));
#endif
        INT(tile)(p, head, w, at, n, true, rows, vecs, true);
    }
}

// All pixels of one panel. `end` is where m's group ends.
INLINE void INT(panel_tiles)(const MfnProduct *p, const unsigned char *w, size_t n, const int rows,
                             const int vecs, const bool taps) {
    size_t m = 0, end = p->group;
    INT(Head) head;
    INT(read_head)(&head, p, w, (size_t)vecs * LANES);
    w += (size_t)vecs * LANES * MFN_INT_HEAD;
    if (taps) {
        INT(taps_tiles)(p, &head, w, n, rows, vecs);
        return;
    }
#define INT_TILES(height)                                                              \
    for (; m + (size_t)(height) <= p->m; m += (size_t)(height)) {                      \
        while (end <= m) end += p->group;                                              \
        INT(tile)(p, &head, w, m, n, m + (size_t)(height) <= end, height, vecs, false); \
    }
    INT_TILES(rows)
    if (rows > INT_SHORT) INT_TILES(INT_SHORT)
    INT_TILES(2)
    INT_TILES(1)
#undef INT_TILES
}

INLINE void INT(panels)(const MfnProduct *p, const bool taps) {
    const unsigned char *w = p->w;
    const size_t depth = (p->k + STEP - 1) / STEP;
    for (size_t n = 0; n < p->n;) {
        size_t wide = INT(panel)(p->n - n);
        if (wide == 3 * LANES)
            INT(panel_tiles)(p, w, n, INT_SHORT, 3, taps);
        else if (wide == 2 * LANES)
            INT(panel_tiles)(p, w, n, INT_TALL, 2, taps);
        else
            INT(panel_tiles)(p, w, n, INT_TALL, 1, taps);
        w += wide * (MFN_INT_HEAD + depth * STEP * WEIGHT_BYTES);
        n += wide;
    }
}

static void INT(product)(const MfnProduct *p) {
#if BITS == 16 && !defined(BF16)
    if (p->taps) {
        INT(panels)(p, true);
        return;
    }
#endif
    INT(panels)(p, false);
}

static const MfnIntegers INT(set) = {
#ifdef BF16
    .bf16 = true,
#endif
    .bits = BITS, .offset = LEVEL_OFFSET, .step = STEP, .weight_bytes = WEIGHT_BYTES, .level_bytes = LEVEL_BYTES,
    .panel = INT(panel), .quantise = INT(quantise), .product = INT(product),
};
