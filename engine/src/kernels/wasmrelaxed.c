// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// WebAssembly's 128-bit vectors, with relaxed multiply-adds: where the processor has fused ones, this row has
// the bits of the rows that fuse, such as avx2.
#include "../kernels.h"

#ifdef MFN_HAVE_WASMRELAXED
#include <wasm_simd128.h>

#define NAME(x) x##__wasmrelaxed
#define vfma(a, b, c) wasm_f32x4_relaxed_madd(a, b, c)
#define vprelu(x, slope) wasm_i32x4_relaxed_laneselect(x, vmul(slope, x), wasm_f32x4_gt(x, vzero()))
#include "wasm.h"

#define TALL 4
#define SHORT 3
#define DW_ROWS 1
#define DW_RUN 7

#include "simd.h"

const MfnKernels mfn_kernels__wasmrelaxed = {MFN_KERNEL_SLOTS, .u8 = NAME(u8_to_f32)};

#else
typedef int mfn_no_wasmrelaxed;
#endif
