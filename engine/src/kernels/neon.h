// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The wrappers over registers of 4 floats that the rows of AdvSIMD share. The row's file defines NAME.
#define V float32x4_t
#define LANES 4
#define vload(p) vld1q_f32(p)
#define vstore(p, v) vst1q_f32(p, v)
#define vdup(p) vld1q_dup_f32(p)
#define vadd(a, b) vaddq_f32(a, b)
#define vfma(a, b, c) vfmaq_f32(c, a, b)
#define vmul(a, b) vmulq_f32(a, b)
#define vprelu(x, slope) vbslq_f32(vcgtq_f32(x, vdupq_n_f32(0)), x, vmul(slope, x))
#define vmin0(x) vminq_f32(x, vdupq_n_f32(0))

#define vbf16(p) vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))

#define VI int32x4_t
#define vizero() vdupq_n_s32(0)
#define vidup(x) vdupq_n_s32(x)
#define viload(p) vld1q_s32((const int32_t *)(const void *)(p))
#define vistore(p, v) vst1q_s32((int32_t *)(void *)(p), v)
#define viand(a, b) vandq_s32(a, b)
#define vimaxs(a, b) vmaxq_s32(a, b)
#define vimaxu(a, b) \
    vreinterpretq_s32_u32(vmaxq_u32(vreinterpretq_u32_s32(a), vreinterpretq_u32_s32(b)))
#define vitops(v) vmaxvq_s32(v)
#define vitopu(v) vmaxvq_u32(vreinterpretq_u32_s32(v))
#define vifloat(v) vcvtq_f32_s32(v)

// LANES int8 as floats.
INLINE V NAME(bytes)(const unsigned char *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return vifloat(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four))))));
}

// The width of the next panel.
static inline size_t NAME(panel)(size_t left) {
    if (left <= 4) return 4;
    if (left <= 8) return 8;
    if (left <= 12) return 12;
    if (left <= 16) return 8;
    return 12;
}
