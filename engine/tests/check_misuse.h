// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The verbs misuse, counts and picture of check_engine.c: every argument that a caller can get wrong has
// its status, and what is right next to it is taken.
#ifndef CHECK_MISUSE_H
#define CHECK_MISUSE_H
#include "check_dispatch.h"

#if defined(__x86_64__)
// The exceptions that were seen are no part of the caller's state.
static unsigned fp_state(void) { return _mm_getcsr() & ~0x3fu; }
#else
static unsigned fp_state(void) { return 0; }
#endif

// A field of the file: `n` bytes at `at`, little-endian.
static int field(const unsigned char *data, size_t at, int n) {
    return data[at] | (n > 1 ? data[at + 1] << 8 : 0);
}

// The bytes of a layer's weights: whole lines, and no more than its packing takes.
static void sized(const MfnEngine *e, const MfnLayerInfo *l) {
    const MfnImpl *im = e->impl;
    const MfnIntegers *fast = im->precision == MFN_FAST ? im->kernels.fast : NULL;
    const size_t area = (size_t)(l->kernel * l->kernel);
    const size_t wide = mfn_round_up((size_t)l->c_out, MFN_BLOCK);
    const bool apart = l->groups > 1 || strstr(l->name, "dw") || strcmp(l->name, "gdconv") == 0;
    CHECK(l->weight_bytes % MFN_ALIGN == 0);
    if (apart && fast && fast->bits == 8)
        CHECK(l->weight_bytes == mfn_round_up(wide * (area + (l->has_act ? 8 : 6)), MFN_ALIGN));
    else if (apart)
        CHECK(l->weight_bytes == wide * (area + (l->has_act ? 2 : 1)) * sizeof(float));
    // A byte each, in steps of at most 4, and 8 for the column.
    if (strcmp(l->arithmetic, "i8") == 0)
        CHECK(l->weight_bytes <=
              mfn_round_up(wide * (8 + mfn_round_up((size_t)l->c_in, 4)), MFN_ALIGN));
}

// What is said of the network is what the header says, and the layers follow from one another.
static void described(const MfnEngine *e, const unsigned char *data, const MfnInfo *info) {
    CHECK(info->n_stages == field(data, MFN_FMT_OFF_N_STAGES, 1));
    CHECK(info->stem_kernel == field(data, MFN_FMT_OFF_STEM_KERNEL, 1));
    CHECK(info->stem_stride == field(data, MFN_FMT_OFF_STEM_STRIDE, 1));
    CHECK(info->stem_channels == field(data, MFN_FMT_OFF_STEM_CHANNELS, 2));
    CHECK(info->block_channels == field(data, MFN_FMT_OFF_BLOCK_CHANNELS, 2));
    CHECK(info->final_channels == field(data, MFN_FMT_OFF_FINAL_CHANNELS, 2));
    CHECK(info->embedding_dim == field(data, MFN_FMT_OFF_EMBEDDING_DIM, 2));
    CHECK(info->gdc_kernel == field(data, MFN_FMT_OFF_GDC_KERNEL, 1));
    CHECK(info->embedding_dim == mfn_embedding_dim(e) && memchr(info->isa, 0, sizeof info->isa));
    int n_layers = 5, side = MFN_FMT_INPUT_SIDE, channels = MFN_FMT_INPUT_CHANNELS;
    for (int i = 0; i < 8; i++) {
        const size_t at = MFN_FMT_STAGE_OFFSET + (size_t)i * MFN_FMT_STAGE_SIZE;
        CHECK(info->stage_t[i] == data[at] && info->stage_n[i] == data[at + 1]);
        CHECK(info->stage_s[i] == data[at + 2]);
        n_layers += 3 * data[at + 1];
    }
    CHECK(info->n_layers == n_layers && info->scratch_bytes > 0);
    uint64_t macs = 0, floats = 0, bytes = 0;
    for (int i = 0; i < n_layers; i++) {
        MfnLayerInfo l, again;
        memset(&l, 0xa5, sizeof l), memset(&again, 0, sizeof again);
        CHECK(mfn_engine_layer(e, i, &l) == MFN_OK && memchr(l.name, 0, sizeof l.name));
        CHECK(mfn_engine_layer(e, i, &again) == MFN_OK && memcmp(&l, &again, sizeof l) == 0);
        const bool pools = strcmp(l.name, "gdconv") == 0, last = i == n_layers - 1;
        const bool wide = pools || strstr(l.name, "dw") != NULL;
        CHECK(l.c_in == channels && l.h_in == side && l.w_in == side);
        CHECK(l.h_out == (side + 2 * l.pad - l.kernel) / l.stride + 1 && l.w_out == l.h_out);
        CHECK(l.groups == (wide ? l.c_in : 1) && l.pad == (pools ? 0 : l.kernel / 2));
        CHECK(l.has_act == !(pools || last || strstr(l.name, "project")));
        CHECK(!l.has_residual || strstr(l.name, "project"));
        const uint64_t map = (uint64_t)l.c_out * (uint64_t)l.h_out * (uint64_t)l.w_out;
        CHECK(l.macs == map * (uint64_t)(l.c_in / l.groups * l.kernel * l.kernel));
        CHECK(strcmp(l.arithmetic, "f32") == 0 || info->precision != MFN_F32);
        sized(e, &l);
        macs += l.macs, floats += map, bytes += l.weight_bytes;
        side = l.h_out, channels = l.c_out;
    }
    CHECK(channels == info->embedding_dim);
    CHECK(info->macs == macs && info->trace_floats == floats && info->weight_bytes == bytes);
}

// The last layer of a trace, of norm 1, is what the pass gives: of pixels where every value is one.
static void traced(const MfnEngine *e, const MfnInfo *info, float *trace) {
    static float x[VALUES], out[MAX_DIM], of_pixels[MAX_DIM];
    const size_t floats = (size_t)info->trace_floats, dim = (size_t)info->embedding_dim;
    const float odd[] = {0, 0, -1, 128.5f / 128};
    for (int i = 0; i < 4; i++) {
        for (int p = 0; p < PIXELS; p++) {
            const int channel = p % 3, at = channel * (PIXELS / 3) + p / 3;
            x[at] = ((float)pixels[p] - 127.5f) / 128;
        }
        CHECK(mfn_engine_forward_u8(e, pixels, 1, of_pixels) == MFN_OK);
        // One value between two pixels, below the least or above the largest.
        if (i) x[VALUES - 1] = odd[i];
        CHECK(mfn_engine_forward(e, x, out) == MFN_OK);
        double apart = 0;
        for (size_t k = 0; k < dim; k++)
            apart += (double)(out[k] - of_pixels[k]) * (out[k] - of_pixels[k]);
        // The stems of floats and of pixels differ by their rounding; one without weights is elsewhere.
        CHECK(apart < 0.25 * 0.25);
        const float *want = i ? out : of_pixels;
        memset(trace, 0xff, floats * sizeof *trace);
        CHECK(mfn_engine_trace(e, x, trace, floats) == MFN_OK);
        double sum = 0;
        const float *raw = trace + floats - dim;
        for (size_t k = 0; k < dim; k++) sum += (double)raw[k] * raw[k];
        for (size_t k = 0; k < dim; k++) CHECK((float)(raw[k] * (1.0 / sqrt(sum))) == want[k]);
    }
}

static void inspection(const MfnEngine *e, const unsigned char *data) {
    enum { MOST = 1024 };
    static double seconds[MOST];
    MfnEngine dead;
    MfnInfo info;
    MfnLayerInfo layer;
    memset(&dead, 0, sizeof dead);
    memset(&info, 0xa5, sizeof info);
    const unsigned before = fp_state();
    CHECK(mfn_engine_info(NULL, &info) == MFN_E_ARG && mfn_engine_info(e, NULL) == MFN_E_ARG);
    CHECK(mfn_engine_info(&dead, &info) == MFN_E_STATE && mfn_engine_info(e, &info) == MFN_OK);
    CHECK(mfn_engine_layer(NULL, 0, &layer) == MFN_E_ARG);
    CHECK(mfn_engine_layer(&dead, 0, &layer) == MFN_E_STATE);
    CHECK(mfn_engine_layer(e, 0, NULL) == MFN_E_ARG && mfn_engine_layer(e, -1, &layer) == MFN_E_ARG);
    CHECK(mfn_engine_layer(e, info.n_layers, &layer) == MFN_E_ARG);
    CHECK(mfn_engine_layer(e, info.n_layers - 1, &layer) == MFN_OK);
    CHECK(info.n_layers <= MOST && info.embedding_dim < MAX_DIM);
    described(e, data, &info);
    size_t n = (size_t)info.n_layers, floats = (size_t)info.trace_floats;
    float *trace = malloc(floats * sizeof *trace);
    CHECK(trace);
    CHECK(mfn_engine_trace(NULL, input, trace, floats) == MFN_E_ARG);
    CHECK(mfn_engine_trace(&dead, input, trace, floats) == MFN_E_STATE);
    CHECK(mfn_engine_trace(e, NULL, trace, floats) == MFN_E_ARG);
    CHECK(mfn_engine_trace(e, input, NULL, floats) == MFN_E_ARG);
    CHECK(mfn_engine_trace(e, input, trace, floats - 1) == MFN_E_CAPACITY);
    CHECK(mfn_engine_trace(e, input, trace, floats) == MFN_OK);
    traced(e, &info, trace);
    free(trace);
    CHECK(mfn_engine_profile(NULL, input, 1, seconds, n) == MFN_E_ARG);
    CHECK(mfn_engine_profile(&dead, input, 1, seconds, n) == MFN_E_STATE);
    CHECK(mfn_engine_profile(e, NULL, 1, seconds, n) == MFN_E_ARG);
    CHECK(mfn_engine_profile(e, input, 1, NULL, n) == MFN_E_ARG);
    CHECK(mfn_engine_profile(e, input, 0, seconds, n) == MFN_E_ARG);
    CHECK(mfn_engine_profile(e, input, 1, seconds, n - 1) == MFN_E_CAPACITY);
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    CHECK(mfn_engine_profile(e, input, 1, seconds, n) == MFN_OK);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double took = (double)(end.tv_sec - start.tv_sec) +
                  1e-9 * (double)(end.tv_nsec - start.tv_nsec), sum = 0;
    for (size_t i = 0; i < n; i++) sum += seconds[i];
    CHECK(sum > 0 && sum <= took);
    CHECK(fp_state() == before);
}

static void refused_options(const unsigned char *data, size_t size, MfnOptions options, int status,
                            const char *words) {
    MfnEngine e;
    MfnError error;
    memset(&e, 0xa5, sizeof e);
    memset(&error, 0xa5, sizeof error);
    CHECK(mfn_engine_init_memory(data, size, &options, &e, &error) == status);
    CHECK(error.status == status && error.offset == -1 && strstr(error.text, words));
    CHECK(mfn_engine_free(&e) == MFN_E_STATE);
}

// What lies next to each limit, on both sides.
static void option_limits(const unsigned char *data, size_t size) {
    const MfnOptions good[] = {{.threads = 0}, {.threads = 1}, {.threads = MFN_MAX_THREADS},
                               {.as_given = 1}, {.precision = MFN_HIGH}, {.precision = MFN_FAST},
                               {.isa = "scalar", .precision = MFN_FAST}};
    for (int i = 0; i < 7; i++) {
        MfnEngine e;
        MfnError error;
        MfnInfo info;
        memset(&error, 0xa5, sizeof error);
        CHECK(mfn_engine_init_memory(data, size, &good[i], &e, &error) == MFN_OK);
        CHECK(error.status == MFN_OK && error.offset == -1 && error.text[0] == 0);
        CHECK(mfn_engine_info(&e, &info) == MFN_OK && info.precision == good[i].precision);
        CHECK(info.threads == (good[i].threads ? good[i].threads : 1));
        inspection(&e, data);
        CHECK(mfn_engine_free(&e) == MFN_OK);
    }
    for (int i = 0; i < 3; i++) {
        MfnOptions o = {0};
        o.reserved[i] = i - 1 ? 1 : -1;
        refused_options(data, size, o, MFN_E_OPTION, "reserved");
    }
    for (int far = 0; far < 2; far++) {
        MfnOptions high[] = {{.threads = far ? INT32_MAX : MFN_MAX_THREADS + 1},
                             {.as_given = far ? INT32_MAX : 2},
                             {.precision = far ? INT32_MAX : MFN_FAST + 1}};
        MfnOptions low[] = {{.threads = far ? INT32_MIN : -1}, {.as_given = far ? INT32_MIN : -1},
                            {.precision = far ? INT32_MIN : -1}};
        static const char *const words[] = {"allowed are 0 to 64", "as_given is", "precision is"};
        for (int i = 0; i < 3; i++) {
            refused_options(data, size, high[i], MFN_E_OPTION, words[i]);
            refused_options(data, size, low[i], MFN_E_OPTION, words[i]);
        }
    }
    refused_options(data, size, (MfnOptions){.isa = "mmx"}, MFN_E_ISA, "mmx");
    CHECK(setenv("MFN_ISA", "mmx", 1) == 0);
    refused_options(data, size, (MfnOptions){0}, MFN_E_ISA, "in MFN_ISA");
    CHECK(unsetenv("MFN_ISA") == 0);
    // No row's number is taken for a failure; nothing of the first one is run.
    MfnEngine first;
    MfnOptions by_name = {.isa = mfn_isa_name(0)};
    told = EVERY_FEATURE - 1;
    CHECK(mfn_engine_init_memory(data, size, &by_name, &first, NULL) == MFN_OK);
    told = EVERY_FEATURE;
    CHECK(mfn_engine_free(&first) == MFN_OK);
    const char *name;
    for (int i = 0; (name = mfn_isa_name(i)); i++) {
        MfnEngine e;
        MfnInfo info;
        const int want = mfn_isa_supported(i) ? MFN_OK : MFN_E_ISA;
        MfnOptions o = {.isa = name};
        CHECK(mfn_engine_init_memory(data, size, &o, &e, NULL) == want);
        if (want) continue;
        CHECK(mfn_engine_info(&e, &info) == MFN_OK && strcmp(info.isa, name) == 0);
        CHECK(mfn_engine_free(&e) == MFN_OK);
    }
}

// Counts of pictures whose bytes, or whose embeddings' bytes, no address space holds.
static void counts(const unsigned char *data, size_t size) {
    MfnEngine e;
    float out[1];
    CHECK(mfn_engine_init_memory(data, size, NULL, &e, NULL) == MFN_OK);
    size_t dim = (size_t)mfn_embedding_dim(&e), wider = dim > VALUES ? dim : VALUES;
    size_t too_many[] = {SIZE_MAX / (wider * sizeof(float)) + 1, SIZE_MAX / 2, SIZE_MAX};
    for (int i = 0; i < 3; i++) {
        CHECK(mfn_engine_forward_batch(&e, input, too_many[i], out) == MFN_E_ARG);
        CHECK(mfn_engine_forward_u8(&e, pixels, too_many[i], out) == MFN_E_ARG);
    }
    CHECK(mfn_engine_forward_u8(&e, pixels, 1, NULL) == MFN_E_ARG);
    CHECK(mfn_engine_forward_u8(&e, NULL, 1, out) == MFN_E_ARG);
    CHECK(mfn_engine_free(&e) == MFN_OK);
    CHECK(mfn_turn_180(input, SIZE_MAX / (VALUES * sizeof(float)) + 1, input) == MFN_E_ARG);
    CHECK(mfn_turn_180(input, SIZE_MAX, input) == MFN_E_ARG);
    CHECK(mfn_turn_180_u8(pixels, SIZE_MAX / PIXELS + 1, pixels) == MFN_E_ARG);
    CHECK(mfn_turn_180_u8(pixels, SIZE_MAX, pixels) == MFN_E_ARG);
    // 4 bytes each would be 4 bytes in all.
    CHECK(mfn_arena_new(SIZE_MAX / 4 + 2) == NULL);
    printf("counts: none beyond the address space\n");
}

// Handles that hold nothing, or no longer.
static void handles(const unsigned char *data, size_t size) {
    MfnEngine e, twin;
    MfnError error;
    float out[MAX_DIM];
    memset(&e, 0xa5, sizeof e);
    CHECK(mfn_engine_forward(&e, input, out) == MFN_E_STATE && mfn_engine_free(&e) == MFN_E_STATE);
    CHECK(mfn_engine_init(NULL, &e) == MFN_E_ARG);
    CHECK(mfn_engine_init("/", NULL) == MFN_E_ARG);
    CHECK(mfn_engine_init("/nonexistent", &e) == MFN_E_OPEN);
    CHECK(mfn_engine_init("/dev/zero", &e) == MFN_E_NOT_REGULAR);
    CHECK(mfn_engine_init("/", &e) == MFN_E_NOT_REGULAR);
    memset(&error, 0xa5, sizeof error);
    CHECK(mfn_engine_init_memory(NULL, 5, NULL, &e, &error) == MFN_E_ARG);
    CHECK(error.status == MFN_E_ARG && error.offset == -1 && strstr(error.text, "source"));
    CHECK(mfn_engine_init_memory(data, size, NULL, NULL, &error) == MFN_E_ARG);
    CHECK(error.offset == -1 && strstr(error.text, "engine"));
    CHECK(mfn_engine_forward(&e, input, out) == MFN_E_STATE);
    CHECK(mfn_engine_init_memory(data, size, NULL, &e, NULL) == MFN_OK);
    // A handle whose re-initialisation failed is dead, whatever it held.
    twin = e;
    CHECK(mfn_engine_init_memory(data, 3, NULL, &twin, NULL) == MFN_E_TRUNCATED);
    CHECK(mfn_engine_free(&twin) == MFN_E_STATE && twin.cookie == 0 && twin.impl == NULL);
    twin = e;
    CHECK(mfn_engine_init_file(NULL, NULL, &twin, NULL) == MFN_E_ARG);
    CHECK(mfn_engine_free(&twin) == MFN_E_STATE);
    // The word alone makes no engine of what was freed.
    const uint64_t cookie = e.cookie;
    CHECK(mfn_engine_free(&e) == MFN_OK && e.cookie == 0 && e.impl == NULL);
    CHECK(mfn_engine_free(&e) == MFN_E_STATE && mfn_engine_forward(&e, input, out) == MFN_E_STATE);
    e.cookie = cookie;
    CHECK(mfn_engine_free(&e) == MFN_E_STATE && mfn_embedding_dim(&e) == MFN_E_STATE);
    CHECK(mfn_engine_free(NULL) == MFN_E_ARG && mfn_engine_turned(&e) == MFN_E_STATE);
    CHECK(mfn_embedding_dim(NULL) == MFN_E_ARG && mfn_engine_turned(NULL) == MFN_E_ARG);
}

// Each function of an engine with what it refuses, and the same engine after it.
static void arguments(const MfnEngine *e, const unsigned char *data) {
    static float out[4 * MAX_DIM], one[MAX_DIM];
    const size_t dim = (size_t)mfn_embedding_dim(e);
    CHECK(mfn_engine_forward(e, NULL, out) == MFN_E_ARG);
    CHECK(mfn_engine_forward(e, input, NULL) == MFN_E_ARG);
    CHECK(mfn_engine_forward(NULL, input, out) == MFN_E_ARG);
    CHECK(mfn_engine_forward_batch(e, input, SIZE_MAX, out) == MFN_E_ARG);
    CHECK(mfn_engine_forward_batch(e, NULL, 0, NULL) == MFN_OK);
    CHECK(mfn_engine_trace(e, input, out, 1) == MFN_E_CAPACITY);
    CHECK(mfn_engine_layer(e, -1, NULL) == MFN_E_ARG);
    inspection(e, data);
    CHECK(mfn_engine_turned(e) >= 0);
    // No allocation once an engine is there: all that is left would fail.
    for_ever = true;
    budget = 0;
    const unsigned before = fp_state();
    int rc = mfn_engine_forward(e, input, out);
    budget = -1;
    CHECK(rc == MFN_OK && fp_state() == before);
    CHECK(mfn_engine_forward_u8(e, pixels, 1, out) == MFN_OK && fp_state() == before);
    // As many embeddings as asked for, each that of its picture alone.
    memset(out, 0xff, sizeof out);
    CHECK(mfn_engine_forward_batch(e, input, 3, out) == MFN_OK && out[3 * dim] != out[3 * dim]);
    for (size_t i = 0; i < 3; i++) {
        memset(one, 0xff, sizeof one);
        CHECK(mfn_engine_forward(e, input + i * VALUES, one) == MFN_OK && one[dim] != one[dim]);
        CHECK(memcmp(one, out + i * dim, dim * sizeof *one) == 0);
    }
    // Buffers of odd addresses.
    static unsigned char shifted[VALUES * sizeof(float) + 1], there[MAX_DIM * sizeof(float) + 1];
    memcpy(shifted + 1, input, VALUES * sizeof(float));
    CHECK(mfn_engine_forward(e, (const float *)(const void *)(shifted + 1),
                             (float *)(void *)(there + 1)) == MFN_OK);
    CHECK(memcmp(there + 1, out, dim * sizeof(float)) == 0);
}

// What needs no engine.
static void functions(void) {
    static const float a[2] = {1, 0}, b[3] = {3, 4, 5}, *const none = NULL;
    float wrong[] = {mfn_similarity(none, a, 2), mfn_similarity(a, none, 2),
                     mfn_similarity(a, a, 0), mfn_similarity(a, a, -1)};
    for (int i = 0; i < 4; i++) CHECK(wrong[i] != wrong[i]);
    CHECK(mfn_similarity(a, a, 2) == 1 && mfn_similarity(b, b, 3) == 50 && mfn_similarity(a, b, 1) == 3);
    CHECK(mfn_turn_180(input, 1, NULL) == MFN_E_ARG && mfn_turn_180(NULL, 1, input) == MFN_E_ARG);
    CHECK(mfn_turn_180(NULL, 0, NULL) == MFN_OK && mfn_turn_180_u8(NULL, 0, NULL) == MFN_OK);
    CHECK(mfn_turn_180_u8(NULL, 1, pixels) == MFN_E_ARG);
    CHECK(mfn_turn_180_u8(pixels, 1, NULL) == MFN_E_ARG);
    enum { SIDE = MFN_FMT_INPUT_SIDE };
    static float turned[2 * VALUES];
    static uint8_t bytes[2 * PIXELS];
    CHECK(mfn_turn_180(input, 2, turned) == MFN_OK && mfn_turn_180_u8(pixels, 2, bytes) == MFN_OK);
    for (size_t i = 0; i < 2 * VALUES; i++) {
        const size_t plane = i / (SIDE * SIDE), at = i % (SIDE * SIDE);
        CHECK(turned[i] == input[plane * SIDE * SIDE + SIDE * SIDE - 1 - at]);
        const size_t picture = i / PIXELS, pixel = i % PIXELS / 3;
        CHECK(bytes[i] == pixels[picture * PIXELS + (SIDE * SIDE - 1 - pixel) * 3 + i % 3]);
    }
    CHECK(mfn_turn_180(turned, 2, turned) == MFN_OK && mfn_turn_180_u8(bytes, 2, bytes) == MFN_OK);
    CHECK(memcmp(turned, input, sizeof turned) == 0 && memcmp(bytes, pixels, sizeof bytes) == 0);
    for (int s = 0; s >= -22; s--) CHECK(mfn_strerror(s)[0] && mfn_status_name(s)[0]);
    CHECK(mfn_strerror(-9999) && mfn_isa_name(-1) == NULL && mfn_isa_name(99) == NULL);
}

// Working memory is whole lines of zeros, and what the idle list has no room for is freed.
static void scratches(MfnImpl *im) {
    for (int i = 0; i < 2; i++) {
        float *p = mfn_arena_new(1000);
        CHECK(p && (uintptr_t)p % MFN_ALIGN == 0);
        for (int k = 0; k < 1000; k++) CHECK(p[k] == 0);
        memset(p, 0xff, 1000 * sizeof *p);
        free(p);
    }
    float *all[MFN_IDLE_SLOTS + 2];
    for (int i = 0; i < MFN_IDLE_SLOTS + 2; i++) CHECK((all[i] = mfn_scratch_take(im)));
    for (int i = 0; i < MFN_IDLE_SLOTS + 2; i++) mfn_scratch_give(im, all[i]);
}

static void misuse(const unsigned char *data, size_t size) {
    MfnEngine e;
    const unsigned before = fp_state();
    functions();
    handles(data, size);
    option_limits(data, size);
    CHECK(mfn_engine_init_memory(data, size, NULL, &e, NULL) == MFN_OK && fp_state() == before);
    arguments(&e, data);
    scratches(e.impl);
    CHECK(mfn_engine_free(&e) == MFN_OK);
    printf("misuse: a status for each\n");
}

// Upright pictures for a network that takes them so, turned, or in a way that nobody knows.
static void picture(const unsigned char *data, size_t size) {
    static float turned[VALUES], have[MAX_DIM], want[MAX_DIM];
    static uint8_t bytes[PIXELS];
    for (int precision = 0; precision <= MFN_FAST; precision++) {
        MfnOptions own = {.precision = precision}, given = {.precision = precision, .as_given = 1};
        MfnEngine e, plain;
        MfnInfo info;
        CHECK(mfn_engine_init_memory(data, size, &own, &e, NULL) == MFN_OK);
        CHECK(mfn_engine_init_memory(data, size, &given, &plain, NULL) == MFN_OK);
        CHECK(mfn_engine_info(&e, &info) == MFN_OK);
        const int said = mfn_engine_turned(&e);
        CHECK(mfn_engine_turned(&plain) == said);
        const size_t dim = (size_t)info.embedding_dim, floats = (size_t)info.trace_floats;
        float *trace = malloc(floats * sizeof *trace);
        CHECK(trace && mfn_engine_trace(&plain, input, trace, floats) == MFN_OK);
        CHECK(mfn_engine_trace(&e, input, trace, floats) == (said < 0 ? said : MFN_OK));
        free(trace);
        memcpy(turned, input, sizeof turned);
        memcpy(bytes, pixels, sizeof bytes);
        if (said > 0) CHECK(!mfn_turn_180(input, 1, turned) && !mfn_turn_180_u8(pixels, 1, bytes));
        CHECK(mfn_engine_forward(&plain, turned, want) == MFN_OK);
        CHECK(mfn_engine_forward(&e, input, have) == (said < 0 ? said : MFN_OK));
        CHECK(said < 0 || memcmp(have, want, dim * sizeof *have) == 0);
        CHECK(mfn_engine_forward_u8(&plain, bytes, 1, want) == MFN_OK);
        CHECK(mfn_engine_forward_u8(&e, pixels, 1, have) == (said < 0 ? said : MFN_OK));
        CHECK(said < 0 || memcmp(have, want, dim * sizeof *have) == 0);
        CHECK(mfn_engine_free(&e) == MFN_OK && mfn_engine_free(&plain) == MFN_OK);
        if (precision == MFN_FAST) printf("picture: %d\n", said);
    }
}

#endif
