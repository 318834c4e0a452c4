// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The pool alone, on locks, threads and a clock of this program's own, which look at each use: nothing
// here depends on which thread is quicker, and where no thread can go on, that is an error at once.
//   check_pool     exit 0, or 1 with what does not hold
// Linked with pool.c alone, as tools/mutants/engine.py does.
#include <sched.h>
#include <stdlib.h>

#include "../src/engine.h"

#define CHECK(x)                                                                    \
    do {                                                                            \
        if (!(x)) {                                                                 \
            fprintf(stderr, "pool: %s: %s does not hold (line %d)\n", step, #x, __LINE__); \
            _Exit(1);                                                               \
        }                                                                           \
    } while (0)

static const char *step = "start";  // what is tried

// All below is read and written under this.
static pthread_mutex_t big = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;

// ---- Threads, and who of them can go on ----

typedef struct Thread {
    pthread_t real;
    void *(*run)(void *);
    void *arg;
    MfnThread *at;        // what the pool knows it by
    int process;          // in which it lives
    bool ended, heard;    // heard: has been told of a batch while it span
    bool alone;           // may use no lock
    int yields, locks;    // since it last locked, and since it was last told of a batch
    unsigned round, waits;
    int64_t now;          // its clock, which yielding moves
    int looks;            // at it, since it last moved or the thread locked
    unsigned counted;     // the move at which it was counted as stuck
} Thread;

enum { MOST = 64 };
static Thread threads[MOST];  // the first is the program's own
static int n_threads = 1;
static _Thread_local Thread *me = &threads[0];
static int process, stuck, sleeping;  // sleeping: workers that wait for a condition
static bool main_sleeps;              // so does the program's own thread
static unsigned moves = 1, rounds;    // rounds: batches that were told of
static int starts_left = -1;          // threads that start before one does not

static void move(void) {
    moves++, stuck = 0;
    pthread_cond_broadcast(&moved);
}

static int living(void) {
    int n = 0;
    for (int i = 0; i < n_threads; i++) n += threads[i].process == process && !threads[i].ended;
    return n;
}

// Sleeps until something has moved. Where all sleep, nothing will.
static void sleep_once(void) {
    if (me->process == process && me->counted != moves) {
        me->counted = moves, stuck++;
        CHECK(stuck < living());
    }
    pthread_cond_wait(&moved, &big);
}

static void *begin(void *arg) {
    me = arg;
    me->run(me->arg);
    pthread_mutex_lock(&big);
    me->ended = true;
    move();
    pthread_mutex_unlock(&big);
    return NULL;
}

static void (*at_start)(void);  // called once, in the place of another thread

bool mfn_os_thread_start(MfnThread *thread, void *(*run)(void *), void *arg) {
    void (*hook)(void) = at_start;
    at_start = NULL;
    if (hook) hook();
    pthread_mutex_lock(&big);
    bool well = starts_left != 0;
    if (well) {
        starts_left -= starts_left > 0;
        CHECK(n_threads < MOST);
        Thread *t = &threads[n_threads++];
        *t = (Thread){.run = run, .arg = arg, .at = thread, .process = process, .round = rounds};
        CHECK(pthread_create(&t->real, NULL, begin, t) == 0);
        move();
    }
    pthread_mutex_unlock(&big);
    return well;
}

void mfn_os_thread_join(MfnThread *thread) {
    pthread_mutex_lock(&big);
    Thread *t = NULL;
    for (int i = 1; i < n_threads; i++)
        if (threads[i].at == thread) t = &threads[i];
    CHECK(t && t->process == process);
    while (!t->ended) sleep_once();
    t->at = NULL;
    pthread_mutex_unlock(&big);
    CHECK(pthread_join(t->real, NULL) == 0);
}

static MfnProcess identity = {7, 3};

MfnProcess mfn_os_process(void) { return identity; }

// ---- Locks and conditions ----

typedef struct Thing {
    const void *at;
    int process;
    const Thread *owner;    // of a lock
    unsigned waits, woken;  // of a condition: how many have slept, of whom so many may go
    int waiting;
} Thing;

static Thing things[MOST];
static int inits_left = -1;  // locks and conditions that are made before one is not; below 0: all are

static Thing *thing(const void *at) {
    for (int i = 0; i < MOST; i++)
        if (things[i].at == at && things[i].process == process) return &things[i];
    CHECK(at == NULL);
    return NULL;
}

static bool make(const void *at) {
    if (inits_left >= 0 && inits_left-- == 0) return false;
    pthread_mutex_lock(&big);
    int i = 0;
    while (i < MOST && things[i].at) i++;
    CHECK(i < MOST);
    things[i] = (Thing){.at = at, .process = process};
    pthread_mutex_unlock(&big);
    return true;
}

static void unmake(const void *at) {
    pthread_mutex_lock(&big);
    Thing *t = thing(at);
    CHECK(t && !t->owner && !t->waiting);
    t->at = NULL;
    pthread_mutex_unlock(&big);
}

bool mfn_os_mutex_init(MfnMutex *mutex) { return make(mutex); }
bool mfn_os_cond_init(MfnCond *cond) { return make(cond); }
void mfn_os_mutex_free(MfnMutex *mutex) { unmake(mutex); }
void mfn_os_cond_free(MfnCond *cond) { unmake(cond); }

static void own(Thing *lock) {
    CHECK(lock && !me->alone && lock->owner != me);
    while (lock->owner) sleep_once();
    lock->owner = me;
}

void mfn_os_lock(MfnMutex *mutex) {
    pthread_mutex_lock(&big);
    // A worker locks to sleep, when it is told, and when it has worked: what goes on is in a circle.
    if (me->round != rounds) me->round = rounds, me->locks = 0;
    CHECK(me == threads || ++me->locks < 8);
    me->yields = me->looks = 0, me->heard = false;
    own(thing(mutex));
    pthread_mutex_unlock(&big);
}

void mfn_os_unlock(MfnMutex *mutex) {
    pthread_mutex_lock(&big);
    Thing *lock = thing(mutex);
    CHECK(lock && lock->owner == me);
    lock->owner = NULL;
    move();
    pthread_mutex_unlock(&big);
}

// Each thread's second call, fourth and so on sleep; the others return without a reason.
void mfn_os_wait(MfnCond *cond, MfnMutex *mutex) {
    pthread_mutex_lock(&big);
    Thing *lock = thing(mutex), *c = thing(cond);
    CHECK(lock && c && lock->owner == me);
    if (me->waits++ % 2) {
        const unsigned ticket = c->waits++;
        lock->owner = NULL;
        c->waiting++;
        if (me == threads)
            main_sleeps = true;
        else
            sleeping++;
        move();
        while (ticket >= c->woken) sleep_once();
        c->waiting--;
        if (me == threads)
            main_sleeps = false;
        else
            sleeping--;
        own(lock);
    }
    pthread_mutex_unlock(&big);
}

static bool in_batch;  // the program's own thread has begun one

static void wake(const void *cond, bool all) {
    pthread_mutex_lock(&big);
    Thing *c = thing(cond);
    CHECK(c);
    if (all || c->woken < c->waits) c->woken = all ? c->waits : c->woken + 1;
    rounds += all && in_batch;
    move();
    pthread_mutex_unlock(&big);
}

void mfn_os_wake_one(MfnCond *cond) { wake(cond, false); }
void mfn_os_wake_all(MfnCond *cond) { wake(cond, true); }

// ---- The clock: a thread's time goes on by 1 us where it yields ----

static bool hold;    // who yields sleeps until a batch is told of
static int holding;

int64_t mfn_os_nanoseconds(void) {
    CHECK(++me->looks < 4);
    return me->now;
}

void mfn_os_yield(void) {
    pthread_mutex_lock(&big);
    // At most 50 us, and no longer than until it is told.
    CHECK(++me->yields <= 50 && !me->heard);
    me->now += 1000, me->looks = 0;
    const unsigned before = rounds;
    if (hold) {
        holding++;
        move();
        while (hold && rounds == before) sleep_once();
        holding--;
    }
    me->heard = rounds != before;
    pthread_mutex_unlock(&big);
    sched_yield();
}

// ---- Memory ----

void *__real_calloc(size_t n, size_t size);
void __real_free(void *p);
void *__wrap_calloc(size_t n, size_t size);
void __wrap_free(void *p);
static void *blocks[MOST];
static bool no_memory;

void *__wrap_calloc(size_t n, size_t size) {
    if (no_memory) return NULL;
    void *p = __real_calloc(n, size);
    for (int i = 0; i < MOST; i++)
        if (!blocks[i]) return blocks[i] = p;
    CHECK(false);
    return NULL;
}

// Nothing is given back, so that no address comes twice; what is freed twice, or is no block, is seen.
void __wrap_free(void *p) {
    for (int i = 0; i < MOST; i++)
        if (blocks[i] == p) {
            blocks[i] = NULL;
            return;
        }
    CHECK(p == NULL);
}

static int held(void) {
    int n = 0;
    for (int i = 0; i < MOST; i++) n += blocks[i] != NULL;
    return n;
}

static int made(void) {
    int n = 0;
    for (int i = 0; i < MOST; i++) n += things[i].at && things[i].process == process;
    return n;
}

// ---- Batches ----

enum { JOBS = 100 };

typedef struct Batch {
    size_t n, together;   // so many jobs begin before one of them ends
    size_t begun;
    int by[JOBS];         // how often each was done
    bool over, one_alone; // one_alone: all are done by one thread
    MfnImpl *inner;       // an engine of which a batch is begun inside a job
} Batch;

static void job(void *ctx, size_t i);

static void run(MfnImpl *im, Batch *b) {
    const bool outer = in_batch;
    in_batch = true;
    mfn_pool_run(im, b->n, job, b);
    in_batch = outer;
    pthread_mutex_lock(&big);
    b->over = true;
    for (size_t i = 0; i < b->n; i++) CHECK(b->by[i] == 1);
    move();
    pthread_mutex_unlock(&big);
}

static void job(void *ctx, size_t i) {
    Batch *b = ctx;
    pthread_mutex_lock(&big);
    CHECK(i < b->n && !b->over && !(b->one_alone && me != threads));
    b->by[i]++, b->begun++;
    move();
    while (b->begun < b->together) sleep_once();
    // Workers are done last: the thread that began the batch has to sleep until they are.
    while (me != threads && b->together && !main_sleeps && !b->over) sleep_once();
    CHECK(!b->over);
    pthread_mutex_unlock(&big);
    if (b->inner && me == threads) {
        Batch in = {.n = 3, .one_alone = true};
        me->alone = true;
        run(b->inner, &in);
        me->alone = false;
    }
}

// ---- What is tried ----

static MfnImpl engine;

static void batch(size_t together, bool one_alone, MfnImpl *inner) {
    Batch b = {.n = JOBS, .together = together, .one_alone = one_alone, .inner = inner};
    run(&engine, &b);
}

static void wait_for(const int *count, int many) {
    pthread_mutex_lock(&big);
    while (*count < many) sleep_once();
    pthread_mutex_unlock(&big);
}

// The pool is made at the first batch, has so many workers, and serves each batch after it.
static void start(const char *name, int n, int workers) {
    const int before = n_threads, blocks_before = held();
    step = name;
    engine.threads = n;
    for (int i = 0; i < 3; i++) {
        batch((size_t)workers + 1, workers == 0, &engine);
        CHECK(n_threads == before + workers && held() == blocks_before + 1 && made() == 3);
    }
    wait_for(&sleeping, workers);
}

static void end(void) {
    mfn_pool_free(atomic_load(&engine.pool));
    atomic_store(&engine.pool, NULL);
    CHECK(held() == 0 && made() == 0 && living() == 1);
}

// The process is another one, in which only this thread goes on.
static void fork_as(int64_t number, unsigned forks) {
    identity = (MfnProcess){number, forks};
    // The threads of the process before this one are here still, asleep, and look at these.
    pthread_mutex_lock(&big);
    threads[0].process = ++process;
    stuck = sleeping = 0;
    pthread_mutex_unlock(&big);
}

static void alone(void) {
    step = "one thread";
    engine.threads = 1;
    batch(0, true, NULL);
    step = "one picture";
    engine.threads = 4;
    Batch one = {.n = 1, .one_alone = true}, none = {.n = 0};
    run(&engine, &one), run(&engine, &none);
    CHECK(n_threads == 1 && held() == 0 && made() == 0);
    step = "no memory";
    no_memory = true;
    batch(0, true, NULL);
    no_memory = false;
    for (int i = 0; i < 3; i++) {
        step = "no lock or condition";
        inits_left = i;
        batch(0, true, NULL);
        CHECK(held() == 0 && made() == 0 && n_threads == 1 && !atomic_load(&engine.pool));
    }
}

// Workers that are told of a batch while they spin do not spin on.
static void spinning(void) {
    start("a batch for workers that spin", 4, 3);
    hold = true;
    batch(4, false, NULL);
    wait_for(&holding, 3);
    batch(4, false, NULL);
    wait_for(&holding, 3);
    pthread_mutex_lock(&big);
    hold = false;
    move();
    pthread_mutex_unlock(&big);
    end();
}

// A thread that was quicker to make a pool for the engine.
static void quicker(void) {
    batch(3, false, NULL);
    in_batch = false;  // of the slower one, which has to work alone
}

static void forks(void) {
    start("before a fork", 3, 2);
    fork_as(8, 3);
    start("a fork that changes the number", 3, 2);
    fork_as(8, 4);
    start("a fork in a process of the same number", 3, 2);
    fork_as(9, 5);
    step = "two threads that make a pool";
    at_start = quicker;
    batch(0, true, NULL);
    CHECK(!at_start && held() == 4 && made() == 3);
    step = "freeing inherited pools";
    end();
}

int main(void) {
    alone();
    mfn_pool_free(NULL);
    start("four threads", 4, 3);
    end();
    for (int i = 0; i < 3; i++) {
        starts_left = i;
        start("a thread that does not start", 4, i);
        starts_left = -1;
        end();
    }
    spinning();
    forks();
    printf("pool: every lock, wait and thread as it should be\n");
    return 0;
}
