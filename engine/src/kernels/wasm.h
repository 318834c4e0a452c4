// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The wrappers over WebAssembly's registers of 4 floats that its rows share. The row's file defines NAME,
// vfma and vprelu, which differ.
#define V v128_t
#define LANES 4
#define vload(p) wasm_v128_load(p)
#define vstore(p, v) wasm_v128_store(p, v)
#define vdup(p) wasm_v128_load32_splat(p)
#define vadd(a, b) wasm_f32x4_add(a, b)
#define vmul(a, b) wasm_f32x4_mul(a, b)

#define vzero() wasm_f32x4_const_splat(0)

#define vbf16(p) wasm_i32x4_shl(wasm_u32x4_load16x4(p), 16)

// LANES int8 as floats.
INLINE V NAME(bytes)(const unsigned char *p) {
    return wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(
        wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(p))));
}

// The width of the next panel. With tiles of 4 x 2 + 2 + 1 and 3 x 3 + 3 + 1 registers a virtual machine
// for x86, which keeps one of the 16 for itself, stores none in between; taller ones took twice the time.
static inline size_t NAME(panel)(size_t left) {
    if (left <= 4) return 4;
    if (left <= 8) return 8;
    if (left <= 12) return 12;
    if (left <= 16) return 8;
    return 12;
}

static void NAME(u8_to_f32)(const uint8_t *in, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = ((float)in[i] - 127.5f) * 0.0078125f;
}
