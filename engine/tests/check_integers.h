// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The products in integers of check_kernels.c: levels and sums bit for bit, what is made of the sums
// within a bound. Everything is written here a second time, from the words of integer.h.
//
// Bound. An exact sum becomes a float, is multiplied twice, gets a bias, is bent (a product and a sum)
// and gets a residual: at most 7 roundings, each of at most u = 2^-24 of a magnitude that is at most
// that of all terms together.
#ifndef CHECK_INTEGERS_H
#define CHECK_INTEGERS_H

typedef struct Bytes {
    Block block;
    unsigned char *at;
} Bytes;

// `n` bytes that end where an inaccessible page begins.
static Bytes guarded_bytes(size_t n) {
    Bytes b = {guarded((n + 3) / 4), NULL};
    b.at = (unsigned char *)(void *)b.block.at + (n + 3) / 4 * 4 - n;
    memset(b.at, 0x55, n);
    return b;
}

static void equal(double have, double want, const char *what) {
    cases++;
    if (have == want || (have != have && want != want)) return;
    fprintf(stderr, "%s: %.9g, not %.9g\n", what, have, want);
    exit(1);
}

static int32_t level_of(const MfnIntegers *set, const unsigned char *levels, size_t i, int32_t zero) {
    int16_t wide;
    int32_t byte = set->offset ? (int8_t)levels[i] : levels[i];
    if (set->level_bytes == 1) return byte + set->offset - zero;
    memcpy(&wide, levels + 2 * i, sizeof wide);
    return wide;
}

// Kinds of groups: what every value of one is made of.
enum { PLAIN, ZEROS, EQUAL, NEGATIVE, TINY, HUGE_, WIDE_, NANS, NANS_NEGATIVE, INFINITE, TIES,
       KINDS };

static float value_of(int kind, size_t i) {
    float x = draw();
    bool odd = i % 5 == 3;
    switch (kind) {
    case ZEROS: return i % 2 ? 0.0f : -0.0f;
    case EQUAL: return 0.7f;
    case NEGATIVE: return -1.0f - x * x;
    case TINY: return x * 1e-30f;
    case HUGE_: return x * 1e38f;
    case TIES: return i % 2 ? 153.5f : -101.5f;  // both round away: 256 levels
    case WIDE_: return i % 2 ? 3e38f : -3e38f;
    case NANS: return odd ? NAN : x;
    case NANS_NEGATIVE: return odd ? -NAN : x;
    case INFINITE: return odd ? (i % 2 ? INFINITY : -INFINITY) : x;
    default: return x;
    }
}

static void quantise(const MfnIntegers *set, size_t channels, size_t m, size_t group) {
    const size_t px = mfn_round_up(channels, MFN_BLOCK);
    Block in = guarded(m * px), scale = guarded(m), zero = guarded(m);
    Bytes levels = guarded_bytes(m * px * set->level_bytes);
    for (size_t i = 0; i < m; i++)
        for (size_t c = 0; c < px; c++)
            in.at[i * px + c] = c < channels ? value_of((int)(i / group + channels) % KINDS, i + c)
                                             : (c % 2 ? NAN : 1e30f);
    MfnQuantise q = {.in = in.at, .levels = levels.at, .scale = scale.at, .m = m, .group = group,
                     .zero = (int32_t *)(void *)zero.at, .channels = channels, .px = px};
    set->quantise(&q);
    for (size_t at = 0; at < m; at += group) {
        const size_t end = at + group < m ? at + group : m;
        float lo = 0, hi = 0;
        bool finite = true;
        for (size_t i = at; i < end; i++)
            for (size_t c = 0; c < channels; c++) {
                float x = in.at[i * px + c];
                finite = finite && isfinite(x);
                if (x < lo) lo = x;
                if (x > hi) hi = x;
            }
        float width = set->bits == 8 ? hi - lo : hi > -lo ? hi : -lo;
        finite = finite && isfinite(width);
        if (width < 0x1p-96f) width = 0x1p-96f;
        const int top = set->bits == 8 ? 255 : 1023;
        float by = (float)top / width, start = -lo * by;
        const int32_t origin = finite && set->bits == 8 ? (int32_t)lrintf(start) : 0;
        // Stored as a float: an argument would keep the precision of a wider evaluation.
        const float stands = finite ? width / (float)top : NAN;
        for (size_t i = at; i < end; i++) {
            equal(scale.at[i], stands, "scale");
            equal(q.zero[i], origin, "zero");
            for (size_t c = 0; c < channels; c++) {
                float product = in.at[i * px + c] * by;
                int32_t want = finite ? (int32_t)lrintf(product) : 0;
                if (set->bits == 8 && want > 255 - origin) want = 255 - origin;
                equal(level_of(set, levels.at, i * px + c, origin), want, "level");
            }
        }
    }
    release(in), release(scale), release(zero), release(levels.block);
}

typedef struct Columns {
    int32_t *weights;  // [n][k]
    float *bias, *slope, *scale;  // the last two are bfloat16
} Columns;

static uint16_t upper_half(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)(bits >> 16);
}

static void cut(float *x) {
    uint32_t bits = (uint32_t)upper_half(*x) << 16;
    memcpy(x, &bits, sizeof bits);
}

static void lay_out(const MfnIntegers *set, const Columns *c, size_t k, size_t n, unsigned char *out) {
    const size_t deep = mfn_round_up(k, set->step);
    for (size_t at = 0; at < n;) {
        const size_t wide = set->panel(n - at);
        for (size_t j = 0; j < wide && at + j < n; j++) {
            for (size_t i = 0; i < k; i++) {
                int32_t w = c->weights[(at + j) * k + i];
                int16_t two = (int16_t)w;
                int8_t one = (int8_t)w;
                size_t to = (i / set->step * wide + j) * set->step + i % set->step;
                memcpy(out + MFN_INT_HEAD * wide + to * set->weight_bytes,
                       set->weight_bytes == 1 ? (void *)&one : (void *)&two, set->weight_bytes);
            }
            memcpy(out + j * 4, &c->bias[at + j], 4);
            const uint16_t scale = upper_half(c->scale[at + j]), slope = upper_half(c->slope[at + j]);
            memcpy(out + 4 * wide + j * 2, &scale, 2);
            memcpy(out + 6 * wide + j * 2, &slope, 2);
        }
        out += wide * (MFN_INT_HEAD + deep * set->weight_bytes);
        at += wide;
    }
}

// `exact`: the output is the sum itself. Every fourth column and third pixel have extreme values.
static void product(const MfnIntegers *set, size_t m, size_t k, size_t n, size_t group, bool exact,
                    bool act, bool residual) {
    const size_t a_px = mfn_round_up(k, MFN_BLOCK), out_px = mfn_round_up(n, MFN_BLOCK);
    const int top = set->bits == 8 ? 127 : 2047;
    const size_t room = mfn_integers_bytes(set, k, n);
    Bytes levels = guarded_bytes(m * a_px * set->level_bytes), w = guarded_bytes(room);
    Block scale = guarded(m), zero = guarded(m), out = guarded(m * out_px), r = guarded(m * out_px);
    Block bias = guarded(n), slope = guarded(n), by = guarded(n), ints = guarded(n * k);
    Columns c = {(int32_t *)(void *)ints.at, bias.at, slope.at, by.at};
    int32_t *origin = (int32_t *)(void *)zero.at;
    memset(w.at, 0, room);
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < k; i++)
            c.weights[j * k + i] = j % 4 == 3 ? (j % 8 == 3 ? top : -top) : (int32_t)(draw() * (float)top);
        if (exact) bias.at[j] = 0, by.at[j] = 1;
        cut(&slope.at[j]), cut(&by.at[j]);
    }
    lay_out(set, &c, k, n, w.at);
    for (size_t i = 0; i < m; i++) {
        const int kind = (int)(i / group % 3);
        origin[i] = set->bits == 16 ? 0 : kind == 0 ? 0 : kind == 1 ? 255 : 93;
        scale.at[i] = exact ? 1 : kind == 2 && group == 2 ? NAN : 0.01f + draw() * draw();
        if (i % group) scale.at[i] = scale.at[i - 1];
        for (size_t p = 0; p < k; p++) {
            const bool extreme = i % 3 == 2;
            int32_t v = set->bits == 16 ? (extreme ? 1023 : (int32_t)(draw() * 1023.0f))
                                        : (extreme ? (kind == 1 ? 0 : 255) : (int32_t)(draw() * draw() * 255.0f));
            if (set->bits == 8 && v < 0) v = -v;
            if (set->level_bytes == 1) {
                levels.at[i * a_px + p] = (unsigned char)(v - set->offset);
            } else {
                int16_t two = (int16_t)(v - origin[i]);
                memcpy(levels.at + 2 * (i * a_px + p), &two, sizeof two);
            }
        }
    }
    MfnProduct g = {.levels = levels.at, .w = w.at, .scale = scale.at, .zero = origin, .out = out.at,
                    .residual = residual ? r.at : NULL, .m = m, .group = group, .k = k, .n = n,
                    .a_px = a_px, .out_px = out_px, .act = act};
    set->product(&g);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            int64_t sum = 0;
            for (size_t p = 0; p < k; p++)
                sum += (int64_t)level_of(set, levels.at, i * a_px + p, origin[i]) * c.weights[j * k + p];
            const float have = out.at[i * out_px + j];
            if (exact) {
                equal(have, (double)(float)sum, "sum");
                continue;
            }
            double x = (double)sum * scale.at[i] * by.at[j], magnitude = fabs(x) + fabs(bias.at[j]);
            x += bias.at[j];
            const double bend = slope.at[j] - 1.0f;
            if (act) magnitude *= 1 + fabs(bend);
            if (act && !(x > 0)) x += x * bend;
            if (residual) x += r.at[i * out_px + j], magnitude += fabs(r.at[i * out_px + j]);
            compare(have, x, magnitude, 3, "product");  // 3 + 4 roundings
        }
    release(levels.block), release(w.block), release(scale), release(zero), release(out);
    release(r), release(bias), release(slope), release(by), release(ints);
}

// The stem's: levels of pixels, from offsets that lie in any order and share levels, and weights that
// fill what room the sums have. The last offset's levels end at the page.
static void stem(const MfnIntegers *set, size_t m, size_t k, size_t n, bool exact, bool act) {
    const size_t a_px = 6, out_px = mfn_round_up(n, MFN_BLOCK), steps = (k + set->step - 1) / set->step;
    const size_t many = (m - 1) * a_px + steps + set->step - 1, room = mfn_integers_bytes(set, k, n);
    const int64_t most = INT32_MAX / (255 * (int64_t)k), top = most < 32767 ? most : 32767;
    Bytes levels = guarded_bytes(many * sizeof(int16_t)), w = guarded_bytes(room);
    Block taps = guarded(steps), out = guarded(m * out_px);
    Block bias = guarded(n), slope = guarded(n), by = guarded(n), ints = guarded(n * k);
    Columns c = {(int32_t *)(void *)ints.at, bias.at, slope.at, by.at};
    int32_t *tap = (int32_t *)(void *)taps.at;
    memset(w.at, 0, room);
    for (size_t s = 0; s < steps; s++) tap[s] = (int32_t)((s * 7 + steps - 1) % steps);
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < k; i++)
            c.weights[j * k + i] = (int32_t)(j % 4 == 3 ? (j % 8 == 3 ? top : -top)
                                                        : (int64_t)(draw() * (float)top));
        if (exact) bias.at[j] = 0, by.at[j] = 1;
        cut(&slope.at[j]), cut(&by.at[j]);
    }
    lay_out(set, &c, k, n, w.at);
    for (size_t i = 0; i < many; i++) {
        int16_t v = (int16_t)(m % 3 == 2 ? -255 : 2 * (int)(draw() * 127.0f) + 1);
        memcpy(levels.at + i * sizeof v, &v, sizeof v);
    }
    const float scale = exact ? 1 : 0.37f;
    MfnProduct g = {.levels = levels.at, .w = w.at, 
                    .taps = tap, .scale = &scale, .out = out.at, .m = m, .group = m,
                    .k = k, .n = n, .a_px = a_px, .out_px = out_px, .act = act};
    set->product(&g);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            int64_t sum = 0;
            for (size_t p = 0; p < k; p++) {
                const size_t from = i * a_px + (size_t)tap[p / set->step] + p % set->step;
                sum += (int64_t)level_of(set, levels.at, from, 0) * c.weights[j * k + p];
            }
            const float have = out.at[i * out_px + j];
            if (exact) {
                equal(have, (double)(float)sum, "stem's sum");
                continue;
            }
            double x = (double)sum * scale * by.at[j], magnitude = fabs(x) + fabs(bias.at[j]);
            x += bias.at[j];
            const double bend = slope.at[j] - 1.0f;
            if (act) magnitude *= 1 + fabs(bend);
            if (act && !(x > 0)) x += x * bend;
            compare(have, x, magnitude, 2, "stem");  // 2 + 4 roundings
        }
    release(levels.block), release(w.block), release(taps), release(out);
    release(bias), release(slope), release(by), release(ints);
}

static void pixels(const MfnKernels *kn, size_t n) {
    Bytes in = guarded_bytes(n), out = guarded_bytes(n * sizeof(int16_t));
    for (size_t i = 0; i < n; i++) in.at[i] = (unsigned char)(i * 7);
    kn->pixels(in.at, (int16_t *)(void *)out.at, n);
    for (size_t i = 0; i < n; i++) {
        int16_t v;
        memcpy(&v, out.at + i * sizeof v, sizeof v);
        equal(v, 2 * (int)in.at[i] - 255, "pixel");
    }
    release(in.block), release(out.block);
}

static void stems(const char *isa, const MfnKernels *kn) {
    for (size_t n = 1; n < 300; n++) pixels(kn, n);
    report(isa, "pixel");
    if (!kn->stem) return;
    static const size_t sizes[] = {1, 7, 8, 9, 15, 16, 17, 24, 31, 33, 40, 48, 49, 72, 88};
    enum { N = sizeof sizes / sizeof *sizes };
    for (size_t i = 0; i < N; i += step)
        for (size_t m = 1; m < 20; m++)
            for (int mode = 0; mode < 3; mode++)
                stem(kn->stem, m, 1 + (i * 7 + m * 3) % 31, sizes[i], mode == 2, mode & 1);
    // The deepest sums: those of the largest window.
    stem(kn->stem, 8, 3 * MFN_FMT_MAX_STEM_KERNEL * MFN_FMT_MAX_STEM_KERNEL, 9, true, false);
    report(isa, "stem");
}

static void integers(const char *isa, const MfnIntegers *set) {
    static const size_t sizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 33, 40, 48, 49, 72, 88, 96, 120};
    enum { N = sizeof sizes / sizeof *sizes };
    char slot[16];
    for (size_t c = 1; c < 60; c += 1 + c / 20 * 6)
        for (size_t group = 1; group < 9; group += 3)
            for (size_t m = 1; m < 40; m += 5) quantise(set, c, m, group);
    snprintf(slot, sizeof slot, "i%d-q", set->bits);
    report(isa, slot);
    for (size_t i = 0; i < N; i += step)
        for (size_t j = i % step; j < N; j += step) {
            const size_t m = 1 + (i * 7 + j * 3) % 31, k = sizes[i], group = 1 + (i + 5 * j) % 15;
            for (int mode = 0; mode < 5; mode++)
                product(set, m, k, sizes[j], group, mode == 4, mode & 1, mode & 2);
        }
    // The deepest sums: what a layer may have at most.
    product(set, 6, set->bits == 8 ? 65535 : MFN_DEPTH_16, 12, 3, true, false, false);
    snprintf(slot, sizeof slot, "i%d", set->bits);
    report(isa, slot);
}

#endif
