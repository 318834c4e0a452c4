// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
/* LANES channels at a time, of float32 or bfloat16, whose arithmetic is float32's. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 8
typedef float Lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef uint32_t Bits __attribute__((vector_size(LANES * sizeof(uint32_t))));
typedef uint16_t Halves __attribute__((vector_size(LANES * sizeof(uint16_t))));

#define GET_FLOAT(to, at) memcpy(&(to), at, sizeof(to))
#define PUT_FLOAT(at, from) memcpy(at, &(from), sizeof(from))
#define GET_BF16(to, at) do { \
        Halves half_; \
        memcpy(&half_, at, sizeof half_); \
        Bits bits_ = __builtin_convertvector(half_, Bits) << 16; \
        memcpy(&(to), &bits_, sizeof bits_); \
    } while (0)
/* To the nearest, to even between two; NaN stays one. */
#define PUT_BF16(at, from) do { \
        Bits bits_, nan_ = (Bits)((from) != (from)); \
        memcpy(&bits_, &(from), sizeof bits_); \
        bits_ = (bits_ + 0x7fff + (bits_ >> 16 & 1)) >> 16; \
        Halves half_ = __builtin_convertvector((bits_ & ~nan_) | (nan_ & 0x7fc0), Halves); \
        memcpy(at, &half_, sizeof half_); \
    } while (0)

/* to = lanes of a where the mask is set, else of b. No function: a vector wider than the machine's
is no argument. */
#define CHOOSE(to, mask, a, b) do { \
        Lanes a_ = (a), b_ = (b); \
        Bits x_, y_, mask_ = (Bits)(mask); \
        memcpy(&x_, &a_, sizeof x_); \
        memcpy(&y_, &b_, sizeof y_); \
        x_ = (x_ & mask_) | (y_ & ~mask_); \
        memcpy(&(to), &x_, sizeof x_); \
    } while (0)
