// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#include "platform.h"

#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "facex_mfn.h"

const MfnIsa mfn_isa_rows[] = {
#define ROW(name, needs) {#name, needs, &mfn_kernels__##name},
#include "isa.def"
#undef ROW
};
const int mfn_isa_rows_len = (int)(sizeof mfn_isa_rows / sizeof *mfn_isa_rows);

static bool supported(int row) {
    unsigned needs = mfn_isa_rows[row].needs;
    return (mfn_cpu_features() & needs) == needs;
}

// A slow row is taken by its name alone.
static bool quick(int row) {
    const bool bf16 = mfn_isa_rows[row].needs & MFN_CPU_AVX512BF16;
    return supported(row) && (!bf16 || mfn_cpu_features() & MFN_CPU_QUICK_BF16);
}

static void fall_through(MfnKernels *out, const MfnKernels *next) {
    if (!out->gemm) {
        out->panel = next->panel, out->fc_panel = next->fc_panel;
        out->gemm = next->gemm, out->fc = next->fc;
    }
    if (!out->dw3) out->dw3 = next->dw3;
    if (!out->gdc) out->gdc = next->gdc;
    if (!out->widen) out->widen = next->widen;
    if (!out->u8) out->u8 = next->u8;
    if (!out->pixels) out->pixels = next->pixels;
    if (!out->fma_probe) out->fma_probe = next->fma_probe;
    // Plain integers are slower than a vector row's floats, which then are used instead.
    if (out->gemm == mfn_kernels__scalar.gemm || next != &mfn_kernels__scalar) {
        if (!out->stem) out->stem = next->stem;
        if (!out->fast) out->fast = next->fast;
        if (!out->high) out->high = next->high;
    }
}

int mfn_isa_resolve(const char *name, MfnKernels *out) {
    if (!name) name = getenv("MFN_ISA");
    if (name && !*name) name = NULL;
    for (int i = 0; i < mfn_isa_rows_len; i++) {
        if (name ? strcmp(name, mfn_isa_rows[i].name) != 0 : !quick(i)) continue;
        if (!supported(i)) return -1;
        memset(out, 0, sizeof *out);
        for (int j = i; j < mfn_isa_rows_len; j++)
            if (supported(j)) fall_through(out, mfn_isa_rows[j].kernels);
        return i;
    }
    return -1;
}

int mfn_isa_count(void) { return mfn_isa_rows_len; }

const char *mfn_isa_name(int index) {
    return index >= 0 && index < mfn_isa_rows_len ? mfn_isa_rows[index].name : NULL;
}

int mfn_isa_supported(int index) {
    return index >= 0 && index < mfn_isa_rows_len && supported(index);
}

static double seconds(void) { return 1e-9 * (double)mfn_os_nanoseconds(); }

// The best of several short runs: other processes or a clock change can only slow one down.
double mfn_fma_peak(const char *isa) {
    MfnKernels k;
    if (mfn_isa_resolve(isa, &k) < 0) return 0;
    double best = 0;
    for (int run = 0; run < 8; run++) {
        double start = seconds(), done = k.fma_probe(200000), elapsed = seconds() - start;
        // A coarse clock may not have moved.
        if (elapsed > 0 && done / elapsed > best) best = done / elapsed;
    }
    return best;
}
