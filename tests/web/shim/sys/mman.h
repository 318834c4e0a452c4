// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// For check_kernels.c where no memory can be made inaccessible, as in WebAssembly: what is read beyond a
// buffer is not seen there; what is written before one still is.
#ifndef EFM3_SHIM_MMAN_H
#define EFM3_SHIM_MMAN_H
#include <stdlib.h>
#include <string.h>

enum { PROT_NONE, PROT_READ, PROT_WRITE, MAP_PRIVATE = 0, MAP_ANONYMOUS = 0 };
#define MAP_FAILED ((void *)-1)

static inline void *mmap(void *at, size_t bytes, int may, int how, int file, long offset) {
    (void)at, (void)may, (void)how, (void)file, (void)offset;
    void *p = aligned_alloc(65536, (bytes + 65535) / 65536 * 65536);
    return p ? memset(p, 0, bytes) : MAP_FAILED;
}
static inline int mprotect(void *at, size_t bytes, int may) { return (void)at, (void)bytes, (void)may, 0; }
static inline int munmap(void *at, size_t bytes) { return (void)bytes, free(at), 0; }
#endif
