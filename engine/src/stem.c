// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The stem straight from pixels, in integers of 16 bits, for the precisions below f32. A pixel p is
// the level 2p - 255, since (p - 127.5) / 128 = (2p - 255) / 256; the border is the level 0: both
// are exact, so only the weights are rounded, to as many bits as the sums have room for.
#include "platform.h"

#include <stdlib.h>
#include <string.h>

#include "engine.h"

// Levels of a padded line. A last pair of a window may reach one level beyond it, as far as
// CHANNELS * (MFN_FMT_INPUT_SIDE + MFN_FMT_MAX_STEM_KERNEL - 1), which still is in the line.
enum {
    CHANNELS = MFN_FMT_INPUT_CHANNELS,
    LINE = (MFN_INPUT_PADDED_SIDE * CHANNELS + MFN_BLOCK - 1) / MFN_BLOCK * MFN_BLOCK
};
_Static_assert(LINE * sizeof(int16_t) <= MFN_INPUT_PADDED_SIDE * CHANNELS * sizeof(float),
               "a line of levels lies where one of floats does");

// Levels of a window's line, filled up to whole steps; their weights there are zeros.
static size_t window(const MfnIntegers *set, const MfnLayer *stem) {
    return mfn_round_up((size_t)CHANNELS * stem->kernel, set->step);
}

size_t mfn_stem_floats(const MfnIntegers *set, const MfnLayer *stem) {
    const size_t bytes = mfn_integers_bytes(set, stem->kernel * window(set, stem), stem->c_out);
    return mfn_round_up(bytes, MFN_ALIGN) / sizeof(float);
}

// Line r of the padded picture lies in slot r % kernel. The table goes round nearly twice: from any
// slot on it has the lines of a window in order.
int mfn_stem_taps(MfnImpl *im) {
    const MfnLayer *stem = &im->layers[0];
    const MfnIntegers *set = mfn_integers_of(im, stem);
    if (!set) return MFN_OK;
    const size_t deep = window(set, stem), lines = 2 * (size_t)stem->kernel - 1;
    int32_t *tap = malloc(lines * deep / set->step * sizeof *tap);
    im->taps_levels = tap;
    if (!tap) return MFN_E_NOMEM;
    for (size_t y = 0; y < lines; y++)
        for (size_t x = 0; x < deep; x += set->step)
            *tap++ = (int32_t)(y % stem->kernel * LINE + x);
    return MFN_OK;
}

// From [c][y][x] to the order of the levels, [y][x][c] and the zeros.
int mfn_stem_pack(const MfnIntegers *set, const MfnLayer *stem, const MfnFolded *f,
                  unsigned char *out) {
    const size_t side = stem->kernel, deep = window(set, stem), area = side * side;
    MfnFolded ordered = *f;
    ordered.w = calloc(stem->c_out * side * deep, sizeof(float));
    if (!ordered.w) return MFN_E_NOMEM;
    for (size_t n = 0; n < stem->c_out; n++) {
        float *to = ordered.w + n * side * deep;
        for (size_t i = 0; i < CHANNELS * area; i++)
            to[i % area / side * deep + i % side * CHANNELS + i / area] =
                f->w[n * CHANNELS * area + i];
    }
    // A sum is at most the window's levels times the largest of each.
    const int32_t room = INT32_MAX / (int32_t)(MFN_TOP_PIXEL * CHANNELS * area);
    mfn_integers_pack(set, &ordered, side * deep, stem->c_out, room < INT16_MAX ? room : INT16_MAX,
                      out);
    free(ordered.w);
    return MFN_OK;
}

// Line `row` of the padded picture, which is turned where the network takes it so.
static void load_line(const MfnImpl *im, const uint8_t *hwc, int64_t row, int16_t *line) {
    const size_t side = MFN_FMT_INPUT_SIDE, edge = (size_t)im->layers[0].pad * CHANNELS;
    const bool turned = mfn_turns(im) == 1;
    int64_t from = row - im->layers[0].pad;
    if (from < 0 || from >= (int64_t)side) {
        memset(line, 0, LINE * sizeof *line);
        return;
    }
    if (turned) from = (int64_t)side - 1 - from;
    int16_t *to = line + edge, *end = to + side * CHANNELS;
    memset(line, 0, edge * sizeof *line);
    im->kernels.pixels(hwc + (size_t)from * side * CHANNELS, to, side * CHANNELS);
    if (turned) mfn_reverse(to, to, side, CHANNELS * sizeof *to);
    memset(end, 0, (size_t)(line + LINE - end) * sizeof *line);
}

void mfn_stem_row(const MfnImpl *im, const uint8_t *hwc, uint32_t y, int16_t *lines, float *out) {
    static const float unit = 1.0f / 256;
    const MfnLayer *stem = &im->layers[0];
    const MfnIntegers *set = mfn_integers_of(im, stem);
    const size_t deep = window(set, stem), kernel = stem->kernel, first = (size_t)y * stem->stride;
    // The row above has left its lines, of which some may be this one's.
    size_t line = y ? first - stem->stride + kernel : 0;
    for (line = line > first ? line : first; line < first + kernel; line++)
        load_line(im, hwc, (int64_t)line, lines + line % kernel * LINE);
    MfnProduct p = {.levels = (const unsigned char *)(const void *)lines, .scale = &unit};
    p.out = out, p.w = (const unsigned char *)(const void *)(im->weights + im->stem_levels);
    p.taps = im->taps_levels + first % kernel * (deep / set->step);
    p.m = p.group = stem->side_out, p.k = kernel * deep, p.n = stem->c_out, p.act = stem->act;
    p.a_px = (size_t)stem->stride * CHANNELS, p.out_px = mfn_round_up(stem->c_out, MFN_BLOCK);
    set->product(&p);
}
