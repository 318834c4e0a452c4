// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#ifndef FUZZ_PICTURE_H
#define FUZZ_PICTURE_H

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "engine.h"

// The mirror's one question, asked of a copy of the text's own size: a sanitizer sees a byte read
// behind it. White space before the text changes nothing.
static inline void check_picture(const uint8_t *text, size_t size) {
    uint8_t *copy = malloc(size + 1);
    CHECK(copy);
    copy[0] = ' ';
    if (size) memcpy(copy + 1, text, size);
    int picture = mfn_mirror_picture(copy + 1, size);
    CHECK(picture == 0 || picture == 1 || picture == MFN_E_PICTURE);
    CHECK(mfn_mirror_picture(copy, size + 1) == picture);
    // A text that says something is one that ends where its object does.
    if (picture) CHECK(mfn_mirror_picture(copy + 1, size - 1) == 0 || copy[size] == ' ');
    free(copy);
}

#endif
