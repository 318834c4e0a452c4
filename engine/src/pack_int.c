// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Rounds a layer's folded weights to integers, each output channel by its own scale, or to
// bfloat16, and lays them out for the chosen kernels. A channel of which a weight, the bias or the
// slope is not finite has a NaN for one of the numbers that all it gives is made of.
#include "platform.h"

#include <math.h>
#include <string.h>

#include "engine.h"

const MfnIntegers *mfn_integers_of(const MfnImpl *im, const MfnLayer *l) {
    if (l->kind == MFN_STEM) return im->precision == MFN_F32 ? NULL : im->kernels.stem;
    const MfnIntegers *set = im->precision == MFN_FAST   ? im->kernels.fast
                             : im->precision == MFN_HIGH ? im->kernels.high
                                                         : NULL;
    if (!set || (l->kind != MFN_PW && l->kind != MFN_EMBED)) return NULL;
    return set->bits == 16 && !set->bf16 && l->c_in > MFN_DEPTH_16 ? NULL : set;
}

size_t mfn_integers_bytes(const MfnIntegers *set, size_t k, size_t n) {
    size_t total = 0, column = MFN_INT_HEAD + mfn_round_up(k, set->step) * set->weight_bytes;
    for (size_t at = 0; at < n;) {
        size_t wide = set->panel(n - at);
        total += wide * column;
        at += wide;
    }
    return total;
}

// Where weight `i` of a column begins, after its panel's head.
static size_t weight_at(const MfnIntegers *set, size_t i, size_t wide, size_t column) {
    return ((i / set->step * wide + column) * set->step + i % set->step) * set->weight_bytes;
}

static void pack_floats(const MfnIntegers *set, const float *row, double fold, size_t k, size_t wide,
                        size_t column, unsigned char *weights) {
    for (size_t i = 0; i < k; i++) {
        const uint16_t v = mfn_bf16((float)(row[i] * fold));
        memcpy(weights + weight_at(set, i, wide, column), &v, sizeof v);
    }
}

// A column of the panel at `panel`; gives its scale. The scale is the bfloat16 above most / top, and
// weights are rounded by just that one: nothing is lost with its other half.
static uint16_t pack_column(const MfnIntegers *set, const float *row, double fold, size_t k,
                            int32_t top, size_t wide, size_t column, unsigned char *weights) {
    float most = 0;
    for (size_t i = 0; i < k; i++) {
        float x = fabsf((float)(row[i] * fold));
        if (!isfinite(x)) return mfn_bf16(NAN);
        if (x > most) most = x;
    }
    if (most < 0x1p-96f) most = 0x1p-96f;
    const uint16_t scale = mfn_bf16_above(most / (float)top);
    const double inverse = 1 / (double)mfn_bf16_float(scale);
    for (size_t i = 0; i < k; i++) {
        int32_t v = (int32_t)lrint((float)(row[i] * fold) * inverse);
        size_t at = weight_at(set, i, wide, column);
        if (set->weight_bytes == 1) {
            int8_t narrow = (int8_t)v;
            memcpy(weights + at, &narrow, sizeof narrow);
        } else {
            int16_t narrow = (int16_t)v;
            memcpy(weights + at, &narrow, sizeof narrow);
        }
    }
    return scale;
}

void mfn_integers_pack(const MfnIntegers *set, const MfnFolded *f, size_t k, size_t n,
                       int32_t top, unsigned char *out) {
    const size_t deep = mfn_round_up(k, set->step) * set->weight_bytes;
    for (size_t at = 0; at < n;) {
        size_t wide = set->panel(n - at), real = n - at < wide ? n - at : wide;
        unsigned char *weights = out + wide * MFN_INT_HEAD;
        for (size_t j = 0; j < real; j++) {
            const float *row = f->w + (at + j) * k;
            const double fold = f->scale[at + j];
            float bias = (float)f->bias[at + j];
            uint16_t scale = 0, slope = mfn_bf16(f->slope[at + j]);
            if (!isfinite(mfn_bf16_float(slope))) bias = NAN, slope = 0;
            if (set->bf16)
                pack_floats(set, row, fold, k, wide, j, weights);
            else
                scale = pack_column(set, row, fold, k, top, wide, j, weights);
            memcpy(out + j * sizeof bias, &bias, sizeof bias);
            memcpy(out + 4 * wide + 2 * j, &scale, sizeof scale);
            memcpy(out + 6 * wide + 2 * j, &slope, sizeof slope);
        }
        out = weights + wide * deep;
        at += wide;
    }
}
