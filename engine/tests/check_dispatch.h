// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The verb dispatch of check_engine.c: what every set of processor features would be given. Nothing
// of it is run but the scalar row.
#ifndef CHECK_DISPATCH_H
#define CHECK_DISPATCH_H
#include "check_tools.h"

enum { EVERY_FEATURE = 2 * MFN_CPU_QUICK_BF16 };

// The features that the engine is told of; EVERY_FEATURE: those of this processor.
static unsigned told = EVERY_FEATURE;

unsigned __real_mfn_cpu_features(void);
unsigned __wrap_mfn_cpu_features(void);
unsigned __wrap_mfn_cpu_features(void) {
    return told == EVERY_FEATURE ? __real_mfn_cpu_features() : told;
}

static bool has(int row) { return !(mfn_isa_rows[row].needs & ~told); }

// The row that isa.def's words lead to, or -1.
static int expected(const char *name) {
    for (int i = 0; i < mfn_isa_rows_len; i++) {
        const bool slow = mfn_isa_rows[i].needs & MFN_CPU_AVX512BF16 && !(told & MFN_CPU_QUICK_BF16);
        if (name ? strcmp(name, mfn_isa_rows[i].name) == 0 : has(i) && !slow) return has(i) ? i : -1;
    }
    return -1;
}

// The kernels of the first row from `row` on that has the slot at `offset`.
static const MfnKernels *owner(int row, size_t offset) {
    static const char empty[sizeof(void *)];
    for (; row < mfn_isa_rows_len; row++)
        if (has(row) && memcmp((const char *)mfn_isa_rows[row].kernels + offset, empty, sizeof empty))
            return mfn_isa_rows[row].kernels;
    return NULL;
}

static void resolves(const char *name) {
    MfnKernels k;
    memset(&k, 0xa5, sizeof k);
    const int row = expected(name);
    CHECK(mfn_isa_resolve(name, &k) == row);
    if (row < 0) return;
    const MfnKernels *own = owner(row, offsetof(MfnKernels, gemm)), *plain = &mfn_kernels__scalar;
    CHECK(k.gemm == own->gemm && k.fc == own->fc);
    CHECK(k.panel == own->panel && k.fc_panel == own->fc_panel);
#define SLOT(name) CHECK(k.name == owner(row, offsetof(MfnKernels, name))->name)
    SLOT(dw3);
    SLOT(gdc);
    SLOT(widen);
    SLOT(u8);
    SLOT(pixels);
    SLOT(fma_probe);
#undef SLOT
    // Integers that are slower than the row's floats are left out.
#define SLOT(name)                                                             \
    own = owner(row, offsetof(MfnKernels, name));                              \
    CHECK(k.name == (own != plain || k.gemm == plain->gemm ? own->name : NULL))
    SLOT(stem);
    SLOT(fast);
    SLOT(high);
#undef SLOT
}

static void dispatch(const unsigned char *data, size_t size) {
    (void)data, (void)size;
    CHECK(unsetenv("MFN_ISA") == 0);
    const char *last = mfn_isa_rows[mfn_isa_rows_len - 1].name;
    for (told = 0; told < EVERY_FEATURE; told++) {
        resolves(NULL);
        resolves("mmx");
        for (int i = 0; i < mfn_isa_rows_len; i++) {
            resolves(mfn_isa_rows[i].name);
            CHECK(mfn_isa_supported(i) == has(i) && mfn_isa_name(i) == mfn_isa_rows[i].name);
        }
    }
    CHECK(mfn_isa_count() == mfn_isa_rows_len && strcmp(last, "scalar") == 0);
    for (int i = 1; i < 100; i++) {
        CHECK(!mfn_isa_name(-i) && !mfn_isa_supported(-i));
        CHECK(!mfn_isa_name(mfn_isa_count() - 1 + i) && !mfn_isa_supported(mfn_isa_count() - 1 + i));
    }
    MfnKernels k;
    const int best = mfn_isa_resolve(NULL, &k);
    CHECK(setenv("MFN_ISA", last, 1) == 0 && mfn_isa_resolve(NULL, &k) == mfn_isa_rows_len - 1);
    CHECK(mfn_isa_resolve(mfn_isa_name(best), &k) == best);
    CHECK(setenv("MFN_ISA", "mmx", 1) == 0 && mfn_isa_resolve(NULL, &k) == -1);
    CHECK(setenv("MFN_ISA", "", 1) == 0 && mfn_isa_resolve(NULL, &k) == best);
    CHECK(mfn_isa_resolve("", &k) == best && unsetenv("MFN_ISA") == 0);
    CHECK(mfn_fma_peak("mmx") == 0 && mfn_fma_peak(last) > 1e6);
    printf("dispatch: %d rows under every set of features\n", mfn_isa_rows_len);
}

#endif
