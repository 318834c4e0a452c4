// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// mutate.c as a custom mutator of afl-fuzz, which mutates in its own process and so sees none that
// is in the target: a shared library of this, mutate.c and network.c, named in
// AFL_CUSTOM_MUTATOR_LIBRARY.
#include <stdlib.h>
#include <string.h>

#include "mutate.h"

enum { MOST = 4096 };

typedef struct AflMutator {
    uint64_t seed;
    uint8_t data[MOST];
} AflMutator;

void *afl_custom_init(void *afl, unsigned seed);
size_t afl_custom_fuzz(void *own, uint8_t *in, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t max);
void afl_custom_deinit(void *own);

void *afl_custom_init(void *afl, unsigned seed) {
    (void)afl;
    AflMutator *m = calloc(1, sizeof *m);
    if (m) m->seed = (uint64_t)seed << 32;
    return m;
}

size_t afl_custom_fuzz(void *own, uint8_t *in, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t max) {
    AflMutator *m = own;
    (void)other, (void)other_size;
    if (max > MOST) max = MOST;
    if (size > max) size = max;
    memcpy(m->data, in, size);
    *out = m->data;
    return fuzz_mutate(m->data, size, max, m->seed++, fuzz_bytes);
}

void afl_custom_deinit(void *own) { free(own); }
