// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// What the verbs of check_engine.c share: CHECK, allocations that can be refused, data, files.
#ifndef CHECK_TOOLS_H
#define CHECK_TOOLS_H
#define _DEFAULT_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "../src/engine.h"
#include "facex_mfn.h"

enum { VALUES = 3 * 112 * 112, PIXELS = 112 * 112 * 3, BATCH = 9, MAX_DIM = 1024 };

#define CHECK(x)                                                               \
    do {                                                                       \
        if (!(x)) {                                                            \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #x); \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

// Allocations and new threads left before one fails, and all later ones where `for_ever`; below
// zero: none fails. The pool's threads allocate too.
static _Atomic long budget = -1;
static bool for_ever;
static _Atomic bool refused;
// Allocations that are not freed yet.
static _Atomic long held;

static bool refuse(int number) {
    if (budget < 0) return false;
    if (atomic_fetch_sub(&budget, 1) > 0) return false;
    budget = for_ever ? 0 : -1;
    refused = true;
    errno = number;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
int __real_posix_memalign(void **p, size_t align, size_t n);
void __real_free(void *p);
int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
int __wrap_posix_memalign(void **p, size_t align, size_t n);
void __wrap_free(void *p);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg);
static void *counted(void *p) {
    held += p != NULL;
    return p;
}
void *__wrap_malloc(size_t n) { return refuse(ENOMEM) ? NULL : counted(__real_malloc(n)); }
void *__wrap_calloc(size_t n, size_t size) {
    return refuse(ENOMEM) ? NULL : counted(__real_calloc(n, size));
}
int __wrap_posix_memalign(void **p, size_t align, size_t n) {
    int rc = refuse(ENOMEM) ? ENOMEM : __real_posix_memalign(p, align, n);
    held += rc == 0;
    return rc;
}
void __wrap_free(void *p) {
    held -= p != NULL;
    __real_free(p);
}
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg) {
    return refuse(EAGAIN) ? EAGAIN : __real_pthread_create(t, a, f, arg);
}

static const char *path;
static float input[BATCH * VALUES];
static uint8_t pixels[BATCH * PIXELS];

static void fill(void) {
    uint32_t s = 7;
    for (size_t i = 0; i < BATCH * VALUES; i++) {
        s = s * 1664525u + 1013904223u;
        input[i] = (float)(s >> 8) / 8388608.0f - 1.0f;
        pixels[i] = (uint8_t)(s >> 24);
    }
}

static unsigned char *slurp(const char *name, size_t *size) {
    FILE *f = fopen(name, "rb");
    CHECK(f && fseek(f, 0, SEEK_END) == 0);
    long n = ftell(f);
    CHECK(n >= 0);
    rewind(f);
    unsigned char *data = malloc((size_t)n + 1);
    CHECK(data && fread(data, 1, (size_t)n, f) == (size_t)n);
    fclose(f);
    *size = (size_t)n;
    return data;
}

#endif
