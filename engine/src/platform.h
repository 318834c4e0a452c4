// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Included first: asks the C library for POSIX under -std=c11, and holds the floating-point state.
#ifndef MFN_PLATFORM_H
#define MFN_PLATFORM_H

#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include <stdint.h>

// Flush-to-zero, round to nearest, all exceptions masked: what the kernels are specified under.
// Enter gives the caller's state, leave puts it back.
typedef uint64_t MfnFpState;

#if defined(__GNUC__) && (defined(__x86_64__) || (defined(__i386__) && defined(__SSE__)))
static inline MfnFpState mfn_fp_enter(void) {
    uint32_t old, now = 0x9fc0;  // FTZ | DAZ | all masks
    __asm__ volatile("stmxcsr %0" : "=m"(old));
    __asm__ volatile("ldmxcsr %0" : : "m"(now));
    return old;
}
static inline void mfn_fp_leave(MfnFpState state) {
    uint32_t old = (uint32_t)state;
    __asm__ volatile("ldmxcsr %0" : : "m"(old));
}
#elif defined(__GNUC__) && defined(__aarch64__)
static inline MfnFpState mfn_fp_enter(void) {
    uint64_t old, now = 1u << 24;  // FZ
    __asm__ volatile("mrs %0, fpcr" : "=r"(old));
    __asm__ volatile("msr fpcr, %0" : : "r"(now));
    return old;
}
static inline void mfn_fp_leave(MfnFpState state) { __asm__ volatile("msr fpcr, %0" : : "r"(state)); }
#else
static inline MfnFpState mfn_fp_enter(void) { return 0; }
static inline void mfn_fp_leave(MfnFpState state) { (void)state; }
#endif

#endif
