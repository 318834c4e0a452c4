// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// WebAssembly's 128-bit vectors, with relaxed multiply-adds.
#include "../kernels.h"

#ifdef MFN_HAVE_WASMRELAXED

const MfnKernels mfn_kernels__wasmrelaxed = {0};

#else
typedef int mfn_no_wasmrelaxed;
#endif
