// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The public functions: argument checks, ownership, and nothing else.
#include "platform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "loader.h"

static void impl_free(MfnImpl *im) {
    if (!im) return;
    mfn_pool_free(atomic_load(&im->pool));
    for (int i = 0; i < MFN_IDLE_SLOTS; i++) mfn_arena_free(atomic_load(&im->idle[i]));
    free(im->fused.chains), free(im->whole.chains);
    free(im->taps_chw), free(im->taps_hwc), free(im->taps_levels);
    mfn_arena_free(im->weights);
    free(im->packed), free(im->layers);
    free(im);
}

static int set_options(MfnImpl *im, const MfnOptions *options, MfnError *e) {
    static const MfnOptions defaults;
    const MfnOptions *o = options ? options : &defaults;
    if (o->threads < 0 || o->threads > MFN_MAX_THREADS)
        return mfn_fail(e, MFN_E_OPTION, -1, "threads is %d, allowed are 0 to %d", o->threads,
                        MFN_MAX_THREADS);
    if (o->as_given != 0 && o->as_given != 1)
        return mfn_fail(e, MFN_E_OPTION, -1, "as_given is %d, allowed are 0 and 1", o->as_given);
    if (o->precision < MFN_F32 || o->precision > MFN_FAST)
        return mfn_fail(e, MFN_E_OPTION, -1, "precision is %d, allowed are %d to %d", o->precision,
                        MFN_F32, MFN_FAST);
    for (int i = 0; i < 3; i++)
        if (o->reserved[i]) return mfn_fail(e, MFN_E_OPTION, -1, "a reserved option is not zero");
    im->as_given = o->as_given == 1;
    im->precision = o->precision;
    im->threads = o->threads ? o->threads : 1;
    im->isa = mfn_isa_resolve(o->isa, &im->kernels);
    if (im->isa < 0)
        return mfn_fail(e, MFN_E_ISA, -1, "instruction set %.32s is unknown or not supported here",
                        o->isa ? o->isa : "in MFN_ISA");
    return MFN_OK;
}

static int build(MfnImpl *im, const MfnImage *image, MfnError *e) {
    int rc;
    im->arch = image->arch;
    im->n_layers = image->n_layers;
    im->picture = mfn_mirror_picture(image->data + MFN_FMT_PREFIX_SIZE,
                                     (size_t)image->count_at - MFN_FMT_PREFIX_SIZE);
    im->layers = malloc((size_t)im->n_layers * sizeof *im->layers);
    if (!im->layers) return mfn_fail(e, MFN_E_NOMEM, -1, "out of memory");
    memcpy(im->layers, image->layers, (size_t)im->n_layers * sizeof *im->layers);
    if ((rc = mfn_plan_make(im, false, &im->fused)) || (rc = mfn_plan_make(im, true, &im->whole)) ||
        (rc = mfn_taps_make(im)) || (rc = mfn_stem_taps(im)) || (rc = mfn_pack_layout(im)) ||
         (rc = mfn_pack_fill(im, image)))
        return mfn_fail(e, rc, -1, "%s", mfn_strerror(rc));
    // The first call should not pay for page faults.
    float *scratch = mfn_arena_new(im->fused.total);
    if (!scratch) return mfn_fail(e, MFN_E_NOMEM, -1, "no memory for the scratch arena");
    mfn_scratch_give(im, scratch);
    return MFN_OK;
}

static int load(const void *data, size_t size, const MfnOptions *options, MfnEngine *engine,
                MfnError *e) {
    MfnImage *image = malloc(sizeof *image);
    MfnImpl *im = calloc(1, sizeof *im);
    int rc = image && im ? MFN_OK : mfn_fail(e, MFN_E_NOMEM, -1, "out of memory");
    if (!rc) rc = set_options(im, options, e);
    if (!rc) rc = mfn_image_verify(data, size, image, e);
    if (!rc) {
        MfnFpState fp = mfn_fp_enter();
        rc = build(im, image, e);
        mfn_fp_leave(fp);
    }
    free(image);
    if (rc) {
        impl_free(im);
        return rc;
    }
    engine->impl = im;
    engine->cookie = MFN_LIVE_COOKIE;
    return MFN_OK;
}

static int begin(MfnEngine *engine, const void *source, MfnError *e) {
    memset(e, 0, sizeof *e);
    e->offset = -1;
    if (engine) memset(engine, 0, sizeof *engine);
    if (engine && source) return MFN_OK;
    return mfn_fail(e, MFN_E_ARG, -1, "%s is NULL", engine ? "the source" : "the engine");
}

int mfn_engine_init_memory(const void *data, size_t size, const MfnOptions *options,
                           MfnEngine *engine, MfnError *error) {
    MfnError local, *e = error ? error : &local;
    int rc = begin(engine, data, e);
    return rc ? rc : load(data, size, options, engine, e);
}

int mfn_engine_init_file(const char *path, const MfnOptions *options, MfnEngine *engine,
                         MfnError *error) {
    MfnError local, *e = error ? error : &local;
    unsigned char *data = NULL;
    size_t size = 0;
    int rc = begin(engine, path, e);
    if (!rc) rc = mfn_file_read(path, &data, &size, e);
    if (!rc) rc = load(data, size, options, engine, e);
    free(data);
    return rc;
}

int mfn_engine_init(const char *path, MfnEngine *engine) {
    return mfn_engine_init_file(path, NULL, engine, NULL);
}

int mfn_engine_free(MfnEngine *engine) {
    MfnImpl *im = mfn_impl_of(engine);
    if (!im) return mfn_no_engine(engine);
    engine->cookie = 0;
    engine->impl = NULL;
    impl_free(im);
    return MFN_OK;
}

typedef struct Batch {
    MfnImpl *im;
    const float *chw;
    const uint8_t *hwc;
    float *out;
    _Atomic int status;
} Batch;

enum { IMAGE_VALUES = MFN_FMT_INPUT_CHANNELS * MFN_FMT_INPUT_SIDE * MFN_FMT_INPUT_SIDE };

// Pointers may be of any alignment, so they move as bytes.
static void one_image(void *ctx, size_t i) {
    Batch *b = ctx;
    float *scratch = mfn_scratch_take(b->im);
    if (!scratch) {
        atomic_store(&b->status, MFN_E_NOMEM);
        return;
    }
    unsigned char *out = (unsigned char *)b->out + i * b->im->arch.embedding_dim * sizeof(float);
    const unsigned char *chw = (const unsigned char *)b->chw;
    MfnFpState fp = mfn_fp_enter();
    mfn_forward_one(b->im, &b->im->fused, scratch,
                    chw ? chw + i * IMAGE_VALUES * sizeof(float) : NULL,
                    b->hwc ? b->hwc + i * IMAGE_VALUES : NULL, out, NULL);
    mfn_fp_leave(fp);
    mfn_scratch_give(b->im, scratch);
}

static int forward(const MfnEngine *engine, const float *chw, const uint8_t *hwc, size_t count,
                   float *out) {
    MfnImpl *im = mfn_impl_of(engine);
    if (!im) return mfn_no_engine(engine);
    if (count == 0) return MFN_OK;
    if ((!chw && !hwc) || !out) return MFN_E_ARG;
    if (mfn_turns(im) < 0) return mfn_turns(im);
    if (count > SIZE_MAX / (IMAGE_VALUES * sizeof(float)) ||
        count > SIZE_MAX / (im->arch.embedding_dim * sizeof(float)))
        return MFN_E_ARG;
    Batch b = {.im = im, .chw = chw, .hwc = hwc, .out = out};
    mfn_pool_run(im, count, one_image, &b);
    return atomic_load(&b.status);
}

int mfn_engine_forward(const MfnEngine *engine, const float *input_chw, float *embedding) {
    return forward(engine, input_chw, NULL, 1, embedding);
}

int mfn_engine_forward_batch(const MfnEngine *engine, const float *input_nchw, size_t count,
                             float *embeddings) {
    return forward(engine, input_nchw, NULL, count, embeddings);
}

int mfn_engine_forward_u8(const MfnEngine *engine, const uint8_t *input_nhwc, size_t count,
                          float *embeddings) {
    return forward(engine, NULL, input_nhwc, count, embeddings);
}

int mfn_engine_turned(const MfnEngine *engine) {
    MfnImpl *im = mfn_impl_of(engine);
    return im ? im->picture : mfn_no_engine(engine);
}

int mfn_embedding_dim(const MfnEngine *engine) {
    MfnImpl *im = mfn_impl_of(engine);
    return im ? (int)im->arch.embedding_dim : mfn_no_engine(engine);
}

float mfn_similarity(const float *a, const float *b, int dim) {
    if (!a || !b || dim < 1) return NAN;
    double sum = 0;
    for (int i = 0; i < dim; i++) {
        float x, y;
        memcpy(&x, (const unsigned char *)a + (size_t)i * sizeof x, sizeof x);
        memcpy(&y, (const unsigned char *)b + (size_t)i * sizeof y, sizeof y);
        sum += (double)x * y;
    }
    return (float)sum;
}
