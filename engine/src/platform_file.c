// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#include "platform.h"

#ifdef MFN_POSIX
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

MfnFile mfn_os_open(const char *path) {
    // O_NONBLOCK: opening a FIFO without a writer must not wait; it has no effect on a regular file.
    // The empty name is none, says POSIX; a C library of WebAssembly would open a folder by it.
    int file = -1;
    errno = ENOENT;
    if (*path) file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return file;
}

void mfn_os_close(MfnFile file) { close((int)file); }

bool mfn_os_look(MfnFile file, bool *regular, uint64_t *size) {
    struct stat st;
    if (fstat((int)file, &st) != 0) return false;
    *regular = S_ISREG(st.st_mode), *size = (uint64_t)st.st_size;
    return true;
}

int64_t mfn_os_read(MfnFile file, void *out, size_t n) {
    for (;;) {
        ssize_t got = read((int)file, out, n);
        if (got < 0 && errno == EINTR) continue;
        return got;
    }
}

const char *mfn_os_error(void) { return strerror(errno); }

FILE *mfn_os_stream(const char *path) { return fopen(path, "rb"); }
#endif
