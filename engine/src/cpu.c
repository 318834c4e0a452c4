// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#include "platform.h"

#include "cpu.h"

#ifdef MFN_HAVE_X86
#include <cpuid.h>
#include <stdatomic.h>

// The operating system must save the wide registers too: XCR0 bits 1-2 for ymm, 5-7 for zmm.
static uint64_t xcr0(void) {
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

// AMD's processors (Zen 4 and 5) have vdpbf16ps at the rate of vpdpwssd; Intel's make several steps of
// it: on Sapphire Rapids it takes three times as long.
static bool quick_bf16(void) {
    unsigned a, b, c, d;
    // "AuthenticAMD" in EBX, EDX and ECX.
    return __get_cpuid(0, &a, &b, &c, &d) && b == 0x68747541 && d == 0x69746e65 && c == 0x444d4163;
}

static unsigned look(void) {
    unsigned a, b, c, d, found = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28;
    if ((c & (fma | osxsave | avx)) != (fma | osxsave | avx)) return 0;
    uint64_t saved = xcr0();
    if ((saved & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    const unsigned avx2 = 1u << 5;
    const unsigned f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;
    if (b & avx2) found |= MFN_CPU_AVX2;
    if ((saved & 0xe6) == 0xe6 && (b & (f | dq | bw | vl)) == (f | dq | bw | vl))
        found |= MFN_CPU_AVX512;
    const unsigned avx512_vnni = 1u << 11, avx_vnni = 1u << 4, subleaves = a;
    if ((found & MFN_CPU_AVX512) && (c & avx512_vnni)) found |= MFN_CPU_AVX512VNNI;
    const unsigned avx512_bf16 = 1u << 5;
    if (subleaves < 1 || !__get_cpuid_count(7, 1, &a, &b, &c, &d)) return found;
    if (a & avx_vnni) found |= MFN_CPU_AVXVNNI;
    if ((found & MFN_CPU_AVX512) && (a & avx512_bf16))
        found |= quick_bf16() ? MFN_CPU_AVX512BF16 | MFN_CPU_QUICK_BF16 : MFN_CPU_AVX512BF16;
    return found;
}

// CPUID is slow where a hypervisor traps it (20 us), several times per load; the answer is cached.
unsigned mfn_cpu_features(void) {
    enum { KNOWN = 1 << 30 };
    static _Atomic unsigned known;
    unsigned found = atomic_load_explicit(&known, memory_order_relaxed);
    if (!found) {
        found = look() | KNOWN;
        atomic_store_explicit(&known, found, memory_order_relaxed);
    }
    return found & ~(unsigned)KNOWN;
}
#elif defined(MFN_HAVE_NEON)

// AdvSIMD is part of every AArch64 processor that runs code built with __ARM_NEON; the dot products
// are where the compiler was told so, or the system says so.
unsigned mfn_cpu_features(void) {
#ifdef __ARM_FEATURE_DOTPROD
    return MFN_CPU_NEON | MFN_CPU_NEONDOT;
#else
    return mfn_os_has_neondot() ? MFN_CPU_NEON | MFN_CPU_NEONDOT : MFN_CPU_NEON;
#endif
}
#else
unsigned mfn_cpu_features(void) { return 0; }
#endif
