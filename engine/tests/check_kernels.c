// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Every row of isa.def, every slot, many edge sizes, against sums in double; each buffer ends at
// a page that faults, and what is written before one is seen. --few takes a fraction of the sizes; --bench
// times the same calls; ROW [SLOT] checks that row, or one of its products below float32 (i8, i16, bf16),
// and exits with 77 where it is not here.
//
// Bound. A float32 sum of k products in any order, each operation rounded by at most u = 2^-24 of its
// result, is off by at most (k + 1) u / (1 - (k + 1) u) times the sum of the magnitudes; bias, PReLU and
// residual add one rounding each. With k + 4 <= 4096 the quotient is below 1.001 (k + 4) u.
#define _DEFAULT_SOURCE 1
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../src/cpu.h"
#include "../src/engine.h"
#include "../src/kernels.h"
#include "facex_mfn.h"

static double worst;  // largest error, relative to its bound, of the slot under test
static long cases;

static uint32_t seed = 1;
static float draw(void) {
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / 8388608.0f - 1.0f;
}

typedef struct Block {
    char *map;
    size_t bytes;
    float *at;
} Block;

// `n` floats that end where an inaccessible page begins. Before them lie less than a page of bytes that are
// all set (NaN to a float, -1 to a level), and another inaccessible page.
static Block guarded(size_t n) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), need = n * sizeof(float);
    size_t body = (need + page - 1) / page * page;
    Block b = {mmap(NULL, body + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
               body + 2 * page, NULL};
    if (b.map == MAP_FAILED) abort();
    char *front = b.map + page;
    if (mprotect(b.map, page, PROT_NONE) || mprotect(front + body, page, PROT_NONE)) abort();
    memset(front, 0xff, body - need);
    b.at = (float *)(void *)(front + body - need);
    for (size_t i = 0; i < n; i++) b.at[i] = draw();
    return b;
}

// What was written before the floats has changed one of the bytes there.
static void release(Block b) {
    const char *front = b.map + sysconf(_SC_PAGESIZE);
    const size_t gap = (size_t)((const char *)b.at - front);
    if (gap && ((unsigned char)front[0] != 0xff || memcmp(front, front + 1, gap - 1))) {
        fprintf(stderr, "written before a buffer\n");
        exit(1);
    }
    munmap(b.map, b.bytes);
}

static double bound_of(double magnitude, size_t terms) {
    return 1.001 * (double)(terms + 4) * 0x1p-24 * magnitude + 1e-37;
}

// What is not finite must be the same.
static void compare(double have, double want, double magnitude, size_t terms, const char *slot) {
    bool same = isnan(want) ? isnan(have) : isinf(want) && have == want;
    double part = same ? 0 : fabs(have - want) / bound_of(magnitude, terms);
    cases++;
    if (!(part <= 1.0)) {
        fprintf(stderr, "%s: %.9g, not %.9g: %.1f times the bound\n", slot, have, want, part);
        exit(1);
    }
    if (part > worst) worst = part;
}

static double prelu(double x, double slope) { return x > 0 ? x : slope * x; }

// Some channels get a slope that is not finite: where the sum is above 0 it must not show.
static float slope_at(size_t channel, float drawn) {
    const float odd[] = {NAN, INFINITY, -INFINITY};
    return channel % 5 == 2 ? odd[channel % 3] : drawn;
}

// The sign of such a sum depends on the order of summation, and so does what its slope makes of it.
static bool unclear(double sum, double magnitude, size_t terms, double slope) {
    return !isfinite(slope) && fabs(sum) <= bound_of(magnitude, terms);
}

static size_t panels(size_t (*panel)(size_t), size_t k, size_t n) {
    size_t total = 0;
    for (size_t at = 0; at < n; at += panel(n - at)) total += panel(n - at) * (k + 2);
    return total;
}

// Column j's bias, slope and weights inside the panels.
static float *column(size_t (*panel)(size_t), float *w, size_t k, size_t n, size_t j,
                     size_t *wide) {
    for (size_t at = 0;;) {
        *wide = panel(n - at);
        if (j < at + *wide) return w + (j - at);
        w += *wide * (k + 2), at += *wide;
    }
}

static void gemm(const MfnKernels *kn, size_t m, size_t k, size_t n, bool act, bool residual,
                 bool taps, bool fc) {
    size_t (*panel)(size_t) = fc ? kn->fc_panel : kn->panel;
    size_t a_px = taps ? 6 : mfn_round_up(k, MFN_BLOCK), out_px = mfn_round_up(n, MFN_BLOCK);
    Block a = guarded((m - 1) * a_px + k), w = guarded(panels(panel, k, n));
    size_t room = fc ? out_px + 128 : m * out_px;
    Block out = guarded(room), r = guarded(m * out_px);
    int32_t *tap = malloc(k * sizeof *tap);
    if (!tap) abort();
    for (size_t i = 0; i < k; i++) tap[i] = (int32_t)((i * 7) % k);
    MfnGemm g = {.a = a.at, .w = w.at, .out = out.at, .m = m, .k = k, .n = n, .a_px = a_px,
                 .out_px = out_px, .act = act, .taps = taps ? tap : NULL,
                 .residual = residual ? r.at : NULL};
    size_t wide;
    for (size_t j = 0; j < n; j++) {
        float *c = column(panel, w.at, k, n, j, &wide);
        c[wide] = slope_at(j, c[wide]);
    }
    (fc ? kn->fc : kn->gemm)(&g);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            const float *c = column(panel, w.at, k, n, j, &wide);
            double sum = c[0], magnitude = fabs(sum), slope = c[wide];
            for (size_t p = 0; p < k; p++) {
                double x = (double)a.at[i * a_px + (taps ? (size_t)tap[p] : p)] * c[(p + 2) * wide];
                sum += x, magnitude += fabs(x);
            }
            if (act && unclear(sum, magnitude, k, slope)) continue;
            if (act) sum = prelu(sum, slope);
            if (residual) sum += r.at[i * out_px + j], magnitude += fabs(r.at[i * out_px + j]);
            compare(out.at[i * out_px + j], sum, magnitude, k, fc ? "fc" : "gemm");
        }
    free(tap);
    release(a), release(w), release(out), release(r);
}

static void dw3(const MfnKernels *kn, size_t channels, size_t w_in, size_t n_rows, size_t stride) {
    size_t px = mfn_round_up(channels, MFN_BLOCK), w_out = (w_in - 1) / stride + 1;
    size_t in_rows = (n_rows - 1) * stride + 3;
    Block in = guarded(in_rows * w_in * px), w = guarded(px * 11), out = guarded(n_rows * w_out * px);
    const float **rows = malloc(in_rows * sizeof *rows);
    if (!rows) abort();
    for (size_t c = 0; c < channels; c++) {
        float *slope = w.at + c / MFN_BLOCK * 11 * MFN_BLOCK + 10 * MFN_BLOCK + c % MFN_BLOCK;
        *slope = slope_at(c, *slope);
    }
    // Rows need not lie in order: they come from a ring.
    for (size_t y = 0; y < in_rows; y++) rows[y] = in.at + (in_rows - 1 - y) * w_in * px;
    MfnDw d = {.rows = rows, .w = w.at, .out = out.at, .channels = channels, .px = px,
               .w_in = w_in, .w_out = w_out, .n_rows = n_rows, .stride = stride};
    kn->dw3(&d);
    for (size_t y = 0; y < n_rows; y++)
        for (size_t x = 0; x < w_out; x++)
            for (size_t c = 0; c < channels; c++) {
                const float *t = w.at + c / MFN_BLOCK * 11 * MFN_BLOCK + c % MFN_BLOCK;
                double sum = t[9 * MFN_BLOCK], magnitude = fabs(sum);
                for (size_t i = 0; i < 9; i++) {
                    size_t col = x * stride + i % 3;
                    if (col < 1 || col > w_in) continue;
                    double v = (double)rows[y * stride + i / 3][(col - 1) * px + c] * t[i * MFN_BLOCK];
                    sum += v, magnitude += fabs(v);
                }
                double slope = t[10 * MFN_BLOCK];
                if (unclear(sum, magnitude, 9, slope)) continue;
                compare(out.at[(y * w_out + x) * px + c], prelu(sum, slope), magnitude, 9, "dw3");
            }
    free(rows);
    release(in), release(w), release(out);
}

static void gdc(const MfnKernels *kn, size_t channels, size_t pixels) {
    size_t px = mfn_round_up(channels, MFN_BLOCK);
    Block in = guarded(pixels * px), w = guarded(px * (pixels + 1)), out = guarded(px);
    MfnGdc g = {.in = in.at, .w = w.at, .out = out.at, .channels = channels, .px = px,
                .pixels = pixels};
    kn->gdc(&g);
    for (size_t c = 0; c < channels; c++) {
        const float *t = w.at + c / MFN_BLOCK * (pixels + 1) * MFN_BLOCK + c % MFN_BLOCK;
        double sum = t[pixels * MFN_BLOCK], magnitude = fabs(sum);
        for (size_t p = 0; p < pixels; p++) {
            double v = (double)in.at[p * px + c] * t[p * MFN_BLOCK];
            sum += v, magnitude += fabs(v);
        }
        compare(out.at[c], sum, magnitude, pixels, "gdc");
    }
    release(in), release(w), release(out);
}

// The same bits in every set: a product is rounded once, all else is copied.
static void widen(const MfnKernels *kn, size_t channels, size_t area, bool slopes) {
    const size_t px = mfn_round_up(channels, MFN_BLOCK), stride = area + (slopes ? 2 : 1);
    const size_t bytes = px * (area + (slopes ? 8 : 6));
    Block w = guarded(bytes / sizeof(float)), out = guarded(px * stride);
    unsigned char *at = (unsigned char *)(void *)w.at;
    MfnWiden n = {.w = at, .out = out.at, .channels = channels, .area = area, .slopes = slopes};
    kn->widen(&n);
    for (size_t c = 0; c < channels; c++) {
        const size_t lane = c % MFN_BLOCK;
        const unsigned char *block = at + c / MFN_BLOCK * (bytes / (px / MFN_BLOCK));
        const unsigned char *bias = block + area * MFN_BLOCK, *half = bias + 4 * MFN_BLOCK;
        const float *have = out.at + c / MFN_BLOCK * stride * MFN_BLOCK + lane;
        uint16_t upper[2] = {0, 0};
        memcpy(&upper[0], half + 2 * lane, 2);
        if (slopes) memcpy(&upper[1], half + 2 * (MFN_BLOCK + lane), 2);
        for (size_t i = 0; i < stride; i++, cases++) {
            float want;
            uint32_t bits = (uint32_t)upper[i > area] << 16;
            memcpy(&want, &bits, sizeof want);
            if (i < area) want *= (float)(int8_t)block[i * MFN_BLOCK + lane];
            if (i == area) memcpy(&want, bias + 4 * lane, sizeof want);
            compare(have[i * MFN_BLOCK], want, 0, 0, "widen");
        }
    }
    release(w), release(out);
}

// Exact: every (p - 127.5) / 128 is a float32.
static void u8(const MfnKernels *kn, size_t n) {
    Block out = guarded(n), in = guarded((n + 3) / 4);
    uint8_t *bytes = (uint8_t *)(void *)in.at + (n + 3) / 4 * 4 - n;
    for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)(i * 7);
    kn->u8(bytes, out.at, n);
    for (size_t i = 0; i < n; i++)
        if (out.at[i] != ((float)bytes[i] - 127.5f) / 128.0f) abort();
    cases += (long)n;
    release(out), release(in);
}

static void report(const char *isa, const char *slot) {
    printf("%-10s %-5s %8ld values, worst %.3f of the bound\n", isa, slot, cases, worst);
    worst = 0, cases = 0;
}

static size_t step = 1;  // through the sizes; odd, so that no width is always missed

#include "check_integers.h"

#include "check_bf16.h"

static void floats(const char *isa, const MfnKernels *kn) {
    static const size_t sizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 33, 40, 48, 49, 56, 72};
    enum { N = sizeof sizes / sizeof *sizes };
    for (size_t i = 0; i < N; i += step)
        for (size_t j = i % step; j < N; j += step)
            for (int mode = 0; mode < 8; mode++)
                gemm(kn, sizes[i], 1 + (i * 5 + j) % 29, sizes[j], mode & 1, mode & 2, mode & 4, false);
    gemm(kn, 56, 704, 176, false, true, false, false);
    report(isa, "gemm");
    for (size_t n = 1; n < 300; n += n < 20 ? 1 : 7) gemm(kn, 1, 1 + n % 50, n, false, false, false, true);
    report(isa, "fc");
    for (size_t c = 1; c < 60; c += step * (c < 18 ? 1 : 7))
        for (size_t w = 1; w < 20; w += step)
            for (size_t rows = 1; rows < 6; rows++)
                for (size_t s = 1; s <= 4; s++) dw3(kn, c, w, rows, s);
    report(isa, "dw3");
    for (size_t c = 1; c < 60; c += 3)
        for (size_t p = 1; p < 60; p += 3) gdc(kn, c, p);
    report(isa, "gdc");
    for (size_t c = 1; c < 60; c += 3)
        for (size_t area = 1; area < 60; area += area < 12 ? 1 : 7)
            for (int slopes = 0; slopes < 2; slopes++) widen(kn, c, area, slopes);
    report(isa, "widen");
    for (size_t n = 1; n < 300; n++) u8(kn, n);
    report(isa, "u8");
    stems(isa, kn);
}

static const char *only_row, *only_slot;

static void below_float32(const char *isa, const MfnIntegers *set) {
    const char *slot = set->bf16 ? "bf16" : set->bits == 8 ? "i8" : "i16";
    if (!only_slot || strcmp(only_slot, slot) == 0) (set->bf16 ? bf16_check : integers)(isa, set);
}

static void check(const char *isa, const MfnKernels *kn) {
    if (!only_slot) floats(isa, kn);
    if (kn->fast) below_float32(isa, kn->fast);
    if (kn->high && kn->high != kn->fast) below_float32(isa, kn->high);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Core cycles per second, from a chain of additions that each wait for the one before.
static double clock_rate(void) {
    enum { STEPS = 2000000 };
    double best = 0;
    for (int run = 0; run < 10; run++) {
        uint64_t x = 0;
        double start = now();
        for (int i = 0; i < STEPS; i++) {
            x += 1;
            __asm__ volatile("" : "+r"(x));
            x += 3;
            __asm__ volatile("" : "+r"(x));
            x += 5;
            __asm__ volatile("" : "+r"(x));
            x += 7;
            __asm__ volatile("" : "+r"(x));
        }
        double rate = 4.0 * STEPS / (now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

static void bench(const char *isa, const MfnKernels *kn) {
    static const size_t shapes[][3] = {{784, 24, 48}, {784, 48, 24}, {196, 88, 176}, {196, 176, 88},
                                       {49, 176, 688}, {196, 112, 56}, {49, 352, 176}};
    double peak = mfn_fma_peak(isa), clock = clock_rate();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        size_t m = shapes[i][0], k = shapes[i][1], n = shapes[i][2];
        size_t a_px = mfn_round_up(k, MFN_BLOCK), out_px = mfn_round_up(n, MFN_BLOCK);
        Block a = guarded(m * a_px), w = guarded(panels(kn->panel, k, n)), out = guarded(m * out_px);
        MfnGemm g = {.a = a.at, .w = w.at, .out = out.at, .m = m, .k = k, .n = n, .a_px = a_px,
                     .out_px = out_px, .act = true};
        double best = 1e9;
        for (int run = 0; run < 60; run++) {
            double start = now();
            for (int j = 0; j < 10; j++) kn->gemm(&g);
            double took = (now() - start) / 10;
            if (took < best) best = took;
        }
        printf("%-8s gemm %4zu x %3zu x %3zu %9.0f cycles %6.1f %% of peak\n", isa, m, k, n, best * clock,
               100.0 * (double)(m * k * n) / best / peak);
        release(a), release(w), release(out);
    }
}

int main(int argc, char **argv) {
    bool timed = false, missing = false;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--bench") == 0) timed = true;
        else if (strcmp(argv[i], "--few") == 0) step = 5;
        else *(only_row ? &only_slot : &only_row) = argv[i], missing = true;
    for (int i = 0; i < mfn_isa_count(); i++) {
        MfnKernels kn;
        const char *name = mfn_isa_name(i);
        if (only_row && strcmp(only_row, name) != 0) continue;
        if (!mfn_isa_supported(i) || mfn_isa_resolve(name, &kn) < 0) {
            printf("%-10s not supported here\n", name);
            continue;
        }
        missing = false;
        (timed ? bench : check)(name, &kn);
    }
    return missing ? 77 : 0;
}
