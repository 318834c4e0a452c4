// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The fuzz target: load from memory, run if it is accepted, free. For libFuzzer and AFL++
// (-fsanitize=fuzzer), and for drive.c. Every promise of the header that costs little is checked.
#include <string.h>

#include "check.h"
#include "facex_mfn.h"
#include "mutate.h"

enum { VALUES = 3 * 112 * 112, MOST_DIM = 1024, MOST_MACS = 1000000, RUN_ONE_OF = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
#ifdef FUZZ_DRIVER
#define LLVMFuzzerMutate fuzz_bytes
#else
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
#endif

// Not every input runs a network: one of RUN_ONE_OF, chosen by its bytes, so that it repeats.
static uint32_t digest(const uint8_t *data, size_t size) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < size; i++) h = (h ^ data[i]) * 16777619u;
    return h ^ h >> 15;
}

static void run(const MfnEngine *e) {
    static float input[VALUES], out[2][MOST_DIM];
    if (input[0] == 0)
        for (int i = 0; i < VALUES; i++) input[i] = (float)((i * 37 + 11) % 255) / 127.5f - 1.0f;
    int dim = mfn_embedding_dim(e);
    CHECK(dim >= 1);
    if (dim > MOST_DIM) return;
    int turned = mfn_engine_turned(e);
    CHECK(turned == 0 || turned == 1 || turned == MFN_E_PICTURE);
    for (int i = 0; i < 2; i++)
        CHECK(mfn_engine_forward(e, input, out[i]) == (turned < 0 ? turned : MFN_OK));
    if (turned < 0) return;
    CHECK(memcmp(out[0], out[1], (size_t)dim * sizeof(float)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t none[1];
    uint32_t h = digest(data, size);
    MfnEngine e;
    MfnError error;
    MfnInfo info;
    // Every precision packs the weights in another way.
    MfnOptions options = {.isa = NULL, .precision = (int)(h / 7 % (MFN_FAST + 1))};
    int isa = (int)(h / RUN_ONE_OF % (uint32_t)mfn_isa_count());
    if (mfn_isa_supported(isa)) options.isa = mfn_isa_name(isa);
    int rc = mfn_engine_init_memory(data ? data : none, size, &options, &e, &error);
    CHECK(error.status == rc && memchr(error.text, 0, sizeof error.text));
    if (rc) {
        CHECK(rc >= MFN_E_THREAD && error.text[0]);
        CHECK(error.offset >= -1 && error.offset <= (int64_t)size);
        CHECK(mfn_engine_free(&e) == MFN_E_STATE);
        return 0;
    }
    CHECK(mfn_engine_info(&e, &info) == MFN_OK && info.n_layers >= 8 && info.macs > 0);
    if (h % RUN_ONE_OF == 0 && info.macs <= MOST_MACS) run(&e);
    CHECK(mfn_engine_free(&e) == MFN_OK);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed) {
    return fuzz_mutate(data, size, max, seed, LLVMFuzzerMutate);
}
