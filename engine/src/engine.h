// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// What a loaded engine consists of. Everything but `idle` and `pool` is immutable after load.
#ifndef MFN_ENGINE_H
#define MFN_ENGINE_H

#include "platform.h"

#include <stdatomic.h>

#include "cpu.h"
#include "network.h"

enum {
    MFN_IDLE_SLOTS = 64,
    MFN_MAX_THREADS = 64,
    MFN_PLANE = MFN_FMT_INPUT_SIDE * MFN_FMT_INPUT_SIDE  // pixels of a picture
};

// Channels of the last pooling whose weights are widened at once: they stay in the L1 cache.
enum { MFN_POOL_CHANNELS = 64 };

// Depthwise rows that become levels at once, where the projection runs in integers.
enum { MFN_LEVEL_ROWS = 2 };

// A producer (stem or expand), the depthwise layer that reads its rows through a ring, and for
// blocks the projection. `first` is the producer's index; the others follow it.
typedef struct MfnChain {
    int first;
    bool projects;
    uint32_t band;  // depthwise output rows of one step
    uint32_t ring;  // producer rows held
} MfnChain;

// Working memory of one call: offsets in floats from the start of a scratch arena. All are
// multiples of MFN_BLOCK, the arena is 64-byte aligned.
typedef struct MfnPlan {
    MfnChain *chains;
    int n_chains;
    size_t zero, input, rows, wide, narrow, plane[2], vector, taps, levels, scales, zeros, total;
} MfnPlan;

typedef struct MfnPool MfnPool;

typedef struct MfnImpl {
    MfnArch arch;
    MfnKernels kernels;
    int isa;
    int threads;
    int precision;
    bool as_given;
    int picture;  // mfn_mirror_picture() of the file
    int n_layers;
    MfnLayer *layers;
    size_t *packed;  // per layer: offset of its weights in floats
    float *weights;
    size_t weight_floats;
    int32_t *taps_chw, *taps_hwc;  // the stem's input offsets for the two input layouts
    int32_t *taps_levels;          // those of levels; NULL where the stem is float32 for pixels too
    size_t stem_levels;            // offset of the stem's weights for levels, in floats
    MfnPlan fused, whole;          // whole: every map of a chain complete, for a trace
    _Atomic(float *) idle[MFN_IDLE_SLOTS];
    _Atomic(MfnPool *) pool;
} MfnImpl;

// "MFN engine" with a byte that no text has; a freed or foreign handle does not contain it.
#define MFN_LIVE_COOKIE UINT64_C(0x4d464e20656e67e5)

// The engine of a live handle, NULL for any other; then mfn_no_engine says why.
static inline MfnImpl *mfn_impl_of(const MfnEngine *engine) {
    return engine && engine->cookie == MFN_LIVE_COOKIE ? engine->impl : NULL;
}
static inline int mfn_no_engine(const MfnEngine *engine) {
    return engine ? MFN_E_STATE : MFN_E_ARG;
}

// Whether an input is turned before the network: 1, 0, or MFN_E_PICTURE where nobody knows.
static inline int mfn_turns(const MfnImpl *impl) { return impl->as_given ? 0 : impl->picture; }

// arena.c: 64-byte aligned, zeroed; NULL when out of memory.
float *mfn_arena_new(size_t floats);
void mfn_arena_free(float *arena);
// Scratch for one call, from the idle list or new; NULL when out of memory.
float *mfn_scratch_take(MfnImpl *impl);
void mfn_scratch_give(MfnImpl *impl, float *scratch);

// pack.c: sizes, then fills, the packed weights of all layers.
int mfn_pack_layout(MfnImpl *impl);
size_t mfn_pack_floats(const MfnImpl *impl, const MfnLayer *layer);
struct MfnImage;
int mfn_pack_fill(MfnImpl *impl, const struct MfnImage *image);

// One layer's tensors, copied out of the file; scale and bias are those of the folded BatchNorm.
typedef struct MfnFolded {
    float *w, *slope;
    double *scale, *bias;
} MfnFolded;

// pack_int.c: the kernels that run a layer in integers, NULL where it runs in float32.
const MfnIntegers *mfn_integers_of(const MfnImpl *impl, const MfnLayer *layer);
size_t mfn_integers_bytes(const MfnIntegers *set, size_t k, size_t n);
// `top`: the largest magnitude of a weight.
void mfn_integers_pack(const MfnIntegers *set, const MfnFolded *folded, size_t k, size_t n,
                       int32_t top, unsigned char *out);
// Whether a depthwise layer's weights are kept as bytes and widened before use.
bool mfn_is_narrow(const MfnImpl *impl, const MfnLayer *layer);
void mfn_narrow_pack(const MfnFolded *folded, size_t channels, size_t area, bool slopes,
                     unsigned char *out);

// stem.c: the stem from pixels, for a set of 16 bits.
size_t mfn_stem_floats(const MfnIntegers *set, const MfnLayer *stem);
int mfn_stem_taps(MfnImpl *impl);
int mfn_stem_pack(const MfnIntegers *set, const MfnLayer *stem, const MfnFolded *folded,
                  unsigned char *out);
// Row y of the stem's map; rows are asked for from 0 on, one after another, with the same `lines`.
void mfn_stem_row(const MfnImpl *impl, const uint8_t *hwc, uint32_t y, int16_t *lines, float *out);

// mirror.c: 1 where the mirror's text says that the picture is turned by 180 degrees, else 0;
// MFN_E_PICTURE where it says something unknown.
int mfn_mirror_picture(const unsigned char *text, size_t size);

// turn.c: `count` items of at most 16 bytes each in the opposite order; `out` may be `in`.
void mfn_reverse(void *out, const void *in, size_t count, size_t size);

// plan.c
int mfn_plan_make(const MfnImpl *impl, bool whole, MfnPlan *plan);
int mfn_taps_make(MfnImpl *impl);
enum { MFN_INPUT_PADDED_SIDE = MFN_FMT_INPUT_SIDE + MFN_FMT_MAX_STEM_KERNEL };

// forward.c. Exactly one of chw and hwc is given. `after`, if any, sees each layer's map.
typedef struct MfnHook {
    void (*after)(struct MfnHook *, int layer, const float *map, size_t px);
} MfnHook;
void mfn_forward_one(const MfnImpl *impl, const MfnPlan *plan, float *scratch, const void *chw,
                     const uint8_t *hwc, void *embedding, MfnHook *hook);

// pool.c: runs job(ctx, i) for i in [0, n) on up to `threads` threads, the caller being one.
void mfn_pool_run(MfnImpl *impl, size_t n, void (*job)(void *ctx, size_t i), void *ctx);
void mfn_pool_free(MfnPool *pool);

#endif
