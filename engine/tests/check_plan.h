// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The verb plan of check_engine.c: bands and working memory of networks of all sizes, of which no
// file is needed. Each buffer has room for what forward.c writes there, and little more.
#ifndef CHECK_PLAN_H
#define CHECK_PLAN_H
#include "check_tools.h"

enum { CACHE = 160 * 1024, LAYERS = 2 + 3 * 3 + 3 };

static uint64_t widened(uint32_t channels) { return ((uint64_t)channels + MFN_BLOCK - 1) / MFN_BLOCK * MFN_BLOCK; }

static uint64_t greater(uint64_t a, uint64_t b) { return a > b ? a : b; }

static uint64_t ring_of(uint64_t band, const MfnLayer *dw) {
    const uint64_t rows = (band - 1) * dw->stride + 3;
    return rows < dw->side_in ? rows : dw->side_in;
}

// The most rows that stay in the cache, at least one, in steps as equal as can be.
static void band_holds(const MfnChain *c, const MfnLayer *dw, bool whole) {
    uint64_t most = 1;
    for (uint64_t band = 1; band <= dw->side_out; band++) {
        const uint64_t floats = ring_of(band, dw) * dw->side_in + (c->projects ? band * dw->side_out : 0);
        if (whole || widened(dw->c_in) * 4 * floats <= CACHE) most = band;
    }
    const uint64_t steps = (dw->side_out + most - 1) / most;
    CHECK(c->band == (dw->side_out + steps - 1) / steps);
    CHECK(c->ring == (whole ? dw->side_in : ring_of(c->band, dw)));
}

// Levels and scales of so many pixels at once, where the layer runs in integers.
static void levels_of(const MfnImpl *im, const MfnLayer *l, uint64_t pixel_count, uint64_t need[2]) {
    const MfnIntegers *set = mfn_integers_of(im, l);
    if (!set) return;
    need[0] = greater(need[0], (pixel_count * widened(l->c_in) * set->level_bytes + 3) / 4);
    need[1] = greater(need[1], pixel_count);
}

static void plan_holds(const MfnImpl *im, bool whole) {
    MfnPlan p;
    memset(&p, 0xa5, sizeof p);
    CHECK(mfn_plan_make(im, whole, &p) == MFN_OK);
    const MfnLayer *l = im->layers, *conv = &l[im->n_layers - 3];
    CHECK(p.n_chains == 1 + (im->n_layers - 5) / 3);
    uint64_t zero = 0, rows = 0, wide = 0, narrow = 0, plane[2] = {0, 0}, taps = 0, levels[2] = {0, 0};
    for (int i = 0; i < p.n_chains; i++) {
        const MfnChain *c = &p.chains[i];
        const MfnLayer *dw = &l[i ? 3 * i : 1], *out = i ? dw + 1 : dw;
        CHECK(c->first == (i ? 3 * i - 1 : 0) && c->projects == (i > 0));
        band_holds(c, dw, whole);
        const uint64_t px = widened(dw->c_in), row = px * dw->side_in;
        zero = greater(zero, row), wide = greater(wide, row * c->ring);
        rows = greater(rows, 2 * ((uint64_t)(c->band - 1) * dw->stride + 3));
        plane[i % 2] = greater(plane[i % 2], widened(out->c_out) * out->side_out * out->side_out);
        if (mfn_is_narrow(im, dw)) taps = greater(taps, px * (9 + 2));
        if (i == 0) continue;
        const bool few = !whole && mfn_integers_of(im, out) && c->band > MFN_LEVEL_ROWS;
        narrow = greater(narrow, px * dw->side_out * (few ? MFN_LEVEL_ROWS : c->band));
        levels_of(im, dw - 1, (uint64_t)dw->side_in * c->ring, levels);
        levels_of(im, out, (uint64_t)dw->side_out * c->band, levels);
    }
    const uint64_t area = (uint64_t)conv->side_out * conv->side_out, px = widened(conv->c_out);
    wide = greater(wide, px * area);
    levels_of(im, conv, area, levels);
    levels_of(im, conv + 2, 1, levels);
    if (mfn_is_narrow(im, conv + 1))
        taps = greater(taps, (px < MFN_POOL_CHANNELS ? px : MFN_POOL_CHANNELS) * (area + 1));
    const uint64_t input_floats = (uint64_t)MFN_INPUT_PADDED_SIDE * im->arch.stem_kernel * 3;
    const uint64_t vector = px + widened(im->arch.embedding_dim) + 128;
    const uint64_t need[] = {zero, input_floats, rows, wide, narrow, plane[0], plane[1], vector, taps,
                             levels[0], levels[1], levels[1]};
    const size_t at[] = {p.zero, p.input, p.rows, p.wide, p.narrow, p.plane[0], p.plane[1],
                         p.vector, p.taps, p.levels, p.scales, p.zeros, p.total};
    CHECK(at[0] == 0);
    for (int i = 0; i < 12; i++) {
        CHECK(at[i] % MFN_BLOCK == 0 && at[i + 1] - at[i] >= need[i]);
        CHECK(at[i + 1] - at[i] < need[i] + 3 * MFN_BLOCK);
    }
    free(p.chains);
}

static void plans_hold(MfnImpl *im) {
    static const int precisions[] = {MFN_F32, MFN_HIGH, MFN_FAST};
    for (int i = 0; i < 3; i++) {
        im->precision = precisions[i];
        plan_holds(im, false), plan_holds(im, true);
    }
}

// What no file asks for: sums that are about to wrap, or do.
static void beyond(MfnImpl *im, MfnLayer *l) {
    const uint64_t most = SIZE_MAX / 8;
    im->precision = MFN_F32;
    MfnLayer *conv = &l[im->n_layers - 3];
    const MfnLayer kept = *conv;
    MfnPlan p;
    // 2^31 * 32000^2 is less than 2^61, and more than a ninth of the address space.
    conv->c_out = UINT32_C(1) << 31, conv->side_out = 32000;
    if (most >> 60) CHECK(mfn_plan_make(im, false, &p) == MFN_OK && (free(p.chains), true));
    conv->side_out = 32768;
    CHECK(mfn_plan_make(im, false, &p) == MFN_E_TOO_LARGE);
    free(p.chains);
    *conv = kept;
    // Nearly 2^64 behind 2^48: their sum wraps to about 2^48.
    MfnLayer *dw = &l[1];
    const MfnLayer old = *dw;
    dw->c_in = dw->c_out = UINT32_MAX - MFN_BLOCK, dw->side_in = dw->side_out = 65536;
    CHECK(mfn_plan_make(im, false, &p) == MFN_E_TOO_LARGE);
    free(p.chains);
    *dw = old;
}

static void taps_hold(MfnImpl *im) {
    const int k = (int)im->arch.stem_kernel, wide = MFN_INPUT_PADDED_SIDE;
    CHECK(mfn_taps_make(im) == MFN_OK);
    for (int i = 0; i < 3 * k * k; i++) {
        const int c = i / (k * k), y = i / k % k, x = i % k;
        CHECK(im->taps_chw[i] == (y * 3 + c) * wide + x && im->taps_hwc[i] == (y * wide + x) * 3 + c);
    }
    free(im->taps_chw), free(im->taps_hwc);
    for (int i = 0; i < 2; i++) {
        budget = i;
        CHECK(mfn_taps_make(im) == MFN_E_NOMEM);
        budget = -1;
        free(im->taps_chw), free(im->taps_hwc);
    }
    im->taps_chw = im->taps_hwc = NULL;
}

static void plan(const unsigned char *data, size_t size) {
    (void)data, (void)size;
    static MfnImpl im;
    static MfnLayer layers[LAYERS];
    static const char *const isas[] = {"scalar", NULL};
    static const uint32_t channels[][4] = {{3, 2, 5, 3}, {16, 40, 80, 512}, {64, 90, 900, 40}, {17, 300, 33, 9}};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 4; k++) {
            const uint32_t *c = channels[k];
            im.arch = (MfnArch){.n_stages = 2, .stem_kernel = 1 + 2 * (uint32_t)k, .stem_stride = 1 + (uint32_t)k % 3,
                                .stem_channels = c[0], .block_channels = c[1], .final_channels = c[2],
                                .embedding_dim = c[3], .t = {4, 2}, .n = {2, 1}, .s = {2 + (uint32_t)k / 2 * 2, 3}};
            im.arch.gdc_kernel = mfn_network_last_side(&im.arch);
            im.layers = layers, im.n_layers = mfn_network_layers(&im.arch, layers);
            CHECK(im.n_layers == LAYERS && mfn_isa_resolve(isas[i], &im.kernels) >= 0);
            plans_hold(&im);
            taps_hold(&im);
            beyond(&im, layers);
            // Maps of every side.
            for (uint32_t side = 1; side < 170; side++)
                for (int chain = 0; chain < 2; chain++) {
                    MfnLayer *dw = &layers[chain ? 3 : 1];
                    const MfnLayer old = *dw;
                    dw->side_in = side, dw->side_out = (side - 1) / dw->stride + 1;
                    im.precision = MFN_F32;
                    plan_holds(&im, false), plan_holds(&im, side % 2);
                    *dw = old;
                }
        }
    printf("plan: room for all that is written\n");
}

#endif
