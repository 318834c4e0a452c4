// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Included first: all that the engine asks of an operating system, and the floating-point state. No
// other file asks which system it is compiled for, but those that answer: platform_*.c, each empty
// where it has nothing to say.
#ifndef MFN_PLATFORM_H
#define MFN_PLATFORM_H

#if defined(_WIN32)
#define MFN_WINDOWS 1
#else
#define MFN_POSIX 1  // or near enough: WASI has the files and the clock
#endif

// The C library's POSIX under -std=c11, files beyond 2 GiB, and no advice to use Windows' own names.
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif
#ifndef _CRT_SECURE_NO_WARNINGS
#define _CRT_SECURE_NO_WARNINGS 1
#endif

// WebAssembly has threads only where the compiler was asked for them.
#if defined(__wasm__) && !defined(_REENTRANT) && !defined(MFN_NO_THREADS)
#define MFN_NO_THREADS 1
#endif

// clang in the place of MSVC does not say __GNUC__, and takes the same words.
#if defined(__GNUC__) || defined(__clang__)
#define MFN_GNU_WORDS 1
#endif

// gcc for Windows moves 32 bytes as if aligned to and from a stack that it aligns to 16.
#if defined(MFN_WINDOWS) && defined(__GNUC__) && !defined(__clang__) && !defined(MFN_NO_SIMD)
#define MFN_NO_SIMD 1
#endif

// clang before 20 in the place of MSVC: its immintrin.h leaves out what the command line does not ask
// for, and functions that ask for it themselves find nothing there.
#if defined(_MSC_VER) && defined(__clang__) && (defined(__x86_64__) || defined(__i386__)) && \
    !defined(MFN_NO_SIMD)
#if __clang_major__ < 20
#define MFN_NO_SIMD 1
#endif
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#if defined(MFN_POSIX) && !defined(MFN_NO_THREADS)
#include <pthread.h>
#endif

// ---- Files, by names in UTF-8 on Windows and of any bytes elsewhere ----

typedef intptr_t MfnFile;  // below zero: none

// Opens for reading, and waits for nobody: neither for a FIFO's writer nor for a terminal.
MfnFile mfn_os_open(const char *path);
void mfn_os_close(MfnFile file);
// Its kind and its size in bytes; false where the system does not say.
bool mfn_os_look(MfnFile file, bool *regular, uint64_t *size);
// Reads at most `n` bytes, `n` at most 2^30: their number, 0 at the end, or -1. Not interrupted by signals.
int64_t mfn_os_read(MfnFile file, void *out, size_t n);
// Why the last call of this thread failed; valid until the next one.
const char *mfn_os_error(void);

// For programs: fopen(path, "rb").
FILE *mfn_os_stream(const char *path);

// ---- Memory, time, the processor ----

// `align` is a power of two and a multiple of a pointer's size; beyond 4096, which serves large pages
// alone, it is a wish: a C library of WebAssembly does not grant it. NULL where no memory is left.
void *mfn_os_aligned(size_t align, size_t bytes);
void mfn_os_aligned_free(void *memory);
// Asks for large pages, where there are any; a refusal changes nothing.
void mfn_os_large_pages(void *memory, size_t bytes);
// Nanoseconds of a clock that never goes back.
int64_t mfn_os_nanoseconds(void);
// Whether an AArch64 processor has the dot products of bytes.
bool mfn_os_has_neondot(void);

// ---- Threads, unless MFN_NO_THREADS ----

#ifndef MFN_NO_THREADS
#ifdef MFN_WINDOWS
typedef struct MfnMutex { void *word; } MfnMutex;  // an SRWLOCK; the sizes are compared
typedef struct MfnCond { void *word; } MfnCond;    // a CONDITION_VARIABLE
typedef struct MfnThread {
    void *handle, *(*run)(void *), *arg;
} MfnThread;
#else
typedef pthread_mutex_t MfnMutex;
typedef pthread_cond_t MfnCond;
typedef pthread_t MfnThread;
#endif

bool mfn_os_mutex_init(MfnMutex *mutex);
void mfn_os_mutex_free(MfnMutex *mutex);
void mfn_os_lock(MfnMutex *mutex);
void mfn_os_unlock(MfnMutex *mutex);
bool mfn_os_cond_init(MfnCond *cond);
void mfn_os_cond_free(MfnCond *cond);
// May return without a reason, as in POSIX.
void mfn_os_wait(MfnCond *cond, MfnMutex *mutex);
void mfn_os_wake_one(MfnCond *cond);
void mfn_os_wake_all(MfnCond *cond);
// `thread` stays where it is until it is joined.
bool mfn_os_thread_start(MfnThread *thread, void *(*run)(void *), void *arg);
void mfn_os_thread_join(MfnThread *thread);
void mfn_os_yield(void);

// Which process this is. Two differ where fork lies between them, which threads do not survive: a child
// in a new namespace may have its parent's number, so forks are counted too, from the first call on.
typedef struct MfnProcess {
    int64_t number;
    unsigned forks;
} MfnProcess;
MfnProcess mfn_os_process(void);
#endif

// ---- The floating-point state ----

// Flush-to-zero, round to nearest, all exceptions masked: what the kernels are specified under.
// Enter gives the caller's state, leave puts it back.
typedef uint64_t MfnFpState;

#if defined(MFN_GNU_WORDS) && (defined(__x86_64__) || (defined(__i386__) && defined(__SSE__)))
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
#elif defined(MFN_GNU_WORDS) && defined(__aarch64__)
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
