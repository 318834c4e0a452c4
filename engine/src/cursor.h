// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Bounded little-endian reads and checked arithmetic. Nothing else touches input bytes.
#ifndef MFN_CURSOR_H
#define MFN_CURSOR_H

#include "platform.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct MfnCursor {
    const unsigned char *data;
    size_t size, at;
} MfnCursor;

// Written as a subtraction from the part already proved in bounds, so it cannot wrap.
static inline bool mfn_cur_has(const MfnCursor *c, uint64_t n) {
    return c->at <= c->size && n <= c->size - c->at;
}

static inline bool mfn_cur_skip(MfnCursor *c, uint64_t n) {
    if (!mfn_cur_has(c, n)) return false;
    c->at += (size_t)n;
    return true;
}

static inline bool mfn_cur_u8(MfnCursor *c, uint32_t *v) {
    if (!mfn_cur_has(c, 1)) return false;
    *v = c->data[c->at++];
    return true;
}

static inline bool mfn_cur_u16(MfnCursor *c, uint32_t *v) {
    if (!mfn_cur_has(c, 2)) return false;
    const unsigned char *p = c->data + c->at;
    *v = (uint32_t)p[0] | (uint32_t)p[1] << 8;
    c->at += 2;
    return true;
}

static inline bool mfn_cur_u32(MfnCursor *c, uint32_t *v) {
    if (!mfn_cur_has(c, 4)) return false;
    const unsigned char *p = c->data + c->at;
    *v = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    c->at += 4;
    return true;
}

static inline bool mfn_cur_is(MfnCursor *c, const char *bytes, size_t n) {
    if (!mfn_cur_has(c, n) || memcmp(c->data + c->at, bytes, n) != 0) return false;
    c->at += n;
    return true;
}

// Copies `n` floats out of a payload of any alignment, on a host of any byte order.
static inline bool mfn_cur_f32(MfnCursor *c, float *out, size_t n) {
    if (n > SIZE_MAX / 4 || !mfn_cur_has(c, (uint64_t)n * 4)) return false;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(out, c->data + c->at, n * 4);
    c->at += n * 4;
#else
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = 0;
        mfn_cur_u32(c, &bits);
        memcpy(&out[i], &bits, 4);
    }
#endif
    return true;
}

static inline bool mfn_add64(uint64_t a, uint64_t b, uint64_t *sum) {
    if (b > UINT64_MAX - a) return false;
    *sum = a + b;
    return true;
}

static inline bool mfn_mul64(uint64_t a, uint64_t b, uint64_t *product) {
    if (a != 0 && b > UINT64_MAX / a) return false;
    *product = a * b;
    return true;
}

#endif
