// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Verification. The architecture header and json_len alone decide how long the file must be, so the
// length is compared before anything is allocated or any table entry is trusted.
#include "loader.h"

#include <stdarg.h>
#include <stdio.h>

#include "cursor.h"

int mfn_fail(MfnError *error, int status, int64_t offset, const char *format, ...) {
    va_list args;
    error->status = status;
    error->offset = offset;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return status;
}

static int truncated(MfnError *e, size_t size, const char *what) {
    return mfn_fail(e, MFN_E_TRUNCATED, (int64_t)size, "the file ends within %s", what);
}

static int in_limits(MfnError *e, const char *field, uint32_t at, uint32_t v, uint32_t lo,
                     uint32_t hi) {
    if (v >= lo && v <= hi) return MFN_OK;
    return mfn_fail(e, MFN_E_HEADER, at, "%s is %u, allowed are %u to %u", field, (unsigned)v,
                    (unsigned)lo, (unsigned)hi);
}

static int zero(MfnError *e, const char *field, uint32_t at, uint32_t v) {
    if (v == 0) return MFN_OK;
    return mfn_fail(e, MFN_E_RESERVED, at, "%s must be zero", field);
}

#define LIMITS(FIELD, field)                                                          \
    if ((rc = in_limits(e, #field, MFN_FMT_OFF_##FIELD, a->field, MFN_FMT_MIN_##FIELD, \
                        MFN_FMT_MAX_##FIELD)))                                        \
    return rc

static int read_stages(MfnCursor *c, MfnArch *a, MfnError *e) {
    int rc;
    uint32_t blocks = 0;
    for (uint32_t i = 0; i < MFN_FMT_STAGE_SLOTS; i++) {
        uint32_t at = (uint32_t)c->at, pad, reserved;
        if (!mfn_cur_u8(c, &a->t[i]) || !mfn_cur_u8(c, &a->n[i]) || !mfn_cur_u8(c, &a->s[i]) ||
            !mfn_cur_u8(c, &pad) || !mfn_cur_u32(c, &reserved))
            return truncated(e, c->size, "the stage records");
        if ((rc = zero(e, "a stage's pad", at + 3, pad))) return rc;
        if ((rc = zero(e, "a stage's reserved field", at + 4, reserved))) return rc;
        if (i >= a->n_stages) {
            if ((rc = zero(e, "an unused stage record", at, a->t[i] | a->n[i] | a->s[i])))
                return rc;
            continue;
        }
        if ((rc = in_limits(e, "t", at, a->t[i], MFN_FMT_MIN_STAGE_T, MFN_FMT_MAX_STAGE_T)) ||
            (rc = in_limits(e, "n", at + 1, a->n[i], MFN_FMT_MIN_STAGE_N, MFN_FMT_MAX_STAGE_N)) ||
            (rc = in_limits(e, "s", at + 2, a->s[i], MFN_FMT_MIN_STAGE_S, MFN_FMT_MAX_STAGE_S)))
            return rc;
        blocks += a->n[i];
        if (blocks > MFN_FMT_MAX_BLOCKS)
            return mfn_fail(e, MFN_E_SHAPE, at + 1, "more than %d blocks", MFN_FMT_MAX_BLOCKS);
    }
    return MFN_OK;
}

// Limits that involve several fields: expanded widths and the side of the last map.
static int check_shape(const MfnArch *a, MfnError *e) {
    uint32_t c = a->stem_channels;
    for (uint32_t i = 0; i < a->n_stages; i++) {
        uint32_t o = i == 0 ? a->stem_channels : a->block_channels;
        uint32_t widest = a->n[i] > 1 && o > c ? o : c;  // at most 65535 * 255, fits
        if (widest * a->t[i] > MFN_FMT_MAX_EXPANDED)
            return mfn_fail(e, MFN_E_SHAPE, MFN_FMT_STAGE_OFFSET + (int)i * MFN_FMT_STAGE_SIZE,
                            "stage %u expands %u channels %u times, beyond %d", (unsigned)i + 1,
                            (unsigned)widest, (unsigned)a->t[i], MFN_FMT_MAX_EXPANDED);
        c = o;
    }
    uint32_t side = mfn_network_last_side(a);
    if (a->gdc_kernel != side)
        return mfn_fail(e, MFN_E_SHAPE, MFN_FMT_OFF_GDC_KERNEL,
                        "gdc_kernel is %u, the last feature map is %u wide",
                        (unsigned)a->gdc_kernel, (unsigned)side);
    return MFN_OK;
}

static int read_arch(MfnCursor *c, MfnArch *a, MfnError *e) {
    int rc;
    uint32_t hdr, pad[3];
    if (!mfn_cur_u8(c, &hdr) || !mfn_cur_u8(c, &a->n_stages) || !mfn_cur_u8(c, &a->stem_kernel) ||
        !mfn_cur_u8(c, &a->stem_stride) || !mfn_cur_u16(c, &a->stem_channels) ||
        !mfn_cur_u16(c, &a->block_channels) || !mfn_cur_u16(c, &a->final_channels) ||
        !mfn_cur_u16(c, &a->embedding_dim) || !mfn_cur_u8(c, &a->gdc_kernel) ||
        !mfn_cur_u8(c, &pad[0]) || !mfn_cur_u8(c, &pad[1]) || !mfn_cur_u8(c, &pad[2]))
        return truncated(e, c->size, "the architecture header");
    if (hdr != MFN_FMT_HDR_VERSION)
        return mfn_fail(e, MFN_E_VERSION, MFN_FMT_OFF_HDR_VERSION, "header version is %u, not %d",
                        (unsigned)hdr, MFN_FMT_HDR_VERSION);
    LIMITS(N_STAGES, n_stages);
    LIMITS(STEM_KERNEL, stem_kernel);
    if (a->stem_kernel % 2 == 0)
        return mfn_fail(e, MFN_E_HEADER, MFN_FMT_OFF_STEM_KERNEL, "stem_kernel is %u, must be odd",
                        (unsigned)a->stem_kernel);
    LIMITS(STEM_STRIDE, stem_stride);
    LIMITS(STEM_CHANNELS, stem_channels);
    LIMITS(BLOCK_CHANNELS, block_channels);
    LIMITS(FINAL_CHANNELS, final_channels);
    LIMITS(EMBEDDING_DIM, embedding_dim);
    LIMITS(GDC_KERNEL, gdc_kernel);
    for (uint32_t i = 0; i < 3; i++)
        if ((rc = zero(e, "the header's pad", MFN_FMT_OFF_PAD + i, pad[i]))) return rc;
    if ((rc = read_stages(c, a, e))) return rc;
    return check_shape(a, e);
}

// Header and json_len; gives the length the whole file must have.
static int verify_prefix(const void *data, size_t size, MfnImage *im, uint64_t *expected,
                         MfnError *e) {
    int rc;
    uint32_t version, json_len;
    MfnCursor c = {data, size, 0};
    if (size < 4) return truncated(e, size, "the magic");
    if (!mfn_cur_is(&c, MFN_FMT_MAGIC, 4))
        return mfn_fail(e, MFN_E_MAGIC, 0, "the file does not start with EFM3");
    if (!mfn_cur_u32(&c, &version)) return truncated(e, size, "the version");
    if (version != MFN_FMT_VERSION)
        return mfn_fail(e, MFN_E_VERSION, 4, "version is %lu, this engine reads %d",
                        (unsigned long)version, MFN_FMT_VERSION);
    if ((rc = read_arch(&c, &im->arch, e))) return rc;
    if (!mfn_cur_u32(&c, &json_len)) return truncated(e, size, "json_len");
    if (json_len > MFN_FMT_MAX_JSON_LEN)
        return mfn_fail(e, MFN_E_JSON_LEN, MFN_FMT_JSON_LEN_OFFSET, "json_len is %lu, beyond %d",
                        (unsigned long)json_len, MFN_FMT_MAX_JSON_LEN);
    im->count_at = MFN_FMT_PREFIX_SIZE + (uint64_t)json_len;
    im->n_layers = mfn_network_layers(&im->arch, im->layers);
    // Below 2^52: at most 773 layers of less than 2^42 bytes each, but checked anyway.
    bool fits = mfn_add64(im->count_at, 4, expected);
    for (int i = 0; i < im->n_layers; i++) {
        const MfnLayer *l = &im->layers[i];
        uint64_t w, v, n = mfn_layer_tensors(l);
        fits = fits && mfn_mul64(mfn_layer_weights(l), 4, &w) &&
               mfn_mul64(n - 1, (uint64_t)l->c_out * 4, &v) && mfn_add64(*expected, w, expected) &&
               mfn_add64(*expected, v + n * 4, expected);
    }
    if (!fits) return mfn_fail(e, MFN_E_SHAPE, MFN_FMT_ARCH_OFFSET, "the layout overflows");
    return MFN_OK;
}

int mfn_image_expect(const void *prefix, size_t prefix_size, uint64_t file_size, MfnImage *im,
                     MfnError *e) {
    uint64_t expected = 0;
    int rc = verify_prefix(prefix, prefix_size, im, &expected, e);
    if (rc) return rc;
    if (file_size < expected)
        return mfn_fail(e, MFN_E_TRUNCATED, (int64_t)file_size,
                        "the header asks for %llu bytes, the file has %llu",
                        (unsigned long long)expected, (unsigned long long)file_size);
    if (file_size > expected)
        return mfn_fail(e, MFN_E_TRAILING, (int64_t)expected,
                        "the header asks for %llu bytes, the file has %llu",
                        (unsigned long long)expected, (unsigned long long)file_size);
    return MFN_OK;
}

int mfn_image_verify(const void *data, size_t size, MfnImage *im, MfnError *e) {
    uint32_t count, expected = 0, found;
    int rc = mfn_image_expect(data, size, size, im, e);
    if (rc) return rc;
    im->data = data, im->size = size;
    MfnCursor c = {data, size, (size_t)im->count_at};
    if (!mfn_cur_u32(&c, &count)) return truncated(e, size, "the tensor count");
    for (int i = 0; i < im->n_layers; i++) expected += mfn_layer_tensors(&im->layers[i]);
    if (count != expected)
        return mfn_fail(e, MFN_E_TENSOR_COUNT, (int64_t)im->count_at,
                        "the file counts %lu tensors, the layout has %lu", (unsigned long)count,
                        (unsigned long)expected);
    for (int i = 0; i < im->n_layers; i++) {
        const MfnLayer *l = &im->layers[i];
        for (uint32_t t = 0; t < mfn_layer_tensors(l); t++) {
            int64_t at = (int64_t)c.at;
            uint64_t bytes = 4 * (t == 0 ? mfn_layer_weights(l) : l->c_out);
            if (!mfn_cur_u32(&c, &found)) return truncated(e, size, "a tensor's size");
            if (found != bytes) {
                char name[40];
                mfn_layer_name(l, name, sizeof name);
                return mfn_fail(e, MFN_E_TENSOR_SIZE, at, "%s.%s has %lu bytes, must have %llu",
                                name, mfn_tensor_suffix(t), (unsigned long)found,
                                (unsigned long long)bytes);
            }
            if (!mfn_cur_skip(&c, bytes)) return truncated(e, size, "a tensor");
        }
    }
    return MFN_OK;
}
