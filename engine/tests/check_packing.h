// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The verb packing of check_engine.c: which layers run in integers, and weights of any size as
// numbers of few bits, each read back and compared with what it stands for.
#ifndef CHECK_PACKING_H
#define CHECK_PACKING_H
#include <math.h>

#include "check_tools.h"

static size_t some_columns(size_t left) { return left > 4 ? 8 : 4; }

// Kernels' sets by what the packing asks of them: bits, step, bytes.
static const MfnIntegers PACKED[] = {
    {.bits = 8, .step = 4, .weight_bytes = 1, .panel = some_columns},
    {.bits = 8, .step = 1, .weight_bytes = 1, .panel = some_columns},
    {.bits = 16, .step = 2, .weight_bytes = 2, .panel = some_columns},
    {.bits = 16, .step = 1, .weight_bytes = 2, .panel = some_columns},
    {.bits = 16, .bf16 = true, .step = 2, .weight_bytes = 2, .panel = some_columns}};

static void which_layers(void) {
    static MfnImpl im;
    MfnIntegers fast = PACKED[0], high = PACKED[2], stem = PACKED[3];
    im.kernels.fast = &fast, im.kernels.high = &high, im.kernels.stem = &stem;
    for (int k = MFN_STEM; k <= MFN_EMBED; k++) {
        MfnLayer l = {.kind = (MfnKind)k, .c_in = MFN_DEPTH_16};
        const bool wide = k == MFN_PW || k == MFN_EMBED, apart = k == MFN_DW || k == MFN_GDC;
        const MfnIntegers *pixels_set = k == MFN_STEM ? &stem : NULL;
        for (int more = 0; more < 2; more++, l.c_in++) {
            // With 16 bits a sum has room for so many channels, and no more.
            im.precision = MFN_F32, high = fast = PACKED[2];
            CHECK(!mfn_integers_of(&im, &l) && !mfn_is_narrow(&im, &l));
            im.precision = MFN_HIGH;
            CHECK(mfn_integers_of(&im, &l) == (wide && !more ? &high : pixels_set));
            high = PACKED[4];
            CHECK(mfn_integers_of(&im, &l) == (wide ? &high : pixels_set));
            im.precision = MFN_FAST;
            CHECK(mfn_integers_of(&im, &l) == (wide && !more ? &fast : pixels_set));
            CHECK(!mfn_is_narrow(&im, &l));
            fast = PACKED[0];
            CHECK(mfn_integers_of(&im, &l) == (wide ? &fast : pixels_set));
            CHECK(mfn_is_narrow(&im, &l) == apart);
            im.precision = MFN_HIGH, high = PACKED[0];
            CHECK(!mfn_is_narrow(&im, &l));
            im.kernels.fast = im.kernels.high = NULL;
            CHECK(mfn_integers_of(&im, &l) == pixels_set && !mfn_is_narrow(&im, &l));
            im.precision = MFN_FAST;
            CHECK(mfn_integers_of(&im, &l) == pixels_set && !mfn_is_narrow(&im, &l));
            im.kernels.fast = &fast, im.kernels.high = &high;
        }
    }
}

enum { CHANNELS_MOST = 24, DEPTH_MOST = 600 };
static float weights[CHANNELS_MOST * DEPTH_MOST], slopes[CHANNELS_MOST];
static double folds[CHANNELS_MOST], biases[CHANNELS_MOST];

// Channels of many sizes; the last ones are 0, less than the least scale, not finite.
static void draw_channels(size_t n, size_t k) {
    uint32_t s = (uint32_t)(n * 1000 + k);
    for (size_t c = 0; c < n; c++) {
        const double size = ldexp(1, (int)(c % 11) * 9 - 45);
        slopes[c] = (float)c / 16 - 0.5f, folds[c] = c % 2 ? -0.75 : 1.5, biases[c] = (double)c - 3;
        for (size_t i = 0; i < k; i++) {
            s = s * 1664525u + 1013904223u;
            weights[c * k + i] = (float)(size * ((double)(s >> 8) / 8388608 - 1));
        }
    }
    if (n < 9) return;
    memset(weights + (n - 1) * k, 0, k * sizeof *weights);
    for (size_t i = 0; i < k; i++) weights[(n - 2) * k + i] = 0x1p-99f / (float)(i + 1);
    weights[(n - 3) * k + k / 2] = INFINITY;
    weights[(n - 4) * k + k - 1] = NAN;
    weights[(n - 5) * k] = -INFINITY;
    slopes[n - 6] = INFINITY, slopes[n - 7] = NAN;
}

static float bf16_at(const unsigned char *p) {
    uint16_t half;
    memcpy(&half, p, sizeof half);
    return mfn_bf16_float(half);
}

// The channel's scale: the least bfloat16 at which its largest weight is `top`, NaN where one is not
// finite. Gives it.
static double scale_holds(const float *row, double fold, size_t k, int top, float scale) {
    double most = 0x1p-96;
    bool finite = true;
    for (size_t i = 0; i < k; i++) {
        finite = finite && isfinite(row[i]);
        most = fmax(most, fabs((float)(row[i] * fold)));
    }
    CHECK(isnan(scale) == !finite);
    if (!finite) return NAN;
    uint16_t below = (uint16_t)(mfn_bf16(scale) - 1);
    CHECK(scale * (double)top >= most * (1 - 1e-7));
    CHECK(mfn_bf16_float(below) * (double)top < most * (1 + 1e-7));
    return scale;
}

static void head_holds(const unsigned char *head, size_t wide, size_t j, size_t c, bool in_integers) {
    float bias, slope = bf16_at(head + 6 * wide + 2 * j);
    memcpy(&bias, head + j * sizeof bias, sizeof bias);
    if (isfinite(slopes[c])) {
        CHECK(bias == (float)biases[c] && slope == mfn_bf16_float(mfn_bf16(slopes[c])));
    } else if (in_integers) {
        CHECK(isnan(bias) && slope == 0);
    }
}

static void one_packing(const MfnIntegers *set, size_t n, size_t k, int top) {
    static float before[CHANNELS_MOST * DEPTH_MOST];
    draw_channels(n, k);
    memcpy(before, weights, n * k * sizeof *weights);
    const size_t bytes = mfn_integers_bytes(set, k, n), b = set->weight_bytes;
    const size_t deep = mfn_round_up(k, set->step);
    unsigned char *packed = calloc(bytes + 64, 1), *at = packed;
    CHECK(packed);
    const MfnFolded f = {weights, slopes, folds, biases};
    mfn_integers_pack(set, &f, k, n, top, packed);
    for (size_t c = 0, j = 0, wide = some_columns(n); c < n; c++, j++) {
        if (j == wide) at += wide * (MFN_INT_HEAD + deep * b), j = 0, wide = some_columns(n - c);
        const float *row = before + c * k, scale = bf16_at(at + 4 * wide + 2 * j);
        head_holds(at, wide, j, c, true);
        const double unit = set->bf16 ? 0 : scale_holds(row, folds[c], k, top, scale);
        CHECK(!set->bf16 || (scale == 0 && !signbit(scale)));
        for (size_t i = 0; i < deep && !isnan(unit); i++) {
            const unsigned char *p = at + wide * MFN_INT_HEAD +
                                     (i / set->step * wide * set->step + j * set->step + i % set->step) * b;
            int16_t level = (signed char)*p;
            if (b == 2) memcpy(&level, p, 2);
            const float w = i < k ? (float)(row[i] * folds[c]) : 0;
            if (set->bf16)
                CHECK((uint16_t)level == mfn_bf16(w));
            else
                CHECK(abs(level) <= top && fabs(level * unit - w) <= unit * 0.5000001);
        }
    }
    const size_t wide = some_columns(n - (n > 4 ? (n - 1) / 8 * 8 : 0));
    CHECK(packed + bytes == at + wide * (MFN_INT_HEAD + deep * b));
    for (size_t i = 0; i < 64; i++) CHECK(packed[bytes + i] == 0);
    free(packed);
}

// Of a channel's taps the sums are right to half a level, however many they are.
static void one_narrow(size_t n, size_t area, bool with_slopes) {
    static float before[CHANNELS_MOST * DEPTH_MOST];
    draw_channels(n, area);
    if (area > 1) {  // the loss of the first tap would take the second one over the end
        static const float over[] = {0.5f, 127};
        for (int c = 0; c < 2; c++)
            for (size_t i = 0; i < area; i++)
                weights[(size_t)c * area + i] = i < 2 ? (c ? -over[i] : over[i]) : 0;
        folds[0] = folds[1] = 1;
    }
    for (size_t i = 0; i < area; i++) weights[2 * area + i] = 0.3f;  // all the same
    memcpy(before, weights, n * area * sizeof *weights);
    const size_t block = mfn_narrow_block(area, with_slopes);
    const size_t bytes = mfn_round_up(n, MFN_BLOCK) / MFN_BLOCK * block;
    unsigned char *packed = calloc(bytes + 64, 1);
    CHECK(packed);
    const MfnFolded f = {weights, slopes, folds, biases};
    mfn_narrow_pack(&f, n, area, with_slopes, packed);
    for (size_t c = 0; c < n; c++) {
        const float *row = before + c * area;
        const unsigned char *at = packed + c / MFN_BLOCK * block + c % MFN_BLOCK;
        const unsigned char *head = packed + c / MFN_BLOCK * block + area * MFN_BLOCK;
        const size_t lane = c % MFN_BLOCK;
        float bias;
        memcpy(&bias, head + lane * sizeof bias, sizeof bias);
        CHECK(bias == (float)biases[c]);
        if (with_slopes) {
            const float slope = bf16_at(head + 6 * MFN_BLOCK + 2 * lane);
            CHECK(isnan(slopes[c]) ? isnan(slope) : slope == mfn_bf16_float(mfn_bf16(slopes[c])));
        }
        const double unit = scale_holds(row, folds[c], area, MFN_WEIGHT_8,
                                        bf16_at(head + 4 * MFN_BLOCK + 2 * lane));
        double sum = 0;
        for (size_t i = 0; i < area && !isnan(unit); i++, at += MFN_BLOCK) {
            const int level = (signed char)*at;
            CHECK(abs(level) <= MFN_WEIGHT_8);
            sum += level * unit - (float)(row[i] * folds[c]);
            // Where a tap was cut off, half a level more.
            CHECK(fabs(sum) <= unit * (c < 2 ? 1 : 0.500001));
        }
    }
    for (size_t i = 0; i < 64; i++) CHECK(packed[bytes + i] == 0);
    free(packed);
}

static void packing(const unsigned char *data, size_t size) {
    (void)data, (void)size;
    static const size_t depths[] = {1, 2, 3, 4, 5, 255, 256, 257, 600}, widths[] = {1, 4, 5, 8, 12, 24};
    which_layers();
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (size_t i = 0; i < sizeof PACKED / sizeof *PACKED; i++)
                one_packing(&PACKED[i], widths[w], depths[d],
                            PACKED[i].bits == 8 ? MFN_WEIGHT_8 : MFN_WEIGHT_16);
    for (size_t area = 1; area < 50; area += area < 10 ? 1 : 13)
        for (size_t n = 11; n < 24; n += 6)
            for (int i = 0; i < 2; i++) one_narrow(n, area, i);
    printf("packing: every weight stands for itself\n");
}

#endif
