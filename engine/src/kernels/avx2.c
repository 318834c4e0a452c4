// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// AVX2 and FMA: 16 registers of 8 floats.
#include "../kernels.h"

#ifdef MFN_HAVE_X86
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

#define NAME(x) x##__avx2
#include "ymm.h"

// 6 x 2 + 2 + 1 and 4 x 3 + 3 + 1 of 16 registers. Depthwise: 7 sums, a column; the taps come
// from memory.
#define TALL 6
#define SHORT 4
#define DW_ROWS 1
#define DW_RUN 7

static size_t NAME(panel)(size_t left) {
    if (left <= 8) return 8;
    if (left <= 16) return 16;
    if (left <= 24) return 24;
    if (left <= 32) return 16;
    return 24;
}

#include "simd.h"

// 16 bits by vpmaddwd, for both precisions: vpmaddubsw saturates with weights of 8 bits, and to widen
// them takes longer. 6 x 2 sums, 2 weights, the levels and a product in 16 registers.
#define INT(x) x##_i16__avx2
#define BITS 16
#define STEP 2
#define LEVEL_BYTES 2
#define LEVEL_OFFSET 0
#define WEIGHT_BYTES 2
#define INT_TALL 6
#define INT_SHORT 4
#define ZERO_APART 0
#define iweights(p) viload(p)
#define convert_i16__avx2 NAME(convert_i16)
#define istart(p, head, at, m) vizero()
#define idot(sum, a, b) INT(dot)(sum, a, b)

// gcc schedules a tile's products before its sums and runs out of registers; as one statement a
// product has its sum at once. The intrinsics are for compilers that do not know such statements.
INLINE __m256i INT(dot)(__m256i sum, __m256i a, __m256i b) {
#ifdef MFN_NO_ASM
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
#else
    __m256i product;
    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0"
            : "+x"(sum), "=&x"(product)
            : "x"(a), "x"(b));
    return sum;
#endif
}

static size_t INT(panel)(size_t left) { return left <= 8 ? 8 : 16; }

#include "simd_int.h"

static void NAME(u8_to_f32)(const uint8_t *in, float *out, size_t n) {
    const __m256 scale = _mm256_set1_ps(0.0078125f), offset = _mm256_set1_ps(-0.99609375f);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i p = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(in + i)));
        vstore(out + i, vfma(_mm256_cvtepi32_ps(p), scale, offset));
    }
    for (; i < n; i++) out[i] = ((float)in[i] - 127.5f) * 0.0078125f;
}

// For the rows of AVX-512 too: a picture takes a microsecond.
static void NAME(pixels)(const uint8_t *in, int16_t *out, size_t n) {
    const __m256i top = _mm256_set1_epi16(MFN_TOP_PIXEL);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256i p = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(in + i)));
        vistore(out + i, _mm256_sub_epi16(_mm256_add_epi16(p, p), top));
    }
    for (; i < n; i++) out[i] = (int16_t)(2 * in[i] - MFN_TOP_PIXEL);
}

const MfnKernels mfn_kernels__avx2 = {MFN_KERNEL_SLOTS, .u8 = NAME(u8_to_f32),
                                       .pixels = NAME(pixels), .stem = &set_i16__avx2,
                                       .fast = &set_i16__avx2, .high = &set_i16__avx2};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int mfn_no_avx2;
#endif
