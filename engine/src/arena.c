// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Memory for weights and for the feature maps of one call, and the list of idle scratch arenas.
#include "platform.h"

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "engine.h"

float *mfn_arena_new(size_t floats) {
    const size_t huge = (size_t)2 << 20;
    void *p = NULL;
    if (floats > SIZE_MAX / 8) return NULL;
    size_t bytes = floats * sizeof(float);
    if (posix_memalign(&p, bytes >= huge ? huge : MFN_ALIGN, bytes) != 0) return NULL;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    // Fewer TLB misses on the weights of the larger networks; a refusal changes nothing.
    if (bytes >= huge) (void)madvise(p, bytes / huge * huge, MADV_HUGEPAGE);
#endif
    memset(p, 0, bytes);
    return p;
}

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
    free(scratch);
}
