// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// A diagnostic command that needs nothing but the engine, linked with it as objects or an archive.
#include "../src/platform.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "facex_mfn.h"
#include "kinds.gen.h"

enum { VALUES = 3 * 112 * 112 };

static const char usage[] =
    "usage: mfn-cli [--isa NAME] [--precision f32|high|fast] [--as-given] VERB WEIGHTS [INPUT]\n"
    "  header   the network's shape, and what the engine made of it\n"
    "  layers   a line for each layer: shape, arithmetic, bytes of its weights\n"
    "  time     milliseconds of one forward pass, and each layer's share of the peak\n"
    "  check    every instruction set against the scalar one, in f32; exit 1 beyond 1e-5\n"
    "  embed    INPUT: 37,632 float32 as they lie in memory, CHW; prints the embedding\n"
    "A picture is turned by 180 degrees where the file asks for it, unless --as-given is there.\n"
    "exit codes: 0 fine, 1 refused or failed, 2 usage\n";

static int fail(const char *what, const char *why) {
    fprintf(stderr, "mfn-cli: %s: %s\n", what, why);
    return 1;
}

// What a file that is not EFM3 is, where its first bytes say so.
static void name_kind(const char *path) {
    unsigned char head[KIND_REACH];
    FILE *f = mfn_os_stream(path);
    if (!f) return;
    size_t have = fread(head, 1, sizeof head, f);
    fclose(f);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].at + kinds[i].length <= have &&
            (!kinds[i].binary || memchr(head, 0, have)) &&
            memcmp(head + kinds[i].at, kinds[i].bytes, kinds[i].length) == 0) {
            fprintf(stderr, "mfn-cli: %s: this is %s; `efm3 validate` says what to do\n", path,
                    kinds[i].words);
            return;
        }
}

static int load(const char *path, const MfnOptions *options, MfnEngine *engine) {
    MfnError e;
    int rc = mfn_engine_init_file(path, options, engine, &e);
    if (rc && e.offset >= 0)
        fprintf(stderr, "mfn-cli: %s: byte %lld: %s (%s)\n", path, (long long)e.offset, e.text,
                mfn_status_name(rc));
    else if (rc)
        fprintf(stderr, "mfn-cli: %s: %s (%s)\n", path, e.text, mfn_status_name(rc));
    if (rc == MFN_E_MAGIC) name_kind(path);
    return rc;
}

// The same picture everywhere: a fixed pattern of all magnitudes in [-1, 1].
static float *pattern(void) {
    float *x = malloc(VALUES * sizeof *x);
    uint32_t state = 1;
    for (int i = 0; x && i < VALUES; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
    }
    return x;
}

static int header(const MfnEngine *engine) {
    MfnInfo i;
    mfn_engine_info(engine, &i);
    int turned = mfn_engine_turned(engine);
    if (turned) printf("picture: %s\n", turned > 0 ? "turned by 180 degrees" : mfn_strerror(turned));
    printf("stem_kernel %d  stem_stride %d  gdc_kernel %d\n", i.stem_kernel, i.stem_stride,
           i.gdc_kernel);
    printf("stem_channels %d  block_channels %d  final_channels %d  embedding_dim %d\n",
           i.stem_channels, i.block_channels, i.final_channels, i.embedding_dim);
    for (int s = 0; s < i.n_stages; s++)
        printf("stage %d: t %d  n %d  s %d\n", s + 1, i.stage_t[s], i.stage_n[s], i.stage_s[s]);
    printf("%d layers, %llu multiply-adds, %s\n", i.n_layers, (unsigned long long)i.macs, i.isa);
    printf("%llu bytes of packed weights, %llu of scratch\n", (unsigned long long)i.weight_bytes,
           (unsigned long long)i.scratch_bytes);
    return 0;
}

static int layers(const MfnEngine *engine) {
    MfnLayerInfo l;
    for (int i = 0; mfn_engine_layer(engine, i, &l) == MFN_OK; i++)
        printf("%-24s %4d -> %4d  %2dx%-2d stride %d groups %4d  %3d -> %3d  "
               "%-4s %8llu bytes%s%s\n",
               l.name, l.c_in, l.c_out, l.kernel, l.kernel, l.stride, l.groups, l.h_in, l.h_out,
               l.arithmetic, (unsigned long long)l.weight_bytes, l.has_act ? "  prelu" : "",
               l.has_residual ? "  residual" : "");
    return 0;
}

static double now(void) { return 1e-9 * (double)mfn_os_nanoseconds(); }

static int timing(const MfnEngine *engine, const float *x, float *out, double *seconds) {
    enum { RUNS = 200 };
    MfnInfo info;
    mfn_engine_info(engine, &info);
    double best = 1e30, peak = mfn_fma_peak(info.isa);
    for (int i = 0; i < RUNS; i++) {
        double start = now();
        int rc = mfn_engine_forward(engine, x, out);
        double took = now() - start;
        if (rc) return fail("forward", mfn_strerror(rc));
        if (took < best) best = took;
    }
    printf("%s: least of %d runs %.3f ms, %.1f %% of %.1f G multiply-adds a second\n", info.isa, RUNS,
           best * 1e3, 100 * (double)info.macs / best / peak, peak / 1e9);
    int rc = mfn_engine_profile(engine, x, 20, seconds, (size_t)info.n_layers);
    if (rc) return fail("profile", mfn_strerror(rc));
    MfnLayerInfo l;
    for (int i = 0; mfn_engine_layer(engine, i, &l) == MFN_OK; i++)
        printf("  %-24s %-4s %8.1f us %6.1f %%\n", l.name, i ? l.arithmetic : "f32",  // no pixels
               seconds[i] * 1e6, 100 * (double)l.macs / seconds[i] / peak);
    return 0;
}

static int check(const char *path, MfnOptions options, const float *x, float *out, int dim) {
    int bad = 0;
    options.precision = MFN_F32;  // below it two sets need not run in the same arithmetic
    float *want = malloc((size_t)dim * sizeof *want);
    if (!want) return fail("check", "out of memory");
    for (int i = mfn_isa_count() - 1; i >= 0; i--) {
        if (!mfn_isa_supported(i)) {
            printf("%-8s not supported here\n", mfn_isa_name(i));
            continue;
        }
        MfnEngine e;
        options.isa = mfn_isa_name(i);
        int rc = load(path, &options, &e);
        if (!rc) {
            rc = mfn_engine_forward(&e, x, out);
            if (rc) fail(path, mfn_strerror(rc));
            mfn_engine_free(&e);
        }
        if (rc) {
            free(want);
            return 1;
        }
        if (i == mfn_isa_count() - 1) memcpy(want, out, (size_t)dim * sizeof *want);
        double worst = 0;
        for (int k = 0; k < dim; k++) {
            double off = fabs((double)out[k] - want[k]);
            if (!(off <= worst)) worst = off;  // a NaN too
        }
        bool ok = worst <= 1e-5;
        bad += !ok;
        printf("%-8s max difference to scalar %.2e  %s\n", mfn_isa_name(i), worst,
               ok ? "ok" : "FAIL");
    }
    free(want);
    return bad ? 1 : 0;
}

static int embed(const MfnEngine *engine, const char *path, float *x, float *out, int dim) {
    FILE *f = mfn_os_stream(path);
    if (!f) return fail(path, "cannot be opened");
    char extra;
    bool whole = fread(x, sizeof *x, VALUES, f) == VALUES && fread(&extra, 1, 1, f) == 0;
    fclose(f);
    if (!whole) return fail(path, "not 37,632 float32 values");
    int rc = mfn_engine_forward(engine, x, out);
    if (rc) return fail(path, mfn_strerror(rc));
    for (int i = 0; i < dim; i++) printf("%.9g\n", (double)out[i]);
    return 0;
}

int main(int argc, char **argv) {
    MfnOptions options = {.isa = NULL};
    argv = mfn_arguments(&argc, argv);
    if (!argv) return fail("arguments", "out of memory");
    if (argc > 2 && strcmp(argv[1], "--isa") == 0) options.isa = argv[2], argc -= 2, argv += 2;
    if (argc > 2 && strcmp(argv[1], "--precision") == 0) {
        static const char *const names[] = {"f32", "high", "fast"};
        options.precision = -1;
        for (int i = 0; i < 3; i++)
            if (strcmp(argv[2], names[i]) == 0) options.precision = i;
        if (options.precision < 0) {
            fputs(usage, stderr);
            return 2;
        }
        argc -= 2, argv += 2;
    }
    if (argc > 1 && strcmp(argv[1], "--as-given") == 0) options.as_given = 1, argc--, argv++;
    bool embeds = argc == 4 && strcmp(argv[1], "embed") == 0;
    if (argc != 3 && !embeds) {
        fputs(usage, stderr);
        return 2;
    }
    const char *verb = argv[1], *path = argv[2];
    MfnEngine engine;
    if (load(path, &options, &engine)) return 1;
    int dim = mfn_embedding_dim(&engine), rc;
    MfnInfo info;
    mfn_engine_info(&engine, &info);
    float *x = pattern(), *out = malloc((size_t)dim * sizeof *out);
    double *seconds = malloc((size_t)info.n_layers * sizeof *seconds);
    if (!x || !out || !seconds)
        rc = fail(verb, "out of memory");
    else if (strcmp(verb, "header") == 0)
        rc = header(&engine);
    else if (strcmp(verb, "layers") == 0)
        rc = layers(&engine);
    else if (strcmp(verb, "time") == 0)
        rc = timing(&engine, x, out, seconds);
    else if (strcmp(verb, "check") == 0)
        rc = check(path, options, x, out, dim);
    else if (embeds)
        rc = embed(&engine, argv[3], x, out, dim);
    else
        fputs(usage, stderr), rc = 2;
    free(x), free(out), free(seconds);
    mfn_engine_free(&engine);
    return rc;
}
