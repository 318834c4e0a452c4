// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Products in integers, for the precisions below f32: a map becomes levels, a row of its pixels at a
// time, and levels meet weights that were rounded at load. Sums are exact, so the order of summation,
// the tile and the instruction set change nothing in them.
//
// A group of pixels has one scale. lo <= 0 <= hi are its least and its largest value; then, every
// operation rounded once to float32,
//   8 bits    width = hi - lo        scale = width / 255    inverse = 255 / width
//             zero = rint(-lo * inverse)    level = min(rint(x * inverse), 255 - zero)
//   16 bits   width = max(hi, -lo)   scale = width / 1023   inverse = 1023 / width
//             zero = 0                      level = rint(x * inverse), at most 1023 by itself
// and scale * level stands for x. No level is below -zero = rint(lo * inverse); 255 - zero can be passed
// where both ends are rounded away from 0. A group that holds what is not finite, or whose width is beyond
// float32, has the scale NaN and the level 0 everywhere: all that is made of it is NaN.
// scale * weight_scale may overflow where both are large: then an output is infinite, or NaN where the sum is
// 0, though float32 may have a number there. Where it underflows, what is lost is below 2^-95.
//
// bfloat16 has no groups: levels are the values themselves and weights the folded ones, each rounded by
// mfn_bf16, and sums are float32 in any order, where what is below 2^-126 may count as 0. Beyond
// `channels` a level is 0 up to a multiple of the step. What is not finite goes its way by IEEE 754.
#ifndef MFN_INTEGER_H
#define MFN_INTEGER_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    MFN_TOP_8 = 255,
    MFN_TOP_16 = 1023,
    MFN_TOP_PIXEL = 255,   // of the stem's levels
    MFN_WEIGHT_8 = 127,    // largest magnitude of a weight
    MFN_WEIGHT_16 = 2047,
    // The largest sums must fit int32. 8 bits: 255 * 127 * 65535, more than any layer has, is below
    // 2^31. 16 bits: 1023 * 2047 * 1025 is, with 1026 it is not: such a layer stays in float32.
    MFN_DEPTH_16 = 1025,
    MFN_INT_HEAD = 8       // bytes of a column before its weights
};

typedef struct MfnQuantise {
    const float *in;        // m pixels of px floats, of which `channels` are read
    unsigned char *levels;  // m pixels of px levels; beyond `channels` any
    float *scale;           // of each pixel, and its zero; bfloat16 has neither
    int32_t *zero;
    size_t m, group, channels, px;
} MfnQuantise;

// out[m][n] = act(bias[n] + (scale[m] * weight_scale[n]) * sum_k level[m][k] * w[k][n]) +
// residual[m][n] with act(x) = x + bend[n] * min(x, 0), where a kernel may round each of these
// operations or none. The pixels of a group have one scale and one zero, so the product of the scales
// is made once for a column and a group.
//
// `w` is a row of panels as in MfnGemm. A panel of width V holds bias[V] in float32, weight_scale[V] and
// slope[V] in bfloat16; then, for each `step` values of k (the last ones filled up with zeros), V times
// the step weights of a column. Columns beyond N are zero. bend is a PReLU's slope less 1, which saves
// an operation. In bfloat16 a sum begins at the bias, and weight_scale[V] is 0.
//
// With `taps` (integers of 16 bits alone) the levels of step s are those from m * a_px + taps[s] on, all
// pixels have the scale at `scale`, and there is no residual: the stem is such a product of its picture's
// levels, without a copy of each window.
typedef struct MfnProduct {
    const unsigned char *levels;
    const unsigned char *w;
    const int32_t *taps;  // NULL for a pointwise layer
    const float *scale;
    const int32_t *zero;
    const float *residual;
    float *out;
    size_t m, group, k, n, a_px, out_px;  // a_px: levels from pixel to pixel
    bool act;
} MfnProduct;

// What a row of isa.def has for a number of bits. A level of two bytes is the level itself; one byte
// holds level + zero - offset, where the offset is 0 (unsigned bytes) or 128 (signed ones).
typedef struct MfnIntegers {
    bool bf16;                             // levels, weights and sums are floats
    int bits;                              // 8 or 16
    int offset;
    size_t step, weight_bytes, level_bytes;
    size_t (*panel)(size_t columns_left);
    void (*quantise)(const MfnQuantise *);
    void (*product)(const MfnProduct *);
} MfnIntegers;

// Rounds to the nearest bfloat16, ties to even, as vcvtneps2bf16 does: what is below 2^-126 becomes a 0
// of its sign, what is beyond the largest one (0x1.fep127) by half a step infinite, and a NaN stays one.
static inline uint16_t mfn_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40);
    if (magnitude < 0x00800000u) return (uint16_t)(bits >> 16 & 0x8000);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// The least bfloat16 that is not below `x`, a positive number of which twice is finite.
static inline uint16_t mfn_bf16_above(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0xffff) >> 16);
}

static inline float mfn_bf16_float(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

typedef struct MfnRange {
    float scale, inverse;
    int32_t zero;
    bool finite;
} MfnRange;

// `most` and `least`: the largest bit pattern of a group's values as signed and as unsigned numbers,
// 0 among them. Float's order is that of its bits among positive numbers, the opposite one among
// negative numbers, and NaN and infinity have the largest of either sign: so two integer maxima
// find lo and hi, and no NaN is lost on the way, whatever the order.
static inline MfnRange mfn_range(int bits, int32_t most, uint32_t least) {
    MfnRange r = {NAN, 0, 0, false};
    const uint32_t sign = 0x80000000u, infinity = 0x7f800000u;
    float hi, lo, top = bits == 8 ? MFN_TOP_8 : MFN_TOP_16;
    if (least < sign) least = sign;
    if ((uint32_t)most >= infinity || least >= (sign | infinity)) return r;
    memcpy(&hi, &most, sizeof hi);
    memcpy(&lo, &least, sizeof lo);
    float width = bits == 8 ? hi - lo : hi > -lo ? hi : -lo;
    if (width > FLT_MAX) return r;
    // So far below all that counts that nothing is lost, and the inverse is in range.
    if (width < 0x1p-96f) width = 0x1p-96f;
    r.scale = width / top;
    r.inverse = top / width;
    float start = -lo * r.inverse;
    if (bits == 8) r.zero = (int32_t)lrintf(start);
    r.finite = true;
    return r;
}

#endif
