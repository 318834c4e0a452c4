// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#include "platform.h"

#include <stdlib.h>
#include <string.h>

#include "loader.h"

// Reads until `n` bytes or the end; gives the number read, or -1.
static int64_t read_fully(MfnFile file, unsigned char *out, size_t n) {
    size_t done = 0;
    while (done < n) {
        size_t chunk = n - done < ((size_t)1 << 30) ? n - done : (size_t)1 << 30;
        int64_t got = mfn_os_read(file, out + done, chunk);
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

static int read_open_file(MfnFile file, unsigned char **data, size_t *size, MfnError *e) {
    bool regular;
    uint64_t length;
    unsigned char prefix[MFN_FMT_PREFIX_SIZE], extra;
    if (!mfn_os_look(file, &regular, &length))
        return mfn_fail(e, MFN_E_OPEN, -1, "cannot be inspected: %s", mfn_os_error());
    if (!regular) return mfn_fail(e, MFN_E_NOT_REGULAR, -1, "not a regular file");
    int64_t got = read_fully(file, prefix, sizeof prefix);
    if (got < 0) return mfn_fail(e, MFN_E_READ, 0, "cannot be read: %s", mfn_os_error());
    MfnImage *scratch = malloc(sizeof *scratch);
    if (!scratch) return mfn_fail(e, MFN_E_NOMEM, -1, "out of memory");
    int rc = mfn_image_expect(prefix, (size_t)got, length, scratch, e);
    free(scratch);
    if (rc) return rc;
    if (length > SIZE_MAX / 2)
        return mfn_fail(e, MFN_E_TOO_LARGE, -1, "the file does not fit the address space");
    size_t n = (size_t)length;
    unsigned char *bytes = malloc(n);
    if (!bytes) return mfn_fail(e, MFN_E_NOMEM, -1, "no memory for %zu bytes", n);
    memcpy(bytes, prefix, sizeof prefix);
    got = read_fully(file, bytes + sizeof prefix, n - sizeof prefix);
    if (got != (int64_t)(n - sizeof prefix) || read_fully(file, &extra, 1) != 0) {
        free(bytes);
        return mfn_fail(e, MFN_E_READ, -1, "cannot be read, or changed while it was read");
    }
    *data = bytes, *size = n;
    return MFN_OK;
}

int mfn_file_read(const char *path, unsigned char **data, size_t *size, MfnError *e) {
    *data = NULL, *size = 0;
    MfnFile file = mfn_os_open(path);
    if (file < 0) return mfn_fail(e, MFN_E_OPEN, -1, "cannot be opened: %s", mfn_os_error());
    int rc = read_open_file(file, data, size, e);
    mfn_os_close(file);
    return rc;
}
