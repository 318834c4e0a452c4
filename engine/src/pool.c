// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// A small pool for batches: one job at a time, indices handed out by a counter, the caller works
// too. Workers spin briefly for the next job and then sleep.
#include "platform.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"

struct MfnPool {
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    pthread_t threads[MFN_MAX_THREADS];
    int n_threads;
    pid_t owner;              // threads do not survive fork; a child makes its own pool
    unsigned forks;           // the owner's count: a child in a new namespace may have its pid
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

static _Atomic unsigned pool_forks;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;

static void pool_forked(void) { atomic_fetch_add(&pool_forks, 1); }
static void pool_watch_forks(void) { (void)pthread_atfork(NULL, NULL, pool_forked); }

static bool is_ours(const MfnPool *p) {
    return p->owner == getpid() && p->forks == atomic_load(&pool_forks);
}

static void work(MfnPool *p) {
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (i >= p->n) return;
        p->job(p->ctx, i);
    }
}

static int64_t nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// At most 50 us, about the cost of a sleep and a wake-up.
static void spin_while_equal(_Atomic unsigned *v, unsigned seen) {
    int64_t until = nanoseconds() + 50000;
    while (atomic_load_explicit(v, memory_order_acquire) == seen && nanoseconds() < until)
        sched_yield();
}

static void *worker(void *arg) {
    MfnPool *p = arg;
    unsigned seen = 0;
    for (;;) {
        spin_while_equal(&p->round, seen);
        pthread_mutex_lock(&p->lock);
        while (atomic_load(&p->round) == seen && !p->stop) pthread_cond_wait(&p->wake, &p->lock);
        bool stop = p->stop;
        seen = atomic_load(&p->round);
        pthread_mutex_unlock(&p->lock);
        if (stop) return NULL;
        work(p);
        pthread_mutex_lock(&p->lock);
        if (--p->running == 0) pthread_cond_signal(&p->done);
        pthread_mutex_unlock(&p->lock);
    }
}

void mfn_pool_free(MfnPool *p) {
    if (!p) return;
    // After a fork the threads and the state of the lock are the parent's: only memory is ours.
    if (is_ours(p)) {
        pthread_mutex_lock(&p->lock);
        p->stop = true;
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
        for (int i = 0; i < p->n_threads; i++) pthread_join(p->threads[i], NULL);
        pthread_cond_destroy(&p->done);
        pthread_cond_destroy(&p->wake);
        pthread_mutex_destroy(&p->lock);
    }
    mfn_pool_free(p->parents);
    free(p);
}

static MfnPool *pool_new(int threads) {
    MfnPool *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    if (pthread_mutex_init(&p->lock, NULL) || pthread_cond_init(&p->wake, NULL) ||
        pthread_cond_init(&p->done, NULL)) {
        free(p);
        return NULL;
    }
    pthread_once(&pool_once, pool_watch_forks);
    p->owner = getpid();
    p->forks = atomic_load(&pool_forks);
    while (p->n_threads < threads - 1 &&
           pthread_create(&p->threads[p->n_threads], NULL, worker, p) == 0)
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
        for (size_t i = 0; i < n; i++) job(ctx, i);
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->job = job, p->ctx = ctx, p->n = n, p->running = p->n_threads;
    atomic_store(&p->next, 0);
    atomic_fetch_add(&p->round, 1);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    work(p);
    pthread_mutex_lock(&p->lock);
    while (p->running > 0) pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
    atomic_store(&p->busy, 0);
}
