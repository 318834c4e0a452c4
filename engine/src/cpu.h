// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#ifndef MFN_CPU_H
#define MFN_CPU_H

#include "kernels.h"

enum {
    MFN_CPU_AVX2 = 1,    // AVX2 and FMA
    MFN_CPU_AVX512 = 2,  // F, VL, DQ, BW
    MFN_CPU_NEON = 4,
    MFN_CPU_AVX512VNNI = 8,
    MFN_CPU_AVXVNNI = 16,
    MFN_CPU_NEONDOT = 32,
    MFN_CPU_AVX512BF16 = 64,
    MFN_CPU_QUICK_BF16 = 128  // its products take no longer than those of 16-bit integers
};

unsigned mfn_cpu_features(void);

typedef struct MfnIsa {
    const char *name;
    unsigned needs;
    const MfnKernels *kernels;
} MfnIsa;

extern const MfnIsa mfn_isa_rows[];
extern const int mfn_isa_rows_len;

// Fills *out with the row called `name` (NULL: MFN_ISA of the environment, else the best supported
// of those that are not slow here) and gives its index, or -1 for a name that is unknown or unsupported.
int mfn_isa_resolve(const char *name, MfnKernels *out);

#endif
