// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#include "platform.h"

#if defined(MFN_POSIX) && !defined(MFN_NO_THREADS)
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

bool mfn_os_mutex_init(MfnMutex *mutex) { return pthread_mutex_init(mutex, NULL) == 0; }
void mfn_os_mutex_free(MfnMutex *mutex) { pthread_mutex_destroy(mutex); }
void mfn_os_lock(MfnMutex *mutex) { pthread_mutex_lock(mutex); }
void mfn_os_unlock(MfnMutex *mutex) { pthread_mutex_unlock(mutex); }
bool mfn_os_cond_init(MfnCond *cond) { return pthread_cond_init(cond, NULL) == 0; }
void mfn_os_cond_free(MfnCond *cond) { pthread_cond_destroy(cond); }
void mfn_os_wait(MfnCond *cond, MfnMutex *mutex) { pthread_cond_wait(cond, mutex); }
void mfn_os_wake_one(MfnCond *cond) { pthread_cond_signal(cond); }
void mfn_os_wake_all(MfnCond *cond) { pthread_cond_broadcast(cond); }

bool mfn_os_thread_start(MfnThread *thread, void *(*run)(void *), void *arg) {
    return pthread_create(thread, NULL, run, arg) == 0;
}
void mfn_os_thread_join(MfnThread *thread) { pthread_join(*thread, NULL); }
void mfn_os_yield(void) { sched_yield(); }

#ifdef __wasm__
// There is no fork, and no number of a process.
MfnProcess mfn_os_process(void) { return (MfnProcess){0, 0}; }
#else
static _Atomic unsigned forks;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void forked(void) { atomic_fetch_add(&forks, 1); }
static void watch_forks(void) { (void)pthread_atfork(NULL, NULL, forked); }

MfnProcess mfn_os_process(void) {
    pthread_once(&once, watch_forks);
    return (MfnProcess){getpid(), atomic_load(&forks)};
}
#endif
#endif
