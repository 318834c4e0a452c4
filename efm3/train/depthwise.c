// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
/* Depthwise convolution and its gradients, for training: see efm3/train/depthwise.py.

x [n, h, w, c], out and g [n, oh, ow, c], weights [k, k, c], in float32 or bfloat16, whose
arithmetic is float32's. c is a multiple of LANES, k at most WIDEST, pad at most 1. LANES channels
keep their sum in a register over all of a kernel's places. */

#include <stdbool.h>

#include "lanes.h"

#define WIDEST 7
#define MOST (WIDEST * WIDEST)

struct shape {
    size_t n, h, w, c, k, stride, pad, oh, ow;
};

/* What all but one of a network's have: three by three, padding 1, every or every other pixel. */
static bool usual(const struct shape *s)
{
    return s->k == 3 && s->pad == 1 && s->stride <= 2;
}

/* Where a pixel's channels begin, and the weights that it is taken with. */
struct place {
    size_t value, weight;
};

/* The inputs of an output. Places before the first row or column are huge: size_t has no sign. */
static size_t seen(const struct shape *s, size_t oy, size_t ox, struct place *places)
{
    size_t count = 0;
    for (size_t ky = 0; ky < s->k; ky++)
        for (size_t kx = 0; kx < s->k; kx++) {
            size_t y = oy * s->stride + ky - s->pad, x = ox * s->stride + kx - s->pad;
            if (y < s->h && x < s->w)
                places[count++] = (struct place){(y * s->w + x) * s->c, (ky * s->k + kx) * s->c};
        }
    return count;
}

/* The outputs that an input is part of. */
static size_t seeing(const struct shape *s, size_t y, size_t x, struct place *places)
{
    size_t count = 0;
    for (size_t ky = 0; ky < s->k; ky++)
        for (size_t kx = 0; kx < s->k; kx++) {
            size_t up = y + s->pad - ky, left = x + s->pad - kx;
            if (ky > y + s->pad || kx > x + s->pad || up % s->stride || left % s->stride)
                continue;
            up /= s->stride, left /= s->stride;
            if (up < s->oh && left < s->ow)
                places[count++] = (struct place){(up * s->ow + left) * s->c,
                                                 (ky * s->k + kx) * s->c};
        }
    return count;
}

#define NAME(name) name
#define T float
#define GET GET_FLOAT
#define PUT PUT_FLOAT
#include "depthwise.h"
#undef NAME
#undef T
#undef GET
#undef PUT

#define NAME(name) name##_bf16
#define T uint16_t
#define GET GET_BF16
#define PUT PUT_BF16
#include "depthwise.h"
