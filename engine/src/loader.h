// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#ifndef MFN_LOADER_H
#define MFN_LOADER_H

#include "platform.h"

#include "network.h"

// The tensors' offsets in a verified file image.
typedef struct MfnImage {
    const unsigned char *data;
    size_t size;
    MfnArch arch;
    MfnLayer layers[MFN_MAX_LAYERS];
    int n_layers;
    uint64_t count_at;  // offset of n_tensors; the first size field follows it
} MfnImage;

// Fills *error (never NULL here) and gives `status`.
int mfn_fail(MfnError *error, int status, int64_t offset, const char *format, ...)
#if defined(__GNUC__) || defined(__clang__)
    __attribute__((format(printf, 4, 5)))
#endif
    ;

// The one verification: after MFN_OK every tensor lies inside data[0..size).
int mfn_image_verify(const void *data, size_t size, MfnImage *image, MfnError *error);

// The header part of it, for a file of which only the first bytes are in memory yet.
int mfn_image_expect(const void *prefix, size_t prefix_size, uint64_t file_size, MfnImage *image,
                     MfnError *error);

// Reads a regular file into memory that the caller frees, after its length was checked against its
// own header. *data is NULL on failure.
int mfn_file_read(const char *path, unsigned char **data, size_t *size, MfnError *error);

#endif
