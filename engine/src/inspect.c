// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Introspection, and the two passes that are looked at: a trace, on whole maps, and a profile, of a
// pass as any other is.
#include "platform.h"

#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "loader.h"

static uint64_t map_floats(const MfnLayer *l) {
    return (uint64_t)l->c_out * l->side_out * l->side_out;
}

int mfn_engine_info(const MfnEngine *engine, MfnInfo *info) {
    const MfnImpl *im = mfn_impl_of(engine);
    if (!im) return mfn_no_engine(engine);
    if (!info) return MFN_E_ARG;
    memset(info, 0, sizeof *info);
    const MfnArch *a = &im->arch;
    info->n_stages = (int)a->n_stages;
    info->stem_kernel = (int)a->stem_kernel, info->stem_stride = (int)a->stem_stride;
    info->stem_channels = (int)a->stem_channels, info->block_channels = (int)a->block_channels;
    info->final_channels = (int)a->final_channels, info->embedding_dim = (int)a->embedding_dim;
    info->gdc_kernel = (int)a->gdc_kernel;
    for (int i = 0; i < info->n_stages; i++)
        info->stage_t[i] = (int)a->t[i], info->stage_n[i] = (int)a->n[i],
        info->stage_s[i] = (int)a->s[i];
    info->n_layers = im->n_layers, info->threads = im->threads;
    strncpy(info->isa, mfn_isa_rows[im->isa].name, sizeof info->isa - 1);
    for (int i = 0; i < im->n_layers; i++) {
        info->macs += mfn_layer_macs(&im->layers[i]);
        info->trace_floats += map_floats(&im->layers[i]);
    }
    info->weight_bytes = (uint64_t)im->weight_floats * sizeof(float);
    info->precision = im->precision;
    info->scratch_bytes = (uint64_t)im->fused.total * sizeof(float);
    return MFN_OK;
}

int mfn_engine_layer(const MfnEngine *engine, int index, MfnLayerInfo *out) {
    const MfnImpl *im = mfn_impl_of(engine);
    if (!im) return mfn_no_engine(engine);
    if (!out || index < 0 || index >= im->n_layers) return MFN_E_ARG;
    memset(out, 0, sizeof *out);
    const MfnLayer *l = &im->layers[index];
    mfn_layer_name(l, out->name, sizeof out->name);
    out->c_in = (int)l->c_in, out->c_out = (int)l->c_out, out->kernel = (int)l->kernel;
    out->stride = (int)l->stride, out->pad = (int)l->pad, out->groups = (int)l->groups;
    out->h_in = out->w_in = (int)l->side_in;
    out->h_out = out->w_out = (int)l->side_out;
    out->has_act = l->act, out->has_residual = l->residual;
    out->macs = mfn_layer_macs(l);
    const MfnIntegers *set = mfn_integers_of(im, l);
    strcpy(out->arithmetic, !set ? "f32" : set->bf16 ? "bf16" : set->bits == 8 ? "i8" : "i16");
    out->weight_bytes = (uint64_t)mfn_pack_floats(im, l) * sizeof(float);
    return MFN_OK;
}

typedef struct Trace {
    MfnHook hook;
    const MfnImpl *im;
    unsigned char *out;
} Trace;

// NHWC with padded pixels to CHW.
static void copy_map(MfnHook *hook, int layer, const float *map, size_t px) {
    Trace *t = (Trace *)hook;
    const MfnLayer *l = &t->im->layers[layer];
    size_t pixels = (size_t)l->side_out * l->side_out;
    for (size_t c = 0; c < l->c_out; c++)
        for (size_t p = 0; p < pixels; p++, t->out += sizeof(float))
            memcpy(t->out, map + p * px + c, sizeof(float));
}

typedef struct Clock {
    MfnHook hook;
    int64_t last;          // nanoseconds
    double *pass, *least;  // seconds of each layer: in this pass over all its bands, in any pass
} Clock;

static void note_time(MfnHook *hook, int layer, const float *map, size_t px) {
    Clock *c = (Clock *)hook;
    (void)map, (void)px;
    c->pass[layer] += 1e-9 * (double)(mfn_os_nanoseconds() - c->last);
    c->last = mfn_os_nanoseconds();
}

// Whether every value is that of a pixel; then `hwc` has them, and the pass shows what they run in.
static bool as_pixels(const float *chw, uint8_t *hwc) {
    for (size_t c = 0; c < MFN_FMT_INPUT_CHANNELS; c++)
        for (size_t i = 0; i < MFN_PLANE; i++) {
            float x;
            memcpy(&x, (const unsigned char *)chw + (c * MFN_PLANE + i) * sizeof x, sizeof x);
            const float p = x * 128 + 127.5f;
            if (!(p >= 0 && p <= 255)) return false;
            uint8_t *to = hwc + i * MFN_FMT_INPUT_CHANNELS + c;
            *to = (uint8_t)p;
            if (((float)*to - 127.5f) / 128 != x) return false;
        }
    return true;
}

static int hooked_passes(const MfnImpl *im, const MfnPlan *plan, const float *input, int repeats,
                         MfnHook *hook, Clock *clock) {
    float *scratch = mfn_arena_new(plan->total);
    float *embedding = malloc(im->arch.embedding_dim * sizeof(float));
    uint8_t *hwc = malloc((size_t)MFN_PLANE * MFN_FMT_INPUT_CHANNELS);
    if (scratch && embedding && hwc) {
        MfnFpState fp = mfn_fp_enter();
        const bool pixels = as_pixels(input, hwc);
        for (int i = 0; i < repeats; i++) {
            if (clock) {
                for (int l = 0; l < im->n_layers; l++) clock->pass[l] = 0;
                clock->last = mfn_os_nanoseconds();
            }
            mfn_forward_one(im, plan, scratch, pixels ? NULL : input, pixels ? hwc : NULL, embedding,
                            hook);
            for (int l = 0; clock && l < im->n_layers; l++)
                if (clock->pass[l] < clock->least[l]) clock->least[l] = clock->pass[l];
        }
        mfn_fp_leave(fp);
    }
    int rc = scratch && embedding && hwc ? MFN_OK : MFN_E_NOMEM;
    mfn_arena_free(scratch);
    free(embedding), free(hwc);
    return rc;
}

int mfn_engine_trace(const MfnEngine *engine, const float *input_chw, float *out,
                     size_t capacity) {
    MfnInfo info;
    int rc = mfn_engine_info(engine, &info);
    if (rc) return rc;
    if (!input_chw || !out) return MFN_E_ARG;
    if (capacity < info.trace_floats) return MFN_E_CAPACITY;
    Trace t = {{copy_map}, engine->impl, (unsigned char *)out};
    if (mfn_turns(t.im) < 0) return mfn_turns(t.im);
    return hooked_passes(t.im, &t.im->whole, input_chw, 1, &t.hook, NULL);
}

int mfn_engine_profile(const MfnEngine *engine, const float *input_chw, int repeats,
                       double *seconds, size_t capacity) {
    const MfnImpl *im = mfn_impl_of(engine);
    if (!im) return mfn_no_engine(engine);
    if (!input_chw || !seconds || repeats < 1) return MFN_E_ARG;
    if (capacity < (size_t)im->n_layers) return MFN_E_CAPACITY;
    for (int i = 0; i < im->n_layers; i++) seconds[i] = 1e30;
    double *pass = malloc((size_t)im->n_layers * sizeof *pass);
    if (!pass) return MFN_E_NOMEM;
    Clock c = {{note_time}, 0, pass, seconds};
    int rc = hooked_passes(im, &im->fused, input_chw, repeats, &c.hook, &c);
    free(pass);
    return rc;
}
