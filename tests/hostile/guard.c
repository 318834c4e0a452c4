// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The loader under watch, as a library: the input ends where a page without access begins, the
// bytes that the engine holds are counted, and the call is timed. Built with the engine's sources,
// tests/fuzz/mutate.c, and --wrap for malloc, calloc, posix_memalign and free.
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "facex_mfn.h"
#include "mutate.h"

#define PUBLIC __attribute__((visibility("default")))

typedef struct Load {
    int32_t status;
    int32_t sound;    // 1 where error, offset and handle are as the header promises
    uint64_t peak;    // most bytes held at once during load and free
    uint64_t held;    // bytes still held afterwards
    uint64_t cpu_ns;  // processor time of load and free
} Load;

PUBLIC int guard_open(size_t capacity, const char *crash);
PUBLIC int guard_load(const void *data, size_t size, Load *out);
PUBLIC size_t guard_mutate(uint8_t *data, size_t size, size_t max, uint64_t seed);

static uint64_t held, peak;

static void *counted(void *p) {
    held += malloc_usable_size(p);
    if (held > peak) peak = held;
    return p;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t each);
int __real_posix_memalign(void **p, size_t align, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t each);
int __wrap_posix_memalign(void **p, size_t align, size_t n);
void __wrap_free(void *p);

void *__wrap_malloc(size_t n) { return counted(__real_malloc(n)); }
void *__wrap_calloc(size_t n, size_t each) { return counted(__real_calloc(n, each)); }

int __wrap_posix_memalign(void **p, size_t align, size_t n) {
    int rc = __real_posix_memalign(p, align, n);
    if (rc == 0) counted(*p);
    return rc;
}

void __wrap_free(void *p) {
    held -= malloc_usable_size(p);
    __real_free(p);
}

static unsigned char *end;  // of the input: the first byte that nobody may read
static size_t room;
static char crash_path[512];
static volatile sig_atomic_t inside;
static size_t inside_size;

// The input that broke the loader is worth more than the process.
static void on_signal(int number) {
    if (inside) {
        int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        ssize_t n = fd < 0 ? -1 : write(fd, end - inside_size, inside_size);
        (void)!write(2, n < 0 ? "guard: crash, input lost\n" : "guard: crash, input kept\n", 25);
    }
    signal(number, SIG_DFL);
    raise(number);
}

// Room for inputs of up to `capacity` bytes; one that faults is written to `crash`. 0, or an errno.
int guard_open(size_t capacity, const char *crash) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    room = (capacity + page - 1) / page * page;
    snprintf(crash_path, sizeof crash_path, "%s", crash);
    unsigned char *p = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + room, page, PROT_NONE) != 0) return errno;
    end = p + room;
    int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], on_signal);
    return 0;
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int guard_load(const void *data, size_t size, Load *out) {
    if (!end || size > room) return 0;
    MfnEngine e;
    MfnError error;
    if (size) memcpy(end - size, data, size);
    inside_size = size, inside = 1;
    held = peak = 0;
    uint64_t start = now();
    int rc = mfn_engine_init_memory(end - size, size, NULL, &e, &error);
    int freed = mfn_engine_free(&e);
    out->cpu_ns = now() - start;
    inside = 0;
    out->status = rc, out->peak = peak, out->held = held;
    out->sound = error.status == rc && (rc ? freed == MFN_E_STATE && error.text[0] &&
                                                 error.offset >= -1 &&
                                                 error.offset <= (int64_t)size
                                           : freed == MFN_OK);
    return 1;
}

size_t guard_mutate(uint8_t *data, size_t size, size_t max, uint64_t seed) {
    return fuzz_mutate(data, size, max, seed, fuzz_bytes);
}
