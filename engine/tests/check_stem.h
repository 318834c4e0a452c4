// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The verb stem of check_engine.c: each row of the stem from pixels beside sums of whole numbers, which
// the weights here make exact; borders, turned pictures, lines that hold what was there before.
#ifndef CHECK_STEM_H
#define CHECK_STEM_H
#include "check_tools.h"

enum { STEM_SIDE = MFN_FMT_INPUT_SIDE, STEM_CHANNELS = 3 };

// The sum of a window's levels and a channel's weights, [c][y][x]; beyond the picture a level is 0.
static int64_t window_sum(const MfnLayer *l, const float *w, bool turned, int64_t row, int64_t column) {
    const int64_t k = l->kernel, side = STEM_SIDE;
    int64_t sum = 0;
    for (int64_t y = 0; y < k; y++)
        for (int64_t x = 0; x < k; x++) {
            int64_t at_y = row * l->stride + y - l->pad, at_x = column * l->stride + x - l->pad;
            if (at_y < 0 || at_x < 0 || at_y >= side || at_x >= side) continue;
            if (turned) at_y = side - 1 - at_y, at_x = side - 1 - at_x;
            for (int64_t c = 0; c < 3; c++)
                sum += (2 * pixels[(at_y * side + at_x) * 3 + c] - 255) * (int64_t)w[(c * k + y) * k + x];
        }
    return sum;
}

// Each layer has whole weights up to the largest that its sums have room for, so its scale is 1.
static void one_stem(const char *isa, uint32_t kernel, uint32_t stride, bool turned) {
    MfnLayer l = {.kind = MFN_STEM, .c_in = 3, .c_out = STEM_CHANNELS, .kernel = kernel, .act = true,
                  .stride = stride, .pad = kernel / 2, .groups = 1, .side_in = STEM_SIDE};
    l.side_out = (STEM_SIDE + 2 * l.pad - kernel) / stride + 1;
    static MfnImpl im;
    im = (MfnImpl){.layers = &l, .n_layers = 1, .precision = MFN_HIGH, .picture = turned};
    CHECK(mfn_isa_resolve(isa, &im.kernels) >= 0);
    const MfnIntegers *set = mfn_integers_of(&im, &l);
    if (!set) return;
    CHECK(set == im.kernels.stem);
    const size_t each = 3 * (size_t)kernel * kernel, px = mfn_round_up(STEM_CHANNELS, MFN_BLOCK);
    static float w[STEM_CHANNELS * 3 * 225], kept[STEM_CHANNELS * 3 * 225];
    float slope[] = {0.25f, 1, -2};
    double scale[] = {1, 1, 1}, bias[] = {0, 100, -3000};
    const int64_t room = INT32_MAX / (255 * (int64_t)each), top = room < 32767 ? room : 32767;
    uint32_t s = kernel * 5 + stride;
    for (size_t i = 0; i < STEM_CHANNELS * each; i++) {
        s = s * 1664525u + 1013904223u;
        w[i] = i % each == each / 2 ? (float)(i % 2 ? top : -top) : (float)((int64_t)(s >> 1) % top);
        kept[i] = w[i];
    }
    const MfnFolded f = {w, slope, scale, bias};
    im.weights = mfn_arena_new(mfn_stem_floats(set, &l));
    CHECK(im.weights);
    unsigned char *packed = (unsigned char *)(void *)im.weights;
    for_ever = true, budget = 0;
    const int no_pack = mfn_stem_pack(set, &l, &f, packed), no_taps = mfn_stem_taps(&im);
    for_ever = false, budget = -1;
    CHECK(no_pack == MFN_E_NOMEM && no_taps == MFN_E_NOMEM);
    CHECK(mfn_stem_pack(set, &l, &f, packed) == MFN_OK && mfn_stem_taps(&im) == MFN_OK);
    const size_t input_floats = (size_t)MFN_INPUT_PADDED_SIDE * kernel * 3;
    float *lines = mfn_arena_new(input_floats), *out = mfn_arena_new(l.side_out * px);
    CHECK(lines && out && im.taps_levels);
    memset(lines, 0x55, input_floats * sizeof *lines);
    // The picture alone, with other memory behind it.
    uint8_t *picture = malloc(PIXELS + 4096);
    CHECK(picture);
    memset(picture, 0xff, PIXELS + 4096);
    memcpy(picture, pixels, PIXELS);
    for (uint32_t y = 0; y < l.side_out; y++) {
        mfn_stem_row(&im, picture, y, (int16_t *)(void *)lines, out);
        for (size_t x = 0; x < l.side_out; x++)
            for (size_t n = 0; n < STEM_CHANNELS; n++) {
                const double sum = (double)window_sum(&l, kept + n * each, turned, y, (int64_t)x) / 256;
                double want = sum + bias[n];
                if (want <= 0) want *= slope[n];
                const double most = fabs(sum) + fabs(bias[n]);
                CHECK(fabs(out[x * px + n] - want) <= 1e-6 * (most + fabs(want)));
            }
    }
    free(picture), free(im.taps_levels);
    mfn_arena_free(lines), mfn_arena_free(out), mfn_arena_free(im.weights);
}

static void stem(const unsigned char *data, size_t size) {
    (void)data, (void)size;
    static const char *const isas[] = {"scalar", NULL};
    for (int i = 0; i < 2; i++)
        for (int turned = 0; turned < 2; turned++) {
            for (uint32_t kernel = 1; kernel < 6; kernel += 2)
                for (uint32_t stride = 1 + kernel % 3; stride < 4; stride++)
                    one_stem(isas[i], kernel, stride, turned);
            one_stem(isas[i], 5, 1, turned);
            one_stem(isas[i], 15, 4, turned);
        }
    printf("stem: exact to the borders\n");
}

#endif
