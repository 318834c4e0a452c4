// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// WebAssembly's 128-bit vectors.
#include "../kernels.h"

#ifdef MFN_HAVE_WASMSIMD

const MfnKernels mfn_kernels__wasmsimd = {0};

#else
typedef int mfn_no_wasmsimd;
#endif
