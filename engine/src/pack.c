// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Folds BatchNorm into the convolutions, in double, and lays the weights out for the chosen
// kernels. A conversion to float that is out of range gives an infinity, as IEEE 754 has it (C11,
// annex F). Runs on a verified image, so a cursor read cannot fail here.
#include "platform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "engine.h"
#include "loader.h"

typedef size_t (*PanelFn)(size_t);

static size_t gemm_floats(PanelFn panel, size_t k, size_t n) {
    size_t total = 0;
    for (size_t at = 0; at < n;) {
        size_t wide = panel(n - at);
        total += wide * (k + 2);
        at += wide;
    }
    return mfn_round_up(total, MFN_BLOCK);
}

size_t mfn_pack_floats(const MfnImpl *im, const MfnLayer *l) {
    size_t area = (size_t)l->kernel * l->kernel;
    size_t wide = mfn_round_up(l->c_out, MFN_BLOCK);
    const MfnIntegers *set = mfn_integers_of(im, l);
    if (set && l->kind != MFN_STEM)
        return mfn_round_up(mfn_integers_bytes(set, l->c_in, l->c_out), MFN_ALIGN) / sizeof(float);
    if (mfn_is_narrow(im, l))
        return mfn_round_up(wide / MFN_BLOCK * mfn_narrow_block(area, l->act), MFN_ALIGN) / sizeof(float);
    switch (l->kind) {
    case MFN_DW: return wide * (area + 2);
    case MFN_GDC: return wide * (area + 1);
    case MFN_EMBED: return gemm_floats(im->kernels.fc_panel, l->c_in, l->c_out);
    default:
        // The stem takes floats too, whatever the precision: both packings are kept.
        return gemm_floats(im->kernels.panel, l->c_in * area, l->c_out) +
               (set ? mfn_stem_floats(set, l) : 0);
    }
}

int mfn_pack_layout(MfnImpl *im) {
    im->weight_floats = 0;
    im->packed = calloc((size_t)im->n_layers, sizeof *im->packed);
    if (!im->packed) return MFN_E_NOMEM;
    for (int i = 0; i < im->n_layers; i++) {
        im->packed[i] = im->weight_floats;
        im->weight_floats += mfn_pack_floats(im, &im->layers[i]);
    }
    const MfnIntegers *stem = mfn_integers_of(im, im->layers);
    if (stem) im->stem_levels = mfn_pack_floats(im, im->layers) - mfn_stem_floats(stem, im->layers);
    im->weights = mfn_arena_new(im->weight_floats);
    return im->weights ? MFN_OK : MFN_E_NOMEM;
}

static void read_folded(MfnCursor *c, const MfnLayer *l, size_t n_weights, MfnFolded *f) {
    size_t n = l->c_out;
    uint32_t bytes;
    float *v = f->slope;  // scratch until the slopes themselves are read
    mfn_cur_u32(c, &bytes), mfn_cur_f32(c, f->w, n_weights);
    mfn_cur_u32(c, &bytes), mfn_cur_f32(c, v, n);
    for (size_t i = 0; i < n; i++) f->scale[i] = v[i];
    mfn_cur_u32(c, &bytes), mfn_cur_f32(c, v, n);
    for (size_t i = 0; i < n; i++) f->bias[i] = v[i];
    size_t mean_at = c->at;
    mfn_cur_skip(c, 4 + 4 * (uint64_t)n);
    mfn_cur_u32(c, &bytes), mfn_cur_f32(c, v, n);
    for (size_t i = 0; i < n; i++) f->scale[i] /= sqrt((double)v[i] + MFN_FMT_BN_EPS);
    MfnCursor mean = *c;
    mean.at = mean_at;
    mfn_cur_u32(&mean, &bytes), mfn_cur_f32(&mean, v, n);
    for (size_t i = 0; i < n; i++) f->bias[i] -= v[i] * f->scale[i];
    if (l->act)
        mfn_cur_u32(c, &bytes), mfn_cur_f32(c, f->slope, n);
    else
        memset(f->slope, 0, n * sizeof(float));
}

static void pack_gemm(PanelFn panel, const MfnFolded *f, size_t k, size_t n, float *out) {
    for (size_t at = 0; at < n;) {
        size_t wide = panel(n - at), real = n - at < wide ? n - at : wide;
        for (size_t j = 0; j < real; j++) {
            const float *row = f->w + (at + j) * k;
            double scale = f->scale[at + j];
            float *to = out + 2 * wide + j;
            out[j] = (float)f->bias[at + j];
            out[wide + j] = f->slope[at + j];
            for (size_t i = 0; i < k; i++) to[i * wide] = (float)(row[i] * scale);
        }
        out += wide * (k + 2);
        at += wide;
    }
}

// Per MFN_BLOCK channels: the taps, the bias and, where `slopes`, the slope.
static void pack_depthwise(const MfnFolded *f, size_t channels, size_t area, bool slopes, float *out) {
    size_t stride = (area + (slopes ? 2 : 1)) * MFN_BLOCK;
    for (size_t c = 0; c < channels; c++) {
        float *to = out + c / MFN_BLOCK * stride + c % MFN_BLOCK;
        for (size_t i = 0; i < area; i++)
            to[i * MFN_BLOCK] = (float)(f->w[c * area + i] * f->scale[c]);
        to[area * MFN_BLOCK] = (float)f->bias[c];
        if (slopes) to[(area + 1) * MFN_BLOCK] = f->slope[c];
    }
}

int mfn_pack_fill(MfnImpl *im, const struct MfnImage *image) {
    size_t most_w = 0, most_c = 0;
    for (int i = 0; i < im->n_layers; i++) {
        size_t w = (size_t)mfn_layer_weights(&im->layers[i]), c = im->layers[i].c_out;
        if (w > most_w) most_w = w;
        if (c > most_c) most_c = c;
    }
    MfnFolded f = {malloc(most_w * sizeof(float)), malloc(most_c * sizeof(float)),
                malloc(most_c * sizeof(double)), malloc(most_c * sizeof(double))};
    bool ok = f.w && f.slope && f.scale && f.bias;
    MfnCursor c = {image->data, image->size, (size_t)image->count_at + 4};
    for (int i = 0; ok && i < im->n_layers; i++) {
        const MfnLayer *l = &im->layers[i];
        float *out = im->weights + im->packed[i];
        size_t area = (size_t)l->kernel * l->kernel;
        read_folded(&c, l, (size_t)mfn_layer_weights(l), &f);
        const MfnIntegers *set = mfn_integers_of(im, l);
        if (mfn_is_narrow(im, l))
            mfn_narrow_pack(&f, l->c_out, area, l->act, (unsigned char *)(void *)out);
        else if (l->kind == MFN_DW || l->kind == MFN_GDC)
            pack_depthwise(&f, l->c_out, area, l->kind == MFN_DW, out);
        else if (set && l->kind != MFN_STEM)
            mfn_integers_pack(set, &f, l->c_in, l->c_out,
                              set->bits == 8 ? MFN_WEIGHT_8 : MFN_WEIGHT_16,
                              (unsigned char *)(void *)out);
        else
            pack_gemm(l->kind == MFN_EMBED ? im->kernels.fc_panel : im->kernels.panel, &f,
                      l->c_in * area, l->c_out, out);
        if (set && l->kind == MFN_STEM)
            ok = !mfn_stem_pack(set, l, &f, (unsigned char *)(void *)(im->weights + im->stem_levels));
    }
    free(f.w), free(f.slope), free(f.scale), free(f.bias);
    return ok ? MFN_OK : MFN_E_NOMEM;
}
