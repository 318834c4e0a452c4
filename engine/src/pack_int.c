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
    size_t total = 0, column = MFN_INT_HEAD * sizeof(float) +
                               mfn_round_up(k, set->step) * set->weight_bytes;
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

// A column of the panel at `panel`; gives its scale.
static float pack_column(const MfnIntegers *set, const float *row, double fold, size_t k,
                         int32_t top, size_t wide, size_t column, unsigned char *weights,
                         int32_t *sum) {
    float most = 0;
    *sum = 0;
    for (size_t i = 0; i < k; i++) {
        float x = fabsf((float)(row[i] * fold));
        if (!isfinite(x)) return NAN;
        if (x > most) most = x;
    }
    if (most < 0x1p-96f) most = 0x1p-96f;
    const double inverse = top / (double)most;
    for (size_t i = 0; i < k; i++) {
        int32_t v = (int32_t)lrint((float)(row[i] * fold) * inverse);
        size_t at = weight_at(set, i, wide, column);
        *sum += v;
        if (set->weight_bytes == 1) {
            int8_t narrow = (int8_t)v;
            memcpy(weights + at, &narrow, sizeof narrow);
        } else {
            int16_t narrow = (int16_t)v;
            memcpy(weights + at, &narrow, sizeof narrow);
        }
    }
    return most / (float)top;
}

void mfn_integers_pack(const MfnIntegers *set, const MfnFolded *f, size_t k, size_t n,
                       int32_t top, unsigned char *out) {
    const size_t deep = mfn_round_up(k, set->step) * set->weight_bytes;
    for (size_t at = 0; at < n;) {
        size_t wide = set->panel(n - at), real = n - at < wide ? n - at : wide;
        unsigned char *weights = out + wide * MFN_INT_HEAD * sizeof(float);
        for (size_t j = 0; j < real; j++) {
            const float *row = f->w + (at + j) * k;
            const double fold = f->scale[at + j];
            float head[3] = {(float)f->bias[at + j], f->slope[at + j] - 1, 0};
            int32_t sum;
            if (!isfinite(head[1])) head[0] = NAN, head[1] = 0;
            if (set->bf16) {
                pack_floats(set, row, fold, k, wide, j, weights);
                memcpy(&sum, &head[0], sizeof sum);
                head[0] = 0;
            } else {
                head[2] = pack_column(set, row, fold, k, top, wide, j, weights, &sum);
            }
            for (size_t i = 0; i < 3; i++)
                memcpy(out + (i * wide + j) * sizeof(float), &head[i], sizeof(float));
            memcpy(out + (3 * wide + j) * sizeof(float), &sum, sizeof sum);
        }
        out = weights + wide * deep;
        at += wide;
    }
}
