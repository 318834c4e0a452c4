// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// WebAssembly's 128-bit vectors. A product and a sum are rounded each on its own, in the order of plain C:
// in float32 this row has the bits of the scalar one.
#include "../kernels.h"

#ifdef MFN_HAVE_WASMSIMD
#include <wasm_simd128.h>

#define NAME(x) x##__wasmsimd
#define vfma(a, b, c) wasm_f32x4_add(wasm_f32x4_mul(a, b), c)
#define vprelu(x, slope) wasm_v128_bitselect(x, vmul(slope, x), wasm_f32x4_gt(x, vzero()))
#include "wasm.h"

#define TALL 4
#define SHORT 3
#define DW_ROWS 1
#define DW_RUN 7

#include "simd.h"

const MfnKernels mfn_kernels__wasmsimd = {MFN_KERNEL_SLOTS, .u8 = NAME(u8_to_f32)};

#else
typedef int mfn_no_wasmsimd;
#endif
