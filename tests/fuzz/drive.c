// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Drives the fuzz target without coverage feedback.
//   drive replay FILE...            each file once; a line "NAME STATUS" for each
//   drive random N SEED FILE...     N mutated inputs, from the files and from one another;
//                                   the same N, SEED and files give the same inputs
#define _DEFAULT_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facex_mfn.h"
#include "mutate.h"

enum { MOST = 4096, POOL = 1024, FRESH = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Item {
    size_t size;
    uint8_t data[MOST];
} Item;

static Item pool[POOL], now;

static size_t slurp(const char *path, uint8_t *data, size_t most) {
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(2);
    }
    size_t n = fread(data, 1, most, f);
    fclose(f);
    return n;
}

// An exact copy on the heap: a sanitizer sees a read of the byte behind it.
static void one(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) abort();
    if (size) memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int replay(int n, char **files) {
    static uint8_t data[16 << 20];
    for (int i = 0; i < n; i++) {
        size_t size = slurp(files[i], data, sizeof data);
        if (size == sizeof data) {
            fprintf(stderr, "%s: too large\n", files[i]);
            return 2;
        }
        MfnEngine e;
        int rc = mfn_engine_init_memory(data, size, NULL, &e, NULL);
        if (!rc) mfn_engine_free(&e);
        one(data, size);
        const char *name = strrchr(files[i], '/');
        printf("%s %s\n", name ? name + 1 : files[i], mfn_status_name(rc));
    }
    return 0;
}

static int random_(uint64_t times, uint64_t seed, int n, char **files) {
    int kept = 0;
    for (int i = 0; i < n && kept < POOL / 2; i++) {
        size_t size = slurp(files[i], now.data, MOST);
        if (size < MOST) pool[kept] = now, pool[kept++].size = size;
    }
    if (!kept) return 2;
    int slots = kept;
    uint64_t s = seed * 0x9e3779b97f4a7c15u | 1u;
    for (uint64_t i = 0; i < times; i++) {
        s ^= s << 13, s ^= s >> 7, s ^= s << 17;
        const Item *from = &pool[(s >> 20) % (uint64_t)slots];
        now.size = from->size;
        memcpy(now.data, from->data, from->size);
        now.size = fuzz_mutate(now.data, now.size, MOST, s, fuzz_bytes);
        one(now.data, now.size);
        // A new one now and then starts from an earlier one, so that mistakes add up.
        if (i % FRESH == 0 && now.size > 90) {
            int to = slots < POOL ? slots++ : kept + (int)((s >> 33) % (uint64_t)(POOL - kept));
            pool[to].size = now.size;
            memcpy(pool[to].data, now.data, now.size);
        }
    }
    printf("random: %llu inputs\n", (unsigned long long)times);
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "replay") == 0) return replay(argc - 2, argv + 2);
    if (argc > 4 && strcmp(argv[1], "random") == 0)
        return random_(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), argc - 4,
                       argv + 4);
    fprintf(stderr, "usage: drive replay FILE... | drive random N SEED FILE...\n");
    return 2;
}
