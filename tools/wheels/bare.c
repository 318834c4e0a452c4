// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
// The extension of a wheel, loaded by a program that is no Python: bare EXTENSION WEIGHTS <PIXELS
// prints the instruction set and the embedding of one face of 112x112 RGB. What the extension wants
// of Python is in names.h as bytes that nothing calls: the module itself is not initialised.

#include <dlfcn.h>
#include <stdio.h>
#include "facex_mfn.h"

#define NAME(name) char name[256];
#include "names.h"

#define FIND(name) __typeof__(&name) name##_ = (__typeof__(&name))dlsym(extension, #name)

int main(int argc, char **argv) {
    static uint8_t pixels[112 * 112 * 3];
    static float embedding[4096];
    if (argc != 3 || fread(pixels, sizeof pixels, 1, stdin) != 1) return 2;
    void *extension = dlopen(argv[1], RTLD_NOW);
    if (!extension) {
        fprintf(stderr, "%s\n", dlerror());
        return 3;
    }
    FIND(mfn_engine_init);
    FIND(mfn_engine_info);
    FIND(mfn_engine_forward_u8);
    FIND(mfn_engine_free);
    if (!mfn_engine_init_ || !mfn_engine_info_ || !mfn_engine_forward_u8_ || !mfn_engine_free_) {
        fprintf(stderr, "it lacks a function of the engine\n");
        return 3;
    }
    MfnEngine engine;
    MfnInfo info;
    if (mfn_engine_init_(argv[2], &engine) || mfn_engine_info_(&engine, &info) ||
        info.embedding_dim > 4096 || mfn_engine_forward_u8_(&engine, pixels, 1, embedding)) {
        fprintf(stderr, "the engine refuses %s\n", argv[2]);
        return 3;
    }
    printf("%s", info.isa);
    for (int i = 0; i < info.embedding_dim; i++) printf(" %.9g", (double)embedding[i]);
    printf("\n");
    mfn_engine_free_(&engine);
    return 0;
}
