// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The wrappers over registers of 16 floats that the rows of AVX-512 share. The row's file defines NAME.
#define V __m512
#define LANES 16
#define vload(p) _mm512_loadu_ps(p)
#define vstore(p, v) _mm512_storeu_ps(p, v)
#define vdup(p) _mm512_set1_ps(*(p))
#define vadd(a, b) _mm512_add_ps(a, b)
#define vfma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vmul(a, b) _mm512_mul_ps(a, b)
// Only the other lanes are multiplied: a blend would take one of the two ports that FMAs have.
#define vprelu(x, slope) \
    _mm512_mask_mul_ps(x, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NGT_UQ), slope, x)
#define vmin0(x) _mm512_min_ps(_mm512_setzero_ps(), x)

#define vbf16(p)                                        \
    _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32( \
        _mm256_loadu_si256((const __m256i *)(const void *)(p))), 16))

#define VI __m512i
#define vizero() _mm512_setzero_si512()
#define vidup(x) _mm512_set1_epi32(x)
#define viload(p) _mm512_loadu_si512(p)
#define vistore(p, v) _mm512_storeu_si512(p, v)
#define viand(a, b) _mm512_and_si512(a, b)
#define vimaxs(a, b) _mm512_max_epi32(a, b)
#define vimaxu(a, b) _mm512_max_epu32(a, b)
#define vifloat(v) _mm512_cvtepi32_ps(v)
#define vitops(v) _mm512_reduce_max_epi32(v)
#define vitopu(v) _mm512_reduce_max_epu32(v)

// LANES int8 as floats.
INLINE V NAME(bytes)(const unsigned char *p) {
    return vifloat(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}

// MFN_BLOCK rounded values.
INLINE __m512i NAME(rounded)(const float *x, V inverse) {
    return _mm512_cvtps_epi32(vmul(vload(x), inverse));
}

// Two registers' levels of two bytes, saturated. vpackssdw works within the quarters of a register:
// the result has a quarter of the first and one of the second by turns.
INLINE __m512i NAME(packed)(const float *x, V inverse) {
    return _mm512_packs_epi32(NAME(rounded)(x, inverse), NAME(rounded)(x + LANES, inverse));
}

INLINE void NAME(convert_i16)(unsigned char *to, const float *x, size_t n, V inverse,
                              int32_t zero) {
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    size_t i = 0;
    (void)zero;
    // A register by itself is narrowed by two operations, two of them by two in all.
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        vistore(to + 2 * i, _mm512_permutexvar_epi64(order, NAME(packed)(x + i, inverse)));
    if (i < n)
        _mm256_storeu_si256((__m256i *)(void *)(to + 2 * i),
                            _mm512_cvtsepi32_epi16(NAME(rounded)(x + i, inverse)));
}

// 48 columns need the fewest loads; a last panel never reaches beyond a multiple of MFN_BLOCK.
static inline size_t NAME(int_panel)(size_t left) {
    if (left <= 16) return 16;
    if (left <= 32) return 32;
    if (left <= 48) return 48;
    if (left <= 64) return 32;
    return 48;
}
