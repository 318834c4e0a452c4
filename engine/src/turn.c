// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Pictures turned by 180 degrees: their pixels in the opposite order.
#include "platform.h"

#include <string.h>

#include "engine.h"

enum { WIDEST_ITEM = 16 };

void mfn_reverse(void *out, const void *in, size_t count, size_t size) {
    unsigned char *to = out, first[WIDEST_ITEM], last[WIDEST_ITEM];
    const unsigned char *from = in;
    for (size_t i = 0, j = count; i < j; i++) {
        j--;
        // Both are read before either is written: `out` may be `in`.
        memcpy(first, from + i * size, size);
        memcpy(last, from + j * size, size);
        memcpy(to + i * size, last, size);
        memcpy(to + j * size, first, size);
    }
}

static int turn(const void *in, size_t planes, size_t size, void *out) {
    if (planes && (!in || !out)) return MFN_E_ARG;
    for (size_t i = 0; i < planes; i++)
        mfn_reverse((unsigned char *)out + i * MFN_PLANE * size,
                    (const unsigned char *)in + i * MFN_PLANE * size, MFN_PLANE, size);
    return MFN_OK;
}

int mfn_turn_180(const float *input_nchw, size_t count, float *turned) {
    if (count > SIZE_MAX / (MFN_FMT_INPUT_CHANNELS * MFN_PLANE * sizeof(float))) return MFN_E_ARG;
    return turn(input_nchw, count * MFN_FMT_INPUT_CHANNELS, sizeof(float), turned);
}

int mfn_turn_180_u8(const uint8_t *input_nhwc, size_t count, uint8_t *turned) {
    if (count > SIZE_MAX / (MFN_FMT_INPUT_CHANNELS * MFN_PLANE)) return MFN_E_ARG;
    return turn(input_nhwc, count, MFN_FMT_INPUT_CHANNELS, turned);
}
