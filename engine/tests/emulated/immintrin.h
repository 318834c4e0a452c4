// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The intrinsics of AVX-512 that the kernels use, in AVX2 and plain C, from the manual's words: so their
// rows are checked on processors without it. Comes before the compiler's own header on the include
// path; tests/test_engine_emulated.py says how the rest of a build differs.
#ifndef EMULATED_IMMINTRIN_H
#define EMULATED_IMMINTRIN_H

#include_next <immintrin.h>
#include <stdint.h>
#include <string.h>

#define EMULATED static inline __attribute__((always_inline, unused, target("avx2,fma")))

typedef union Emulated {
    __m512 whole;
    __m512i integers;
    __m256 half[2];
    __m256i part[2];
    float lane[16];
    int32_t word[16];
    int64_t pair[8];
    uint32_t count[16];
    int8_t byte[64];
    uint8_t raw[64];
} Emulated;

// Each half of a register on its own.
#define BY_HALVES(name, type, from, member, of_half)                                        \
    EMULATED type emulated_##name(type a, type b) {                                         \
        Emulated x = {.from = a}, y = {.from = b};                                          \
        for (int i = 0; i < 2; i++) x.member[i] = of_half(x.member[i], y.member[i]);        \
        return x.from;                                                                      \
    }
BY_HALVES(add_ps, __m512, whole, half, _mm256_add_ps)
BY_HALVES(sub_ps, __m512, whole, half, _mm256_sub_ps)
BY_HALVES(mul_ps, __m512, whole, half, _mm256_mul_ps)
BY_HALVES(min_ps, __m512, whole, half, _mm256_min_ps)
BY_HALVES(max_ps, __m512, whole, half, _mm256_max_ps)
BY_HALVES(and_si512, __m512i, integers, part, _mm256_and_si256)
BY_HALVES(add_epi32, __m512i, integers, part, _mm256_add_epi32)
BY_HALVES(sub_epi32, __m512i, integers, part, _mm256_sub_epi32)
BY_HALVES(mullo_epi32, __m512i, integers, part, _mm256_mullo_epi32)
BY_HALVES(max_epi32, __m512i, integers, part, _mm256_max_epi32)
BY_HALVES(max_epu32, __m512i, integers, part, _mm256_max_epu32)
BY_HALVES(madd_epi16, __m512i, integers, part, _mm256_madd_epi16)
BY_HALVES(add_epi16, __m512i, integers, part, _mm256_add_epi16)
// Within quarters, as their halves do.
BY_HALVES(packs_epi32, __m512i, integers, part, _mm256_packs_epi32)
BY_HALVES(packus_epi16, __m512i, integers, part, _mm256_packus_epi16)

EMULATED __m512 emulated_load(const void *p) {
    Emulated x;
    memcpy(&x, p, sizeof x);
    return x.whole;
}
EMULATED __m512i emulated_load_integers(const void *p) {
    Emulated x;
    memcpy(&x, p, sizeof x);
    return x.integers;
}
EMULATED void emulated_store(void *p, __m512 v) { memcpy(p, &v, sizeof v); }
EMULATED void emulated_store_integers(void *p, __m512i v) { memcpy(p, &v, sizeof v); }

EMULATED __m512 emulated_set1_ps(float v) {
    return (Emulated){.half = {_mm256_set1_ps(v), _mm256_set1_ps(v)}}.whole;
}
EMULATED __m512i emulated_set1_epi32(int32_t v) {
    return (Emulated){.part = {_mm256_set1_epi32(v), _mm256_set1_epi32(v)}}.integers;
}
EMULATED __m512i emulated_set1_epi16(int16_t v) {
    return (Emulated){.part = {_mm256_set1_epi16(v), _mm256_set1_epi16(v)}}.integers;
}
EMULATED __m512i emulated_permutexvar_epi32(__m512i order, __m512i v) {
    Emulated from = {.integers = v}, by = {.integers = order}, out;
    for (int i = 0; i < 16; i++) out.word[i] = from.word[by.word[i] & 15];
    return out.integers;
}
EMULATED __m512i emulated_permutexvar_epi64(__m512i order, __m512i v) {
    Emulated from = {.integers = v}, by = {.integers = order}, out;
    for (int i = 0; i < 8; i++) out.pair[i] = from.pair[by.pair[i] & 7];
    return out.integers;
}
EMULATED __m512 emulated_fmadd_ps(__m512 a, __m512 b, __m512 c) {
    Emulated x = {.whole = a}, y = {.whole = b}, z = {.whole = c};
    for (int i = 0; i < 2; i++) z.half[i] = _mm256_fmadd_ps(x.half[i], y.half[i], z.half[i]);
    return z.whole;
}

EMULATED __m512i emulated_as_integers(__m512 v) { return (Emulated){.whole = v}.integers; }
EMULATED __m512 emulated_as_floats(__m512i v) { return (Emulated){.integers = v}.whole; }
EMULATED __m256 emulated_half(__m512 v, int at) { return (Emulated){.whole = v}.half[at]; }
EMULATED __m512 emulated_twice(__m256 v) { return (Emulated){.half = {v, v}}.whole; }

EMULATED __m512 emulated_cvtepi32_ps(__m512i v) {
    Emulated x = {.integers = v};
    for (int i = 0; i < 2; i++) x.half[i] = _mm256_cvtepi32_ps(x.part[i]);
    return x.whole;
}
EMULATED __m512i emulated_cvtps_epi32(__m512 v) {
    Emulated x = {.whole = v};
    for (int i = 0; i < 2; i++) x.part[i] = _mm256_cvtps_epi32(x.half[i]);
    return x.integers;
}
EMULATED __m512i emulated_cvtepu8_epi32(__m128i v) {
    return (Emulated){.part = {_mm256_cvtepu8_epi32(v), _mm256_cvtepu8_epi32(_mm_srli_si128(v, 8))}}
        .integers;
}
EMULATED __m512i emulated_cvtepi8_epi32(__m128i v) {
    return (Emulated){.part = {_mm256_cvtepi8_epi32(v), _mm256_cvtepi8_epi32(_mm_srli_si128(v, 8))}}
        .integers;
}
EMULATED __m128i emulated_cvtusepi32_epi8(__m512i v) {
    Emulated x = {.integers = v};
    uint8_t out[16];
    for (int i = 0; i < 16; i++) out[i] = x.count[i] > 255 ? 255 : (uint8_t)x.count[i];
    return _mm_loadu_si128((const __m128i *)(const void *)out);
}
EMULATED __m256i emulated_cvtsepi32_epi16(__m512i v) {
    Emulated x = {.integers = v};
    int16_t out[16];
    for (int i = 0; i < 16; i++)
        out[i] = (int16_t)(x.word[i] > 32767 ? 32767 : x.word[i] < -32768 ? -32768 : x.word[i]);
    return _mm256_loadu_si256((const __m256i *)(const void *)out);
}

EMULATED __m512i emulated_cvtepu16_epi32(__m256i v) {
    return (Emulated){.part = {_mm256_cvtepu16_epi32(_mm256_castsi256_si128(v)),
                               _mm256_cvtepu16_epi32(_mm256_extracti128_si256(v, 1))}}
        .integers;
}
EMULATED __m512i emulated_slli_epi32(__m512i v, int by) {
    Emulated x = {.integers = v};
    for (int i = 0; i < 2; i++) x.part[i] = _mm256_slli_epi32(x.part[i], by);
    return x.integers;
}

#define emulated_cmp_ps_mask(a, b, how)                                                          \
    ((__mmask16)(_mm256_movemask_ps(_mm256_cmp_ps(emulated_half(a, 0), emulated_half(b, 0), how)) | \
                 _mm256_movemask_ps(_mm256_cmp_ps(emulated_half(a, 1), emulated_half(b, 1), how)) << 8))
// b where the mask has a 1, else a.
EMULATED __m512 emulated_mask_blend_ps(__mmask16 mask, __m512 a, __m512 b) {
    Emulated x = {.whole = a}, y = {.whole = b};
    for (int i = 0; i < 16; i++) x.count[i] = mask >> i & 1 ? y.count[i] : x.count[i];
    return x.whole;
}
EMULATED int32_t emulated_reduce_max_epi32(__m512i v) {
    Emulated x = {.integers = v};
    for (int i = 1; i < 16; i++) x.word[0] = x.word[i] > x.word[0] ? x.word[i] : x.word[0];
    return x.word[0];
}
EMULATED uint32_t emulated_reduce_max_epu32(__m512i v) {
    Emulated x = {.integers = v};
    for (int i = 1; i < 16; i++) x.count[0] = x.count[i] > x.count[0] ? x.count[i] : x.count[0];
    return x.count[0];
}

// VNNI: unsigned bytes of a, signed ones of b.
EMULATED __m512i emulated_dpbusd_epi32(__m512i sum, __m512i a, __m512i b) {
    Emulated x = {.integers = a}, y = {.integers = b}, z = {.integers = sum};
    for (int i = 0; i < 64; i++)
        z.count[i / 4] += (uint32_t)((int32_t)x.raw[i] * (int32_t)y.byte[i]);
    return z.integers;
}
EMULATED __m512i emulated_dpwssd_epi32(__m512i sum, __m512i a, __m512i b) {
    return emulated_add_epi32(sum, emulated_madd_epi16(a, b));
}

// BF16: a fused product and sum of the odd elements, then one of the even ones; a denormal counts as
// a 0 of its sign on the way in and becomes one on the way out.
EMULATED __m256 emulated_flushed(__m256 v) {
    const __m256 sign = _mm256_set1_ps(-0.0f), size = _mm256_andnot_ps(sign, v);
    return _mm256_blendv_ps(v, _mm256_and_ps(sign, v),
                            _mm256_cmp_ps(size, _mm256_set1_ps(0x1p-126f), _CMP_LT_OQ));
}
EMULATED __m256 emulated_products(__m256 sum, __m256i a, __m256i b) {
    return emulated_flushed(_mm256_fmadd_ps(emulated_flushed(_mm256_castsi256_ps(a)),
                                            emulated_flushed(_mm256_castsi256_ps(b)),
                                            emulated_flushed(sum)));
}
EMULATED __m512 emulated_dpbf16_ps(__m512 sum, __m512i a, __m512i b) {
    Emulated x = {.integers = a}, y = {.integers = b}, z = {.whole = sum};
    const __m256i odd = _mm256_set1_epi32((int32_t)0xffff0000);
    for (int i = 0; i < 2; i++) {
        z.half[i] = emulated_products(z.half[i], _mm256_and_si256(x.part[i], odd),
                                      _mm256_and_si256(y.part[i], odd));
        z.half[i] = emulated_products(z.half[i], _mm256_slli_epi32(x.part[i], 16),
                                      _mm256_slli_epi32(y.part[i], 16));
    }
    return z.whole;
}
EMULATED __m256i emulated_cvtneps_pbh(__m512 v) {
    Emulated x = {.whole = v};
    uint16_t out[16];
    for (int i = 0; i < 16; i++) {
        const uint32_t n = x.count[i], exponent = n >> 23 & 255, half = n >> 16;
        const uint32_t rest = n & 0xffff;
        const bool up = rest > 0x8000 || (rest == 0x8000 && half % 2);
        out[i] = (uint16_t)(exponent == 0                      ? half & 0x8000
                            : exponent == 255 && n << 9 != 0 ? half | 0x40
                                                             : half + up);
    }
    return _mm256_loadu_si256((const __m256i *)(const void *)out);
}

#define _mm512_add_ps emulated_add_ps
#define _mm512_sub_ps emulated_sub_ps
#define _mm512_mul_ps emulated_mul_ps
#define _mm512_min_ps emulated_min_ps
#define _mm512_max_ps emulated_max_ps
#define _mm512_and_si512 emulated_and_si512
#define _mm512_add_epi32 emulated_add_epi32
#define _mm512_sub_epi32 emulated_sub_epi32
#define _mm512_mullo_epi32 emulated_mullo_epi32
#define _mm512_max_epi32 emulated_max_epi32
#define _mm512_max_epu32 emulated_max_epu32
#define _mm512_madd_epi16 emulated_madd_epi16
#define _mm512_add_epi16 emulated_add_epi16
#define _mm512_packs_epi32 emulated_packs_epi32
#define _mm512_packus_epi16 emulated_packus_epi16
#define _mm512_permutexvar_epi32 emulated_permutexvar_epi32
#define _mm512_permutexvar_epi64 emulated_permutexvar_epi64
#undef _mm512_setr_epi32
#define _mm512_setr_epi32(...) ((Emulated){.word = {__VA_ARGS__}}.integers)
#undef _mm512_setr_epi64
#define _mm512_setr_epi64(...) ((Emulated){.pair = {__VA_ARGS__}}.integers)
#define _mm512_loadu_ps(p) emulated_load(p)
#define _mm512_loadu_si512(p) emulated_load_integers(p)
#define _mm512_storeu_ps(p, v) emulated_store(p, v)
#define _mm512_storeu_si512(p, v) emulated_store_integers(p, v)
#define _mm512_set1_ps emulated_set1_ps
#define _mm512_set1_epi32 emulated_set1_epi32
#define _mm512_set1_epi16 emulated_set1_epi16
#define _mm512_setzero_ps() emulated_set1_ps(0)
#define _mm512_setzero_si512() emulated_set1_epi32(0)
#define _mm512_fmadd_ps emulated_fmadd_ps
#define _mm512_castps_si512 emulated_as_integers
#define _mm512_castsi512_ps emulated_as_floats
#define _mm512_castps512_ps256(v) emulated_half(v, 0)
#define _mm512_extractf32x8_ps(v, at) emulated_half(v, at)
#define _mm512_broadcast_f32x8 emulated_twice
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#define _mm512_cvtps_epi32 emulated_cvtps_epi32
#define _mm512_cvtepi8_epi32 emulated_cvtepi8_epi32
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32
#define _mm512_cvtusepi32_epi8 emulated_cvtusepi32_epi8
#define _mm512_cvtsepi32_epi16 emulated_cvtsepi32_epi16
#define _mm512_cvtepu16_epi32 emulated_cvtepu16_epi32
#undef _mm512_slli_epi32
#define _mm512_slli_epi32 emulated_slli_epi32
#undef _mm512_cmp_ps_mask
#define _mm512_cmp_ps_mask emulated_cmp_ps_mask
#define _mm512_mask_blend_ps emulated_mask_blend_ps
#define _mm512_mask_mov_ps(a, mask, b) emulated_mask_blend_ps(mask, a, b)
#define _mm512_mask_mul_ps(a, mask, b, c) emulated_mask_blend_ps(mask, a, emulated_mul_ps(b, c))
#define _mm512_reduce_max_epi32 emulated_reduce_max_epi32
#define _mm512_reduce_max_epu32 emulated_reduce_max_epu32
#define _mm512_dpbusd_epi32 emulated_dpbusd_epi32
#define _mm512_dpwssd_epi32 emulated_dpwssd_epi32
#define _mm512_dpbf16_ps(sum, a, b) emulated_dpbf16_ps(sum, (__m512i)(a), (__m512i)(b))
#define _mm512_cvtneps_pbh emulated_cvtneps_pbh

#endif
