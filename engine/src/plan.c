// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Sizes the bands and lays out the scratch arena, once at load.
#include "platform.h"

#include <stdlib.h>

#include "cursor.h"
#include "engine.h"

// A step's producer rows and depthwise rows should stay in the L2 cache with the step's weights.
#ifndef MFN_BAND_BYTES
#define MFN_BAND_BYTES (160 * 1024)
#endif

static uint64_t padded(uint32_t channels) { return mfn_round_up(channels, MFN_BLOCK); }

// Producer rows needed to make `band` depthwise rows of a 3x3 window.
static uint32_t ring_rows(uint32_t band, const MfnLayer *dw) {
    uint32_t rows = (band - 1) * dw->stride + 3;
    return rows < dw->side_in ? rows : dw->side_in;
}

static void size_chain(const MfnImpl *im, MfnChain *c, bool whole) {
    const MfnLayer *dw = &im->layers[c->first + 1];
    uint64_t px = padded(dw->c_in) * sizeof(float);
    uint32_t band = dw->side_out;
    while (!whole && band > 1 &&
           px * ((uint64_t)ring_rows(band, dw) * dw->side_in +
                 (c->projects ? (uint64_t)band * dw->side_out : 0)) > MFN_BAND_BYTES)
        band--;
    // Equal bands: 28 rows in steps of at most 13 are 3 steps of 10, not 13 + 13 + 2.
    uint32_t steps = (dw->side_out + band - 1) / band;
    c->band = (dw->side_out + steps - 1) / steps;
    c->ring = whole ? dw->side_in : ring_rows(c->band, dw);
}

static void at_least(uint64_t *v, uint64_t floor) {
    if (*v < floor) *v = floor;
}

// Room for the levels of `pixels` pixels that a layer takes at once, where it runs in integers.
static void size_levels(const MfnImpl *im, const MfnLayer *l, uint64_t pixels, uint64_t *levels,
                        uint64_t *scales) {
    const MfnIntegers *set = mfn_integers_of(im, l);
    if (!set) return;
    at_least(levels, pixels * padded(l->c_in) * set->level_bytes / sizeof(float));
    at_least(scales, pixels);
}

int mfn_plan_make(const MfnImpl *im, bool whole, MfnPlan *p) {
    const MfnLayer *l = im->layers, *last = &l[im->n_layers - 3];
    p->n_chains = 1 + (im->n_layers - 5) / 3;
    p->chains = calloc((size_t)p->n_chains, sizeof *p->chains);
    if (!p->chains) return MFN_E_NOMEM;
    uint64_t zero = 0, rows = 0, wide = 0, narrow = 0, plane[2] = {0, 0}, taps = 0, levels = 0, scales = 0;
    for (int i = 0; i < p->n_chains; i++) {
        MfnChain *c = &p->chains[i];
        c->first = i == 0 ? 0 : 2 + 3 * (i - 1);
        c->projects = i > 0;
        size_chain(im, c, whole);
        const MfnLayer *dw = &l[c->first + 1], *out = c->projects ? dw + 1 : dw;
        uint64_t px = padded(dw->c_in);
        if (mfn_is_narrow(im, dw)) at_least(&taps, px * 11);
        at_least(&zero, px * dw->side_in);
        at_least(&rows, ((uint64_t)c->band - 1) * dw->stride + 3);
        at_least(&wide, px * dw->side_in * c->ring);
        if (c->projects) {
            bool few = !whole && c->band > MFN_LEVEL_ROWS && mfn_integers_of(im, dw + 1);
            at_least(&narrow, px * dw->side_out * (few ? MFN_LEVEL_ROWS : c->band));
            size_levels(im, dw - 1, (uint64_t)dw->side_in * c->ring, &levels, &scales);
            size_levels(im, dw + 1, (uint64_t)dw->side_out * c->band, &levels, &scales);
        }
        at_least(&plane[i % 2], padded(out->c_out) * out->side_out * out->side_out);
    }
    at_least(&wide, padded(last->c_out) * last->side_out * last->side_out);
    size_levels(im, last, (uint64_t)last->side_out * last->side_out, &levels, &scales);
    size_levels(im, last + 2, 1, &levels, &scales);
    if (mfn_is_narrow(im, last + 1)) {
        const uint64_t most = padded(last->c_out), few = MFN_POOL_CHANNELS;
        at_least(&taps, (uint64_t)(most < few ? most : few) * (last->side_out * last->side_out + 1));
    }
    // A pointer takes at most the space of two floats.
    rows = mfn_round_up((size_t)rows * 2, MFN_BLOCK);
    uint64_t side = MFN_INPUT_PADDED_SIDE;
    uint64_t input = side * im->arch.stem_kernel * MFN_FMT_INPUT_CHANNELS;
    uint64_t vector = padded(last->c_out) + padded(im->arch.embedding_dim) + 128;
    const uint64_t sizes[] = {zero,     input,  rows,   wide,   narrow, plane[0],
                              plane[1], vector, taps,   levels, scales, scales};
    size_t *const offsets[] = {&p->zero,     &p->input,  &p->rows,   &p->wide,   &p->narrow, &p->plane[0],
                               &p->plane[1], &p->vector, &p->taps,   &p->levels, &p->scales, &p->zeros};
    uint64_t total = 0;
    for (int i = 0; i < 12; i++) {
        *offsets[i] = (size_t)total;
        // A line of distance: a store beyond one buffer's last pixel cannot slow the next one.
        uint64_t size = (sizes[i] + 2 * MFN_BLOCK - 1) / MFN_BLOCK * MFN_BLOCK;
        if (!mfn_add64(total, size, &total) || total > SIZE_MAX / 8) return MFN_E_TOO_LARGE;
    }
    p->total = (size_t)total;
    return MFN_OK;
}

int mfn_taps_make(MfnImpl *im) {
    uint32_t k = im->arch.stem_kernel, wide = MFN_INPUT_PADDED_SIDE, ch = MFN_FMT_INPUT_CHANNELS;
    size_t n = (size_t)k * k * ch;
    im->taps_chw = malloc(n * sizeof(int32_t));
    im->taps_hwc = malloc(n * sizeof(int32_t));
    if (!im->taps_chw || !im->taps_hwc) return MFN_E_NOMEM;
    size_t i = 0;
    for (uint32_t c = 0; c < ch; c++)
        for (uint32_t y = 0; y < k; y++)
            for (uint32_t x = 0; x < k; x++, i++) {
                im->taps_chw[i] = (int32_t)((y * ch + c) * wide + x);
                im->taps_hwc[i] = (int32_t)((y * wide + x) * ch + c);
            }
    return MFN_OK;
}
