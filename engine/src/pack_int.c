// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Rounds a layer's folded weights to integers, each output channel by its own scale, or to bfloat16, and
// lays them out for the chosen kernels. A channel of which a weight (in integers) or the slope is not
// finite has a NaN for one of the numbers that all it gives is made of.
#include "platform.h"

#include <float.h>
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

// Rounded sums of double and 1.5 * 2^52 are whole numbers, in the lower half of the bits: an lrint that no
// compiler makes a call of. Sums in a wider type would be rounded twice.
static int16_t level_of(double x) {
#if FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 1
    const double sum = x + 0x1.8p52;
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return (int16_t)(uint32_t)bits;
#else
    return (int16_t)lrint(x);
#endif
}

// Multiplies `k` weights by the channel's fold and gives the scale at which the largest becomes `top`:
// the bfloat16 above the quotient. Weights are rounded by just that one, so nothing is lost with the
// other half. NaN where one is not finite.
static uint16_t fold_column(float *row, double fold, size_t k, int top) {
    uint32_t most = 0;
    float largest;
    for (size_t i = 0; i < k; i++) {
        uint32_t bits;
        row[i] = (float)(row[i] * fold);
        memcpy(&bits, &row[i], sizeof bits);
        bits &= 0x7fffffff;  // in the order of the magnitudes
        if (bits > most) most = bits;
    }
    memcpy(&largest, &most, sizeof largest);
    if (!isfinite(largest)) return mfn_bf16(NAN);
    if (largest < 0x1p-96f) largest = 0x1p-96f;
    return mfn_bf16_above(largest / (float)top);
}

// Writes `n` numbers as `bytes` each, `step` of them side by side and `line` bytes from step to step.
// Both are constants, 4 x 1, 2 x 2, 1 x 1 or 1 x 2: else a compiler makes calls of memcpy for them.
INLINE void put(const int16_t *from, size_t n, size_t line, const size_t step, const size_t bytes,
                unsigned char *to) {
    for (size_t i = 0; i < n; i += step, to += line)
        for (size_t j = 0; j < step; j++)
            if (bytes == 1)
                to[j] = (unsigned char)from[i + j];
            else
                memcpy(to + 2 * j, &from[i + j], sizeof *from);
}

// A column of a panel whose weights begin at `weights`; gives its scale, which bfloat16 has none of.
static uint16_t pack_column(const MfnIntegers *set, float *row, double fold, size_t k, int top,
                            size_t wide, size_t column, unsigned char *weights) {
    enum { FEW = 256 };  // a multiple of any step
    const size_t step = set->step, line = wide * step * set->weight_bytes;
    const uint16_t scale = fold_column(row, fold, k, top);
    const double inverse = 1 / (double)mfn_bf16_float(scale);
    if (!set->bf16 && isnan(inverse)) return scale;
    unsigned char *to = weights + column * step * set->weight_bytes;
    for (size_t at = 0; at < k; at += FEW) {
        int16_t few[FEW] = {0};
        const size_t n = k - at < FEW ? k - at : FEW;
        if (set->bf16)
            for (size_t i = 0; i < n; i++) few[i] = (int16_t)mfn_bf16(row[at + i]);
        else
            for (size_t i = 0; i < n; i++) few[i] = level_of(row[at + i] * inverse);
        if (set->weight_bytes == 1)
            step == 4 ? put(few, n, line, 4, 1, to) : put(few, n, line, 1, 1, to);
        else
            step == 2 ? put(few, n, line, 2, 2, to) : put(few, n, line, 1, 2, to);
        to += FEW / step * line;
    }
    return set->bf16 ? 0 : scale;
}

void mfn_integers_pack(const MfnIntegers *set, const MfnFolded *f, size_t k, size_t n,
                       int32_t top, unsigned char *out) {
    const size_t deep = mfn_round_up(k, set->step) * set->weight_bytes;
    for (size_t at = 0; at < n;) {
        size_t wide = set->panel(n - at), real = n - at < wide ? n - at : wide;
        unsigned char *weights = out + wide * MFN_INT_HEAD;
        for (size_t j = 0; j < real; j++) {
            float bias = (float)f->bias[at + j];
            uint16_t slope = mfn_bf16(f->slope[at + j]);
            if (!isfinite(mfn_bf16_float(slope))) bias = NAN, slope = 0;
            const uint16_t scale =
                pack_column(set, f->w + (at + j) * k, f->scale[at + j], k, top, wide, j, weights);
            memcpy(out + j * sizeof bias, &bias, sizeof bias);
            memcpy(out + 4 * wide + 2 * j, &scale, sizeof scale);
            memcpy(out + 6 * wide + 2 * j, &slope, sizeof slope);
        }
        out = weights + wide * deep;
        at += wide;
    }
}

bool mfn_is_narrow(const MfnImpl *im, const MfnLayer *l) {
    const MfnIntegers *set = im->precision == MFN_FAST ? im->kernels.fast : NULL;
    return set && set->bits == 8 && (l->kind == MFN_DW || l->kind == MFN_GDC);
}

// Rounds a channel's taps, each with what the ones before have lost, so that the sum of all is rounded
// once: where a map is even they meet one value, and only their sum counts. (Without it the cosine of a
// white picture was 0.990 for 0.998.)
static void put_taps(const float *row, size_t area, double inverse, unsigned char *to) {
    double lost = 0;
    for (size_t i = 0; i < area; i++, to += MFN_BLOCK) {
        const double x = row[i] * inverse + lost;
        int16_t level = level_of(x);
        if (level > MFN_WEIGHT_8) level = MFN_WEIGHT_8;
        if (level < -MFN_WEIGHT_8) level = -MFN_WEIGHT_8;
        lost = x - level;
        *to = (unsigned char)level;
    }
}

void mfn_narrow_pack(const MfnFolded *f, size_t channels, size_t area, bool slopes,
                     unsigned char *out) {
    for (size_t c = 0; c < channels; c++) {
        float *row = f->w + c * area, bias = (float)f->bias[c];
        const uint16_t slope = mfn_bf16(f->slope[c]);
        const uint16_t scale = fold_column(row, f->scale[c], area, MFN_WEIGHT_8);
        const double inverse = 1 / (double)mfn_bf16_float(scale);
        unsigned char *to = out + c / MFN_BLOCK * mfn_narrow_block(area, slopes);
        const size_t lane = c % MFN_BLOCK;
        if (!isnan(inverse)) put_taps(row, area, inverse, to + lane);
        to += area * MFN_BLOCK;
        memcpy(to + lane * sizeof bias, &bias, sizeof bias);
        memcpy(to + 4 * MFN_BLOCK + 2 * lane, &scale, sizeof scale);
        if (slopes) memcpy(to + 6 * MFN_BLOCK + 2 * lane, &slope, sizeof slope);
    }
}
