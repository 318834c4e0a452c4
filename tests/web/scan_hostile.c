// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// scan_hostile ROUNDS FILE...: engine/wasm/src/scan.c on files and on damaged copies of them, each in a block of
// exactly its size; compiled with sanitizers, which see what WebAssembly does not.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) name
#include "../../engine/wasm/src/scan.c"

static uint64_t state = 1;
static uint32_t draw(uint32_t below) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 33) % below;
}

static void look(const unsigned char *bytes, size_t size) {
    unsigned char *own = malloc(size ? size : 1);
    if (!own) abort();
    memcpy(own, bytes, size);
    if (mfn_web_scan(own, size, 1)) abort();
    const Head *head = mfn_web_head();
    double counted = 0;
    for (size_t i = 0; i < (size_t)head->n_rows; i++) {
        const Row *r = mfn_web_rows() + i;
        double values = r->nan + r->inf;
        for (int b = 0; b < BINS; b++) values += r->histogram[b];
        // Every value that is present is in one bin, or NaN, or infinite.
        if (values != (double)((uint64_t)r->present / 4) || r->offset + 4 + r->present > (double)size) abort();
        counted += values;
    }
    if (counted * 4 > (double)size || head->end > (double)size) abort();
    MfnLayerInfo layer;
    for (int i = -1; i <= (int)head->n_layers; i++) mfn_web_layer(i, &layer);
    free(own);
}

int main(int argc, char **argv) {
    const int rounds = argc > 1 ? atoi(argv[1]) : 0;
    for (int i = 2; i < argc; i++) {
        static unsigned char bytes[1 << 20];
        FILE *f = fopen(argv[i], "rb");
        if (!f) return 1;
        const size_t size = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        look(bytes, size);
        for (int round = 0; round < rounds && size; round++) {
            static unsigned char hurt[sizeof bytes];
            memcpy(hurt, bytes, size);
            // The first bytes say how long everything else is.
            for (uint32_t n = 1 + draw(4); n; n--)
                hurt[draw(draw(2) && size > 100 ? 100 : (uint32_t)size)] = (unsigned char)draw(256);
            look(hurt, draw(4) ? size : draw((uint32_t)size + 1));
        }
    }
    printf("%d files, %d damaged copies of each\n", argc - 2, rounds);
    return 0;
}
