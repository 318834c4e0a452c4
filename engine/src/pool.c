// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// A small pool for batches: one job at a time, indices handed out by a counter, the caller works
// too. Workers spin briefly for the next job and then sleep.
#include "platform.h"

#include <stdlib.h>

#include "engine.h"

static void alone(size_t n, void (*job)(void *ctx, size_t i), void *ctx) {
    for (size_t i = 0; i < n; i++) job(ctx, i);
}

#ifdef MFN_NO_THREADS
void mfn_pool_free(MfnPool *p) { (void)p; }

void mfn_pool_run(MfnImpl *im, size_t n, void (*job)(void *ctx, size_t i), void *ctx) {
    (void)im;
    alone(n, job, ctx);
}
#else
struct MfnPool {
    MfnMutex lock;
    MfnCond wake, done;
    MfnThread threads[MFN_MAX_THREADS];
    int n_threads;
    MfnProcess owner;         // threads do not survive fork; a child makes its own pool
    struct MfnPool *parents;  // inherited; another thread may still be looking at it
    _Atomic unsigned busy;    // 0 or 1: one batch at a time, others run on their own thread alone;
                              // a word, since RISC-V exchanges a byte by a library call
    _Atomic unsigned round;   // bumped under lock for each job
    bool stop;
    int running;              // workers that have not finished the round yet
    void (*job)(void *ctx, size_t i);
    void *ctx;
    size_t n;
    _Atomic size_t next;
};

static bool is_ours(const MfnPool *p) {
    MfnProcess now = mfn_os_process();
    return p->owner.number == now.number && p->owner.forks == now.forks;
}

static void work(MfnPool *p) {
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (i >= p->n) return;
        p->job(p->ctx, i);
    }
}

// At most 50 us, about the cost of a sleep and a wake-up.
static void spin_while_equal(_Atomic unsigned *v, unsigned seen) {
    int64_t until = mfn_os_nanoseconds() + 50000;
    while (atomic_load_explicit(v, memory_order_acquire) == seen && mfn_os_nanoseconds() < until)
        mfn_os_yield();
}

static void *worker(void *arg) {
    MfnPool *p = arg;
    unsigned seen = 0;
    for (;;) {
        spin_while_equal(&p->round, seen);
        mfn_os_lock(&p->lock);
        while (atomic_load(&p->round) == seen && !p->stop) mfn_os_wait(&p->wake, &p->lock);
        bool stop = p->stop;
        seen = atomic_load(&p->round);
        mfn_os_unlock(&p->lock);
        if (stop) return NULL;
        work(p);
        mfn_os_lock(&p->lock);
        if (--p->running == 0) mfn_os_wake_one(&p->done);
        mfn_os_unlock(&p->lock);
    }
}

void mfn_pool_free(MfnPool *p) {
    if (!p) return;
    // After a fork the threads and the state of the lock are the parent's: only memory is ours.
    if (is_ours(p)) {
        mfn_os_lock(&p->lock);
        p->stop = true;
        mfn_os_wake_all(&p->wake);
        mfn_os_unlock(&p->lock);
        for (int i = 0; i < p->n_threads; i++) mfn_os_thread_join(&p->threads[i]);
        mfn_os_cond_free(&p->done);
        mfn_os_cond_free(&p->wake);
        mfn_os_mutex_free(&p->lock);
    }
    mfn_pool_free(p->parents);
    free(p);
}

static MfnPool *pool_new(int threads) {
    MfnPool *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    const bool lock = mfn_os_mutex_init(&p->lock), wake = lock && mfn_os_cond_init(&p->wake);
    if (!wake || !mfn_os_cond_init(&p->done)) {
        if (wake) mfn_os_cond_free(&p->wake);
        if (lock) mfn_os_mutex_free(&p->lock);
        free(p);
        return NULL;
    }
    p->owner = mfn_os_process();
    while (p->n_threads < threads - 1 &&
           mfn_os_thread_start(&p->threads[p->n_threads], worker, p))
        p->n_threads++;
    return p;
}

// The engine's pool, marked busy, or NULL: then the caller works alone.
static MfnPool *pool_acquire(MfnImpl *im) {
    MfnPool *p = atomic_load(&im->pool), *old = p;
    if (!p || !is_ours(p)) {
        p = pool_new(im->threads);
        if (!p) return NULL;
        atomic_store(&p->busy, 1);
        // A pool inherited through fork is freed with the engine: other threads may use it too.
        p->parents = old;
        if (atomic_compare_exchange_strong(&im->pool, &old, p)) return p;
        p->parents = NULL;
        mfn_pool_free(p);
        return NULL;
    }
    return atomic_exchange(&p->busy, 1) ? NULL : p;
}

void mfn_pool_run(MfnImpl *im, size_t n, void (*job)(void *ctx, size_t i), void *ctx) {
    MfnPool *p = im->threads > 1 && n > 1 ? pool_acquire(im) : NULL;
    if (!p) {
        alone(n, job, ctx);
        return;
    }
    mfn_os_lock(&p->lock);
    p->job = job, p->ctx = ctx, p->n = n, p->running = p->n_threads;
    atomic_store(&p->next, 0);
    atomic_fetch_add(&p->round, 1);
    mfn_os_wake_all(&p->wake);
    mfn_os_unlock(&p->lock);
    work(p);
    mfn_os_lock(&p->lock);
    while (p->running > 0) mfn_os_wait(&p->done, &p->lock);
    mfn_os_unlock(&p->lock);
    atomic_store(&p->busy, 0);
}
#endif
