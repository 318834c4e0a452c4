// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Memory for weights and for the feature maps of one call, and the list of idle scratch arenas.
#include "platform.h"

#include <string.h>

#include "engine.h"

float *mfn_arena_new(size_t floats) {
    const size_t huge = (size_t)2 << 20;
    if (floats > SIZE_MAX / 8) return NULL;
    size_t bytes = floats * sizeof(float);
    void *p = mfn_os_aligned(bytes >= huge ? huge : MFN_ALIGN, bytes);
    if (!p) return NULL;
    // Fewer TLB misses on the weights of the larger networks.
    if (bytes >= huge) mfn_os_large_pages(p, bytes / huge * huge);
    memset(p, 0, bytes);
    return p;
}

void mfn_arena_free(float *arena) { mfn_os_aligned_free(arena); }

float *mfn_scratch_take(MfnImpl *im) {
    for (int i = 0; i < MFN_IDLE_SLOTS; i++) {
        float *s = atomic_exchange_explicit(&im->idle[i], NULL, memory_order_acquire);
        if (s) return s;
    }
    return mfn_arena_new(im->fused.total);
}

void mfn_scratch_give(MfnImpl *im, float *scratch) {
    for (int i = 0; scratch && i < MFN_IDLE_SLOTS; i++) {
        float *none = NULL;
        if (atomic_compare_exchange_strong_explicit(&im->idle[i], &none, scratch,
                                                    memory_order_release, memory_order_relaxed))
            return;
    }
    mfn_arena_free(scratch);
}
