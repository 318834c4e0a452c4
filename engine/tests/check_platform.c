// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// What platform.h promises, on any system that has a C library: it asks for nothing else.
//   check_platform WEIGHTS FOLDER     exit 0 and an embedding's bits on standard output, or 1
// WEIGHTS is tried under the name that it has, which may hold any letters; FOLDER is refused.
#include "../src/platform.h"

#include <stdlib.h>
#include <string.h>

#include "../cli/arguments.h"
#include "facex_mfn.h"

enum { VALUES = 3 * 112 * 112, BATCH = 5, THREADS = 3 };

#define CHECK(x)                                                                  \
    do {                                                                          \
        if (!(x)) {                                                               \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #x); \
            return 1;                                                             \
        }                                                                         \
    } while (0)

static float input[BATCH * VALUES];

static int memory_and_time(void) {
    for (size_t align = 64; align <= 4096; align *= 2) {
        char *p = mfn_os_aligned(align, align + 1);
        CHECK(p && (uintptr_t)p % align == 0);
        mfn_os_large_pages(p, align);
        memset(p, 1, align + 1);
        mfn_os_aligned_free(p);
    }
    mfn_os_aligned_free(NULL);
    int64_t before = mfn_os_nanoseconds(), now = before;
    for (int i = 0; i < 1000; i++) {
        int64_t next = mfn_os_nanoseconds();
        CHECK(next >= now);
        now = next;
    }
    // A clock that stands still would never let this end.
    while (mfn_os_nanoseconds() == before) continue;
    return 0;
}

static int reading(const char *weights, const char *folder) {
    MfnEngine e;
    MfnError error;
    CHECK(mfn_engine_init_file(folder, NULL, &e, &error) == MFN_E_NOT_REGULAR);
    CHECK(mfn_engine_init_file("no-such-file.bin", NULL, &e, &error) == MFN_E_OPEN && error.text[0]);
    CHECK(mfn_engine_init_file("", NULL, &e, &error) == MFN_E_OPEN && error.text[0]);
    FILE *f = mfn_os_stream(weights);
    unsigned char direct[64], streamed[64];
    CHECK(f && fread(streamed, 1, sizeof streamed, f) == sizeof streamed && fclose(f) == 0);
    CHECK(!mfn_os_stream("no-such-file.bin"));
    MfnFile file = mfn_os_open(weights);
    bool regular = false;
    uint64_t size = 0;
    CHECK(file >= 0 && mfn_os_look(file, &regular, &size) && regular && size > sizeof direct);
    CHECK(mfn_os_read(file, direct, sizeof direct) == (int64_t)sizeof direct);
    CHECK(memcmp(direct, streamed, sizeof direct) == 0);
    mfn_os_close(file);
    return 0;
}

// Every instruction set: a batch on several threads has the bits of the pictures one by one.
static int embedding(const char *weights) {
    for (size_t i = 0; i < sizeof input / sizeof *input; i++)
        input[i] = (float)((i * 2654435761u >> 8) % 65536) / 32768.0f - 1.0f;
    for (int i = 0; mfn_isa_name(i); i++) {
        if (!mfn_isa_supported(i)) continue;
        MfnOptions options = {.isa = mfn_isa_name(i), .threads = THREADS};
        MfnEngine e;
        MfnError error;
        CHECK(mfn_engine_init_file(weights, &options, &e, &error) == MFN_OK);
        size_t dim = (size_t)mfn_embedding_dim(&e);
        float *batch = malloc(BATCH * dim * sizeof *batch), *one = malloc(dim * sizeof *one);
        CHECK(batch && one);
        for (int round = 0; round < 3; round++) {
            CHECK(mfn_engine_forward_batch(&e, input, BATCH, batch) == MFN_OK);
            for (size_t k = 0; k < BATCH; k++) {
                CHECK(mfn_engine_forward(&e, input + k * VALUES, one) == MFN_OK);
                CHECK(memcmp(one, batch + k * dim, dim * sizeof *one) == 0);
            }
        }
        if (!mfn_isa_name(i + 1))  // scalar, the same everywhere
            for (size_t k = 0; k < dim; k++) {
                uint32_t bits;
                memcpy(&bits, one + k, sizeof bits);
                printf("%08lx\n", (unsigned long)bits);
            }
        free(batch), free(one);
        CHECK(mfn_engine_free(&e) == MFN_OK);
    }
    return 0;
}

int main(int argc, char **argv) {
    argv = mfn_arguments(&argc, argv);
    CHECK(argc == 3 && argv);
    return memory_and_time() || reading(argv[1], argv[2]) || embedding(argv[1]);
}
