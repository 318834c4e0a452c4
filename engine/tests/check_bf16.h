// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The products in bfloat16 of check_kernels.c: rounding bit for bit, sums within a bound, and to the
// bit where they need no rounding. Everything is written here a second time, from integer.h.
//
// Bound. A bfloat16 has 8 bits, so a product has 16 and is exact in float32; k of them and the bias are
// k sums, whether the two of a step meet first or not. Bend and residual are at most 3 more roundings,
// which is what bound_of() counts beside the terms. What is below 2^-126 may count as 0: of a step's
// two products and two sums, which is less than 4 * 2^-126 a step, times 1 + |bend|.
#ifndef CHECK_BF16_H
#define CHECK_BF16_H

static float bf16_value(const unsigned char *at) {
    uint16_t half;
    memcpy(&half, at, sizeof half);
    const uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Of the two neighbours the nearer one, the even one where both are as near.
static double bf16_near(float x) {
    int exponent;
    if (!isfinite(x)) return x;
    if (fabsf(x) < 0x1p-126f) return copysign(0, x);
    const double unit = ldexp(1, (frexp(x, &exponent), exponent - 8)), at = x / unit;
    double below = floor(at);
    if (at - below > 0.5 || (at - below == 0.5 && fmod(below, 2) != 0)) below += 1;
    return fabs(below * unit) >= 0x1p128 ? copysign(INFINITY, x) : below * unit;
}

static float bf16_odd(int kind, size_t i) {
    static const float values[] = {0x1.01p0f, 0x1.03p0f, -0x1.01p0f, 0x1.010002p0f, 0x1.00fffep0f,
                                   0x1.fep127f, 0x1.fefffep127f, 0x1.ffp127f, -0x1.fffffep127f,
                                   0x1p-126f, 0x1.fffffcp-127f, -0x1p-149f, 0x1.01p-126f,
                                   0.0f, -0.0f, NAN, -NAN, INFINITY, -INFINITY};
    if (kind == 0) return draw();
    if (kind == 1) return draw() * (i % 2 ? 1e30f : 1e-36f);
    return values[i % (sizeof values / sizeof *values)];
}

static void bf16_quantise(const MfnIntegers *set, size_t channels, size_t m, size_t group) {
    const size_t px = mfn_round_up(channels, MFN_BLOCK);
    Block in = guarded(m * px), scale = guarded(m), zero = guarded(m);
    Bytes levels = guarded_bytes(m * px * 2);
    for (size_t i = 0; i < m; i++)
        for (size_t c = 0; c < px; c++)
            in.at[i * px + c] = c < channels ? bf16_odd((int)(i + channels) % 3, i * 7 + c)
                                             : (c % 2 ? NAN : 1e30f);
    MfnQuantise q = {.in = in.at, .levels = levels.at, .scale = scale.at, .m = m, .group = group,
                     .zero = (int32_t *)(void *)zero.at, .channels = channels, .px = px};
    set->quantise(&q);
    for (size_t i = 0; i < m; i++)
        for (size_t c = 0; c < mfn_round_up(channels, set->step); c++) {
            const float have = bf16_value(levels.at + 2 * (i * px + c));
            const double want = c < channels ? bf16_near(in.at[i * px + c]) : 0;
            equal(have, want, "bf16 level");
            if (want == 0) equal(signbit(have) != 0, signbit(want) != 0, "bf16 sign of 0");
        }
    release(in), release(scale), release(zero), release(levels.block);
}

typedef struct Floats {
    float *weights;  // [n][k]
    float *bias, *slope;
} Floats;

static void bf16_put(unsigned char *to, float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint16_t half = (uint16_t)(bits >> 16);
    memcpy(to, &half, sizeof half);
}

static void bf16_lay_out(const MfnIntegers *set, const Floats *c, size_t k, size_t n,
                         unsigned char *out) {
    const size_t deep = mfn_round_up(k, 2);
    for (size_t at = 0; at < n;) {
        const size_t wide = set->panel(n - at);
        for (size_t j = 0; j < wide && at + j < n; j++) {
            for (size_t i = 0; i < k; i++)
                bf16_put(out + MFN_INT_HEAD * wide + 2 * ((i / 2 * wide + j) * 2 + i % 2),
                         c->weights[(at + j) * k + i]);
            memcpy(out + j * 4, &c->bias[at + j], 4);
            bf16_put(out + 6 * wide + j * 2, c->slope[at + j]);
        }
        out += wide * (MFN_INT_HEAD + deep * 2);
        at += wide;
    }
}

// What levels and weights are made of: whole numbers whose sums need no rounding, drawn ones, products
// below 2^-126, or levels with what is not finite among them.
enum { BF16_WHOLE, BF16_DRAWN, BF16_BELOW, BF16_NOT_FINITE, BF16_KINDS };

static float bf16_number(int kind) {
    const float x = draw();
    return kind == BF16_WHOLE ? truncf(x * 127) : (float)bf16_near(kind == BF16_BELOW ? x * 1e-19f : x);
}

static void bf16_product(const MfnIntegers *set, size_t m, size_t k, size_t n, int kind, bool act,
                         bool residual) {
    const size_t a_px = mfn_round_up(k, MFN_BLOCK), out_px = mfn_round_up(n, MFN_BLOCK);
    const size_t room = mfn_integers_bytes(set, k, n);
    Bytes levels = guarded_bytes(m * a_px * 2), w = guarded_bytes(room);
    Block scale = guarded(m), zero = guarded(m), out = guarded(m * out_px), r = guarded(m * out_px);
    Block bias = guarded(n), slope = guarded(n), weights = guarded(n * k);
    const Floats c = {weights.at, bias.at, slope.at};
    memset(w.at, 0, room);
    for (size_t i = 0; i < n * k; i++) weights.at[i] = bf16_number(kind);
    for (size_t j = 0; j < n; j++) {
        if (kind == BF16_WHOLE) bias.at[j] = truncf(bias.at[j] * 100), slope.at[j] = 0.25f;
        slope.at[j] = (float)bf16_near(slope.at[j]);
        if (kind == BF16_BELOW) bias.at[j] *= j % 2 ? 0 : 1e-37f;
    }
    bf16_lay_out(set, &c, k, n, w.at);
    for (size_t i = 0; i < m; i++)
        for (size_t p = 0; p < a_px; p++) {
            float x = p < k ? bf16_number(kind) : 0;
            if (kind == BF16_NOT_FINITE && p < k && i % 3 == 1 && p % 7 == i % 7)
                x = i % 2 ? NAN : INFINITY;
            bf16_put(levels.at + 2 * (i * a_px + p), x);
        }
    if (kind == BF16_WHOLE || kind == BF16_BELOW)
        for (size_t i = 0; i < m * out_px; i++)
            r.at[i] = kind == BF16_WHOLE ? truncf(r.at[i] * 1000) : r.at[i] * 1e-37f;
    MfnProduct g = {.levels = levels.at, .w = w.at, .scale = scale.at, .out = out.at,
                    .zero = (int32_t *)(void *)zero.at, .residual = residual ? r.at : NULL, .m = m,
                    .group = m, .k = k, .n = n, .a_px = a_px, .out_px = out_px, .act = act};
    set->product(&g);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double x = bias.at[j], magnitude = fabs(x), lost = 4 * 0x1p-126 * (double)k;
            for (size_t p = 0; p < k; p++) {
                const double product = (double)bf16_value(levels.at + 2 * (i * a_px + p)) *
                                       weights.at[j * k + p];
                x += product, magnitude += fabs(product);
            }
            const double bend = slope.at[j] - 1.0f;
            if (act) magnitude *= 1 + fabs(bend), lost *= 1 + fabs(bend);
            if (act && !(x > 0)) x += x * bend;
            if (residual) x += r.at[i * out_px + j], magnitude += fabs(r.at[i * out_px + j]);
            const float have = out.at[i * out_px + j];
            if (kind == BF16_WHOLE) {
                equal(have, x, "bf16 sum");
            } else if (!(fabs(have - x) <= lost)) {
                compare(have, x, magnitude, k, "bf16 product");
            }
        }
    release(levels.block), release(w.block), release(scale), release(zero), release(out);
    release(r), release(bias), release(slope), release(weights);
}

static void bf16_check(const char *isa, const MfnIntegers *set) {
    static const size_t sizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 33, 40, 48, 49, 72, 88, 96, 120};
    enum { N = sizeof sizes / sizeof *sizes };
    for (size_t c = 1; c < 60; c += 1 + c / 20 * 6)
        for (size_t group = 1; group < 9; group += 3)
            for (size_t m = 1; m < 40; m += 5) bf16_quantise(set, c, m, group);
    report(isa, "bf16-q");
    for (size_t i = 0; i < N; i += step)
        for (size_t j = i % step; j < N; j += step)
            for (int mode = 0; mode < 4 * BF16_KINDS; mode++)
                bf16_product(set, 1 + (i * 7 + j * 3) % 31, sizes[i], sizes[j], mode / 4, mode & 1,
                             mode & 2);
    bf16_product(set, 6, 4001, 12, BF16_DRAWN, true, true);
    report(isa, "bf16");
}

#endif
