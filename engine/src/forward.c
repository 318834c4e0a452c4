// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// One forward pass. Each chain runs in bands of rows: the producer fills a ring of rows, the
// depthwise layer reads it, the projection follows at once, so a wide map is never stored whole.
#include "platform.h"

#include <math.h>
#include <string.h>

#include "engine.h"

typedef struct Pass {
    const MfnImpl *im;
    const MfnPlan *plan;
    float *scratch;
    const unsigned char *chw;
    const uint8_t *hwc;
    MfnHook *hook;
} Pass;

static size_t px_of(uint32_t channels) { return mfn_round_up(channels, MFN_BLOCK); }

static void report(const Pass *p, int layer, const float *map) {
    if (p->hook) p->hook->after(p->hook, layer, map, px_of(p->im->layers[layer].c_out));
}

// The stem window's input rows for one output row, padded left and right with zeros: float planes
// as rows [ky][c][x], bytes as rows [ky][x][c]. Where the picture is turned, rows are taken from the
// bottom and reversed. The stem of pixels has its levels in the same place.
static void load_input_rows(const Pass *p, uint32_t y, float *rows) {
    const MfnLayer *stem = &p->im->layers[0];
    const size_t side = MFN_FMT_INPUT_SIDE, ch = MFN_FMT_INPUT_CHANNELS;
    const size_t wide = MFN_INPUT_PADDED_SIDE;
    const bool turned = mfn_turns(p->im) == 1;
    for (uint32_t k = 0; k < stem->kernel; k++) {
        float *row = rows + k * ch * wide;
        int64_t from = (int64_t)y * stem->stride + k - stem->pad;
        if (turned) from = (int64_t)side - 1 - from;
        if (from < 0 || from >= (int64_t)side) {
            memset(row, 0, ch * wide * sizeof(float));
        } else if (p->hwc) {
            float *to = row + stem->pad * ch;
            memset(row, 0, stem->pad * ch * sizeof(float));
            p->im->kernels.u8(p->hwc + (size_t)from * side * ch, to, side * ch);
            if (turned) mfn_reverse(to, to, side, ch * sizeof(float));
            memset(to + side * ch, 0, (wide - side - stem->pad) * ch * sizeof(float));
        } else {
            for (size_t c = 0; c < ch; c++, row += wide) {
                memset(row, 0, stem->pad * sizeof(float));
                memcpy(row + stem->pad, p->chw + (c * side + (size_t)from) * side * sizeof(float),
                       side * sizeof(float));
                if (turned) mfn_reverse(row + stem->pad, row + stem->pad, side, sizeof(float));
                memset(row + stem->pad + side, 0, (wide - side - stem->pad) * sizeof(float));
            }
        }
    }
}

static MfnGemm gemm_of(const Pass *p, int layer, const float *a, float *out, size_t m) {
    const MfnLayer *l = &p->im->layers[layer];
    MfnGemm g = {.a = a, .w = p->im->weights + p->im->packed[layer], .out = out, .m = m};
    g.k = l->c_in, g.n = l->c_out, g.act = l->act;
    g.a_px = px_of(l->c_in), g.out_px = px_of(l->c_out);
    return g;
}

// Makes levels of `m` pixels, `group` on a map's row, as the layer's input from pixel `at` on.
static void quantise(const Pass *p, int layer, const float *in, size_t at, size_t m, size_t group) {
    const MfnIntegers *set = mfn_integers_of(p->im, &p->im->layers[layer]);
    MfnQuantise q = {.in = in, .m = m, .group = group, .channels = p->im->layers[layer].c_in};
    q.px = px_of(p->im->layers[layer].c_in);
    q.levels = (unsigned char *)(void *)(p->scratch + p->plan->levels) + at * q.px * set->level_bytes;
    q.scale = p->scratch + p->plan->scales + at;
    q.zero = (int32_t *)(void *)(p->scratch + p->plan->zeros) + at;
    set->quantise(&q);
}

// out = act(in * w) + residual for `m` pixels of a pointwise layer, `group` on a map's row. A layer
// that runs in integers takes its levels, where `in` is NULL.
static void pointwise(const Pass *p, int layer, const float *in, size_t m, size_t group,
                      const float *residual, float *out) {
    const MfnLayer *l = &p->im->layers[layer];
    const MfnIntegers *set = mfn_integers_of(p->im, l);
    MfnGemm g = gemm_of(p, layer, in, out, m);
    g.residual = residual;
    if (!set) {
        (l->kind == MFN_EMBED ? p->im->kernels.fc : p->im->kernels.gemm)(&g);
        return;
    }
    if (in) quantise(p, layer, in, 0, m, group);
    MfnProduct i = {.w = (const unsigned char *)(const void *)g.w, .m = m, .group = group};
    i.levels = (const unsigned char *)(const void *)(p->scratch + p->plan->levels);
    i.scale = p->scratch + p->plan->scales;
    i.zero = (const int32_t *)(const void *)(p->scratch + p->plan->zeros);
    i.residual = residual, i.out = out, i.act = g.act;
    i.k = g.k, i.n = g.n, i.a_px = g.a_px, i.out_px = g.out_px;
    set->product(&i);
}

// A depthwise layer's weights from channel `at` on, a multiple of MFN_BLOCK, as the kernels take them.
static const float *taps_of(const Pass *p, int layer, size_t at, size_t channels) {
    const MfnLayer *l = &p->im->layers[layer];
    const float *w = p->im->weights + p->im->packed[layer];
    const size_t area = (size_t)l->kernel * l->kernel;
    if (!mfn_is_narrow(p->im, l)) return w + at * (area + (l->act ? 2 : 1));
    MfnWiden n = {.out = p->scratch + p->plan->taps, .channels = channels, .area = area};
    n.w = (const unsigned char *)(const void *)w + at / MFN_BLOCK * mfn_narrow_block(area, l->act);
    n.slopes = l->act;
    p->im->kernels.widen(&n);
    return n.out;
}

static void produce_stem(const Pass *p, uint32_t from, uint32_t to, uint32_t ring, float *out) {
    const MfnLayer *l = &p->im->layers[0];
    float *rows = p->scratch + p->plan->input;
    for (uint32_t y = from; y < to; y++) {
        float *row = out + y % ring * l->side_out * px_of(l->c_out);
        if (p->hwc && p->im->taps_levels) {
            mfn_stem_row(p->im, p->hwc, y, (int16_t *)(void *)rows, row);
            continue;
        }
        load_input_rows(p, y, rows);
        MfnGemm g = gemm_of(p, 0, rows, row, l->side_out);
        g.taps = p->hwc ? p->im->taps_hwc : p->im->taps_chw;
        g.k = (size_t)MFN_FMT_INPUT_CHANNELS * l->kernel * l->kernel;
        g.a_px = p->hwc ? l->stride * MFN_FMT_INPUT_CHANNELS : l->stride;
        p->im->kernels.gemm(&g);
    }
}

// Rows that are contiguous in the ring are computed in one product.
static void produce_expand(const Pass *p, int layer, const float *in, uint32_t from, uint32_t to,
                           uint32_t ring, float *out) {
    const MfnLayer *l = &p->im->layers[layer];
    size_t side = l->side_out;
    while (from < to) {
        uint32_t slot = from % ring, n = to - from < ring - slot ? to - from : ring - slot;
        pointwise(p, layer, in + from * side * px_of(l->c_in), n * side, side, NULL,
                  out + slot * side * px_of(l->c_out));
        from += n;
    }
}

static void run_chain(const Pass *p, const MfnChain *c, const float *in, float *out) {
    const MfnLayer *dw = &p->im->layers[c->first + 1];
    float *ring = p->scratch + p->plan->wide, *narrow = p->scratch + p->plan->narrow;
    const float **rows = (const float **)(void *)(p->scratch + p->plan->rows);
    size_t px = px_of(dw->c_in), row_floats = px * dw->side_in;
    const float *taps = taps_of(p, c->first + 1, 0, dw->c_in);
    const bool whole = p->plan == &p->im->whole;
    uint32_t made = 0;
    for (uint32_t y = 0; y < dw->side_out; y += c->band) {
        uint32_t n = dw->side_out - y < c->band ? dw->side_out - y : c->band;
        uint32_t need = (y + n - 1) * dw->stride + 2;
        // A stride above 2 leaves the last rows unread; a trace shows them all the same.
        if (need > dw->side_in || (whole && y + n == dw->side_out)) need = dw->side_in;
        if (c->projects)
            produce_expand(p, c->first, in, made, need, c->ring, ring);
        else
            produce_stem(p, made, need, c->ring, ring);
        made = need;
        if (p->hook) report(p, c->first, ring);
        for (uint32_t i = 0; i < (n - 1) * dw->stride + 3; i++) {
            int64_t r = (int64_t)y * dw->stride + i - 1;
            rows[i] = r < 0 || r >= (int64_t)dw->side_in ? p->scratch + p->plan->zero
                                                         : ring + (size_t)r % c->ring * row_floats;
        }
        size_t done = (size_t)y * dw->side_out;
        MfnDw d = {.rows = rows, .channels = dw->c_in, .px = px, .w_in = dw->side_in};
        d.w = taps;
        d.out = c->projects ? narrow : out + done * px;
        d.w_out = dw->side_out, d.stride = dw->stride;
        // A few rows at a time become levels while they are in the L1 cache; a trace sees them all.
        const bool integers = c->projects && mfn_integers_of(p->im, dw + 1);
        const uint32_t few = integers && !whole ? MFN_LEVEL_ROWS : n;
        for (uint32_t r = 0; r < n; r += few, d.rows += few * d.stride) {
            d.n_rows = n - r < few ? n - r : few;
            p->im->kernels.dw3(&d);
            if (integers)
                quantise(p, c->first + 2, narrow, (size_t)r * d.w_out, d.n_rows * d.w_out, d.w_out);
        }
        if (p->hook) report(p, c->first + 1, d.out);
        if (!c->projects) continue;
        const MfnLayer *project = dw + 1;
        size_t out_px = px_of(project->c_out);
        pointwise(p, c->first + 2, integers ? NULL : narrow, n * dw->side_out, dw->side_out,
                  project->residual ? in + done * out_px : NULL, out + done * out_px);
        if (p->hook) report(p, c->first + 2, out);
    }
}

// Divides by the L2 norm, or by the format's floor for it. A NaN stays a NaN.
static void normalise(const float *v, size_t n, unsigned char *out) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)v[i] * v[i];
    double norm = sqrt(sum), scale = 1.0 / (norm < MFN_FMT_L2_EPS ? MFN_FMT_L2_EPS : norm);
    for (size_t i = 0; i < n; i++) {
        float x = (float)(v[i] * scale);
        memcpy(out + i * sizeof x, &x, sizeof x);
    }
}

void mfn_forward_one(const MfnImpl *im, const MfnPlan *plan, float *scratch, const void *chw,
                     const uint8_t *hwc, void *embedding, MfnHook *hook) {
    Pass p = {im, plan, scratch, chw, hwc, hook};
    const float *in = NULL;
    for (int i = 0; i < plan->n_chains; i++) {
        float *out = scratch + plan->plane[i % 2];
        run_chain(&p, &plan->chains[i], in, out);
        in = out;
    }
    int last = im->n_layers - 3;
    const MfnLayer *conv = &im->layers[last];
    size_t pixels = (size_t)conv->side_out * conv->side_out;
    float *map = scratch + plan->wide, *pooled = scratch + plan->vector;
    float *raw = pooled + px_of(conv->c_out);
    pointwise(&p, last, in, pixels, conv->side_out, NULL, map);
    report(&p, last, map);
    const size_t few = mfn_is_narrow(im, conv + 1) ? MFN_POOL_CHANNELS : conv->c_out;
    for (size_t c = 0; c < conv->c_out; c += few) {
        MfnGdc d = {.in = map + c, .out = pooled + c, .px = px_of(conv->c_out), .pixels = pixels};
        d.channels = conv->c_out - c < few ? conv->c_out - c : few;
        d.w = taps_of(&p, last + 1, c, d.channels);
        im->kernels.gdc(&d);
    }
    report(&p, last + 1, pooled);
    pointwise(&p, last + 2, pooled, 1, 1, NULL, raw);
    report(&p, last + 2, raw);
    normalise(raw, im->arch.embedding_dim, embedding);
}
