// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// For the checkers under MemorySanitizer, linked with -Wl,--wrap=fstat64: clang 14 knows that fstat
// writes all of its answer, but not that fstat64 does, which is what files beyond 2 GiB make of it.
#define _DEFAULT_SOURCE 1
#define _FILE_OFFSET_BITS 64
#include <sanitizer/msan_interface.h>
#include <sys/stat.h>

int __real_fstat64(int fd, struct stat *st);
int __wrap_fstat64(int fd, struct stat *st);

int __wrap_fstat64(int fd, struct stat *st) {
    int rc = __real_fstat64(fd, st);
    if (rc == 0) __msan_unpoison(st, sizeof *st);
    return rc;
}
