// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The reader of containers alone: what decides whether a file is accepted, without the packing of
// its weights and the arena of its maps, which take most of the time of fuzz_load.c and read no
// byte that was not checked here.
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "loader.h"
#include "mutate.h"
#include "picture.h"

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#endif
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static void check_error(const MfnError *e, int status, size_t size) {
    CHECK(e->status == status && memchr(e->text, 0, sizeof e->text) && e->text[0]);
    CHECK(e->offset >= -1 && e->offset <= (int64_t)size);
}

// The tensors of an accepted file fill it to its last byte: added up here as the format says it.
static void check_accepted(const MfnImage *im, size_t size) {
    uint64_t at = im->count_at + 4;
    for (int i = 0; i < im->n_layers; i++) {
        const MfnLayer *l = &im->layers[i];
        CHECK(l->groups && l->c_in % l->groups == 0);
        at += 4 + 4 * (uint64_t)l->c_out * (l->c_in / l->groups) * l->kernel * l->kernel;
        for (uint32_t t = 1; t < mfn_layer_tensors(l); t++) at += 4 + 4 * (uint64_t)l->c_out;
    }
    CHECK(im->n_layers >= 8 && at == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static MfnImage image, first;
    MfnError error, early;
    memset(&error, 0, sizeof error), memset(&early, 0, sizeof early);
    int rc = mfn_image_verify(data, size, &image, &error);
    // What a reader of a file has before it reads on: the prefix, in memory of its own size.
    size_t prefix = size < MFN_FMT_PREFIX_SIZE ? size : MFN_FMT_PREFIX_SIZE;
    uint8_t *copy = malloc(prefix + !prefix);
    CHECK(copy);
    if (prefix) memcpy(copy, data, prefix);
    int before = mfn_image_expect(copy, prefix, size, &first, &early);
    free(copy);
    CHECK(before == MFN_OK || before == rc);
    if (before) check_error(&early, before, size);
    if (rc) {
        check_error(&error, rc, size);
        return 0;
    }
    check_accepted(&image, size);
    size_t text = (size_t)image.count_at - MFN_FMT_PREFIX_SIZE;
    check_picture(data + MFN_FMT_PREFIX_SIZE, text);
    return 0;
}

// libFuzzer is built without sanitizers: MemorySanitizer has to be told what it wrote.
static size_t written(uint8_t *data, size_t size) {
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
    __msan_unpoison(data, size);
#endif
#endif
    (void)data;
    return size;
}

static size_t bytes(uint8_t *data, size_t size, size_t max) {
    return written(data, LLVMFuzzerMutate(data, size, max));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed) {
    return fuzz_mutate(data, written(data, size), max, seed, bytes);
}
