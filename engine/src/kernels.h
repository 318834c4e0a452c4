// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The contract between the schedule and the kernels. Activations are NHWC with each pixel padded
// to MFN_BLOCK channels; padding lanes hold anything and are never read as an input of a real one.
#ifndef MFN_KERNELS_H
#define MFN_KERNELS_H

#include "platform.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "integer.h"

enum { MFN_BLOCK = 16, MFN_ALIGN = 64 };

static inline size_t mfn_round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

// out[m][n] = act(bias[n] + sum_k a[m][k] * w[k][n]) + residual[m][n].
//
// `w` is a row of panels; the kernel set's panel(columns left) says how wide each one is. A panel of
// width V holds bias[V], slope[V], then K rows of V weights; columns beyond N are zero. A kernel
// may write up to round_up(N, MFN_BLOCK) channels of each output pixel.
//
// For a pointwise layer a[m][k] is a[m * a_px + k]; with `taps` it is a[m * a_px + taps[k]], which
// makes the stem the same product without an im2col buffer.
typedef struct MfnGemm {
    const float *a;
    const float *w;
    const float *residual;  // laid out like out; NULL: none; must not be the memory of out
    const int32_t *taps;    // NULL for a pointwise layer
    float *out;
    size_t m, k, n, a_px, out_px;
    bool act;
} MfnGemm;

// Depthwise 3x3, zero padding 1 at left and right; rows outside the map come as a row of zeros.
// Output row y reads rows[y * stride + 0..2]. `w` holds, for each MFN_BLOCK channels, 9 taps, bias and
// slope, MFN_BLOCK floats each.
typedef struct MfnDw {
    const float *const *rows;
    const float *w;
    float *out;  // n_rows x w_out pixels of `px` floats
    size_t channels, px, w_in, w_out, n_rows, stride;
} MfnDw;

// Global depthwise: out[c] = bias[c] + sum_p in[p][c] * w[p][c]. `w` holds, for each MFN_BLOCK
// channels, `pixels` taps and the bias.
typedef struct MfnGdc {
    const float *in;
    const float *w;
    float *out;
    size_t channels, px, pixels;
} MfnGdc;

// A depthwise layer's weights from bytes, for MfnDw with `slopes`, else for MfnGdc. `w` holds, for each
// MFN_BLOCK channels, `area` rows of int8, the bias in float32, and in bfloat16 the scale and, with
// `slopes`, the slope: weight = scale * int8, rounded once, so every instruction set has the same ones.
typedef struct MfnWiden {
    const unsigned char *w;
    float *out;
    size_t channels, area;
    bool slopes;
} MfnWiden;

static inline size_t mfn_narrow_block(size_t area, bool slopes) {
    return MFN_BLOCK * (area + (slopes ? 8 : 6));
}

// One slot per operation. gemm, fc and panel share a packing, so a row fills all three or none.
typedef struct MfnKernels {
    size_t (*panel)(size_t columns_left);
    size_t (*fc_panel)(size_t columns_left);
    void (*gemm)(const MfnGemm *);
    void (*fc)(const MfnGemm *);  // m == 1, no act, panels from fc_panel
    void (*dw3)(const MfnDw *);
    void (*gdc)(const MfnGdc *);
    void (*widen)(const MfnWiden *);
    void (*u8)(const uint8_t *in, float *out, size_t n);  // (p - 127.5) / 128
    void (*pixels)(const uint8_t *in, int16_t *out, size_t n);  // 2p - 255
    const MfnIntegers *stem;                               // of 16 bits
    const MfnIntegers *fast;                               // of 8 bits, or more where as quick
    const MfnIntegers *high;                               // of 16 bits, or in bfloat16
    double (*fma_probe)(uint64_t rounds);                  // runs and returns multiply-adds done
} MfnKernels;

// Which rows of isa.def this architecture has; on a foreign one a row's file is empty.
#if defined(MFN_GNU_WORDS) && (defined(__x86_64__) || defined(__i386__)) && !defined(MFN_NO_SIMD)
#define MFN_HAVE_X86 1
#endif
// Older compilers do not know the newer sets.
#if defined(MFN_HAVE_X86) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define MFN_HAVE_AVX512VNNI 1
#define MFN_HAVE_AVXVNNI 1
#endif
#if defined(MFN_HAVE_X86) && (defined(__clang__) ? __clang_major__ >= 9 : __GNUC__ >= 10)
#define MFN_HAVE_AVX512BF16 1
#endif
#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(MFN_NO_SIMD)
#define MFN_HAVE_NEON 1
#endif
// clang before 16 declares the dot products only where they are asked for on the command line.
#if defined(MFN_HAVE_NEON) && (defined(__ARM_FEATURE_DOTPROD) || \
                               (defined(__clang__) ? __clang_major__ >= 16 : __GNUC__ >= 8))
#define MFN_HAVE_NEONDOT 1
#endif

#if defined(__wasm_relaxed_simd__) && !defined(MFN_NO_SIMD)
#define MFN_HAVE_WASMRELAXED 1
#elif defined(__wasm_simd128__) && !defined(MFN_NO_SIMD)
#define MFN_HAVE_WASMSIMD 1
#endif

// What has a constant for an argument is inlined and unrolled.
#ifdef MFN_GNU_WORDS
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

#define ROW(name, needs) extern const MfnKernels mfn_kernels__##name;
#include "isa.def"
#undef ROW

#endif
