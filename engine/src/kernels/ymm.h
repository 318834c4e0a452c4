// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The wrappers over registers of 8 floats that the rows of AVX2 share. The row's file defines NAME.
#define V __m256
#define LANES 8
#define vload(p) _mm256_loadu_ps(p)
#define vstore(p, v) _mm256_storeu_ps(p, v)
#define vdup(p) _mm256_broadcast_ss(p)
#define vadd(a, b) _mm256_add_ps(a, b)
#define vfma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define vmul(a, b) _mm256_mul_ps(a, b)
#define vprelu(x, slope) \
    _mm256_blendv_ps(vmul(slope, x), x, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ))
#define vmin0(x) _mm256_min_ps(_mm256_setzero_ps(), x)

#define vbf16(p)                                        \
    _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32( \
        _mm_loadu_si128((const __m128i *)(const void *)(p))), 16))

#define VI __m256i
#define vizero() _mm256_setzero_si256()
#define vidup(x) _mm256_set1_epi32(x)
#define viload(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define vistore(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
#define viand(a, b) _mm256_and_si256(a, b)
#define vimaxs(a, b) _mm256_max_epi32(a, b)
#define vimaxu(a, b) _mm256_max_epu32(a, b)
#define vifloat(v) _mm256_cvtepi32_ps(v)
#define vitops(v) NAME(tops)(v)
#define vitopu(v) NAME(topu)(v)

// LANES int8 as floats.
INLINE V NAME(bytes)(const unsigned char *p) {
    return vifloat(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}

INLINE int32_t NAME(tops)(__m256i v) {
    __m128i x = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    x = _mm_max_epi32(x, _mm_shuffle_epi32(x, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(x, _mm_shuffle_epi32(x, 0xb1)));
}

INLINE uint32_t NAME(topu)(__m256i v) {
    __m128i x = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    x = _mm_max_epu32(x, _mm_shuffle_epi32(x, 0x4e));
    return (uint32_t)_mm_cvtsi128_si32(_mm_max_epu32(x, _mm_shuffle_epi32(x, 0xb1)));
}

INLINE __m256i NAME(rounded)(const float *x, V inverse) {
    return _mm256_cvtps_epi32(vmul(vload(x), inverse));
}

// MFN_BLOCK levels of two bytes, saturated. vpackssdw works within the halves of a register.
INLINE __m256i NAME(packed)(const float *x, V inverse) {
    __m256i v = _mm256_packs_epi32(NAME(rounded)(x, inverse), NAME(rounded)(x + 8, inverse));
    return _mm256_permute4x64_epi64(v, 0xd8);
}

INLINE void NAME(convert_i16)(unsigned char *to, const float *x, size_t n, V inverse,
                              int32_t zero) {
    (void)zero;
    for (size_t i = 0; i < n; i += MFN_BLOCK) vistore(to + 2 * i, NAME(packed)(x + i, inverse));
}
