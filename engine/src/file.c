// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader.h"

// Reads until `n` bytes or the end; gives the number read, or -1.
static int64_t read_fully(int fd, unsigned char *out, size_t n) {
    size_t done = 0;
    while (done < n) {
        size_t chunk = n - done < ((size_t)1 << 30) ? n - done : (size_t)1 << 30;
        ssize_t got = read(fd, out + done, chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

static int read_open_file(int fd, unsigned char **data, size_t *size, MfnError *e) {
    struct stat st;
    unsigned char prefix[MFN_FMT_PREFIX_SIZE], extra;
    if (fstat(fd, &st) != 0)
        return mfn_fail(e, MFN_E_OPEN, -1, "cannot be inspected: %s", strerror(errno));
    if (!S_ISREG(st.st_mode)) return mfn_fail(e, MFN_E_NOT_REGULAR, -1, "not a regular file");
    int64_t got = read_fully(fd, prefix, sizeof prefix);
    if (got < 0) return mfn_fail(e, MFN_E_READ, 0, "cannot be read: %s", strerror(errno));
    MfnImage *scratch = malloc(sizeof *scratch);
    if (!scratch) return mfn_fail(e, MFN_E_NOMEM, -1, "out of memory");
    int rc = mfn_image_expect(prefix, (size_t)got, (uint64_t)st.st_size, scratch, e);
    free(scratch);
    if (rc) return rc;
    if ((uint64_t)st.st_size > SIZE_MAX / 2)
        return mfn_fail(e, MFN_E_TOO_LARGE, -1, "the file does not fit the address space");
    size_t n = (size_t)st.st_size;
    unsigned char *bytes = malloc(n);
    if (!bytes) return mfn_fail(e, MFN_E_NOMEM, -1, "no memory for %zu bytes", n);
    memcpy(bytes, prefix, sizeof prefix);
    got = read_fully(fd, bytes + sizeof prefix, n - sizeof prefix);
    if (got != (int64_t)(n - sizeof prefix) || read_fully(fd, &extra, 1) != 0) {
        free(bytes);
        return mfn_fail(e, MFN_E_READ, -1, "cannot be read, or changed while it was read");
    }
    *data = bytes, *size = n;
    return MFN_OK;
}

int mfn_file_read(const char *path, unsigned char **data, size_t *size, MfnError *e) {
    *data = NULL, *size = 0;
    // O_NONBLOCK: opening a FIFO without a writer must not wait; it has no effect on a regular file.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return mfn_fail(e, MFN_E_OPEN, -1, "cannot be opened: %s", strerror(errno));
    int rc = read_open_file(fd, data, size, e);
    close(fd);
    return rc;
}
