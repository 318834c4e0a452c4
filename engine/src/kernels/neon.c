// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// AdvSIMD of AArch64: 32 registers of 4 floats.
#include "../kernels.h"

#ifdef MFN_HAVE_NEON
#include <arm_neon.h>

#define NAME(x) x##__neon
#include "neon.h"

// 8 x 2 + 2 + 1 and 6 x 3 + 3 + 1 of 32 registers. Depthwise: 7 sums, a column; taps from memory.
#define TALL 8
#define SHORT 6
#define DW_ROWS 1
#define DW_RUN 7

#include "simd.h"

static void NAME(u8_to_f32)(const uint8_t *in, float *out, size_t n) {
    const float32x4_t scale = vdupq_n_f32(0.0078125f), offset = vdupq_n_f32(-0.99609375f);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint16x8_t p = vmovl_u8(vld1_u8(in + i));
        vstore(out + i, vfma(vcvtq_f32_u32(vmovl_u16(vget_low_u16(p))), scale, offset));
        vstore(out + i + 4, vfma(vcvtq_f32_u32(vmovl_u16(vget_high_u16(p))), scale, offset));
    }
    for (; i < n; i++) out[i] = ((float)in[i] - 127.5f) * 0.0078125f;
}

const MfnKernels mfn_kernels__neon = {MFN_KERNEL_SLOTS, .u8 = NAME(u8_to_f32)};

#else
typedef int mfn_no_neon;
#endif
