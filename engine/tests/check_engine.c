// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Checks to be run with a sanitizer: hostile bytes, failing allocations, threads, misuse.
//   check_engine VERB FILE     exit 0 and a line that says how much was done, or 1
// Build with the --wrap options of the Makefile's WRAP.
#include "check_tools.h"
#include "check_dispatch.h"
#include "check_mirror.h"
#include "check_misuse.h"
#include "check_packing.h"
#include "check_plan.h"
#include "check_soak.h"
#include "check_stem.h"

// An exact copy, so that a sanitizer sees a read of the byte behind it. Gives 0 or the status.
static int load_copy(const unsigned char *data, size_t size, bool run) {
    unsigned char *copy = malloc(size ? size : 1);
    CHECK(copy);
    if (size) memcpy(copy, data, size);
    // Each precision in turn.
    static int turn;
    MfnOptions options = {.precision = turn++ % (MFN_FAST + 1)};
    MfnEngine e;
    MfnError error;
    int rc = mfn_engine_init_memory(copy, size, &options, &e, &error);
    free(copy);
    CHECK(error.status == rc && memchr(error.text, 0, sizeof error.text));
    CHECK(rc == 0 || (error.text[0] && error.offset >= -1 && error.offset <= (int64_t)size));
    if (rc) {
        CHECK(mfn_engine_free(&e) == MFN_E_STATE);
        return rc;
    }
    if (run) {
        float *out = malloc((size_t)mfn_embedding_dim(&e) * sizeof *out);
        int turned = mfn_engine_turned(&e);
        CHECK(turned == 0 || turned == 1 || turned == MFN_E_PICTURE);
        CHECK(out && mfn_engine_forward(&e, input, out) == (turned < 0 ? turned : MFN_OK));
        free(out);
    }
    CHECK(mfn_engine_free(&e) == MFN_OK);
    return 0;
}

static void hostile(const unsigned char *data, size_t size) {
    size_t tried = 0, taken = 0;
    CHECK(load_copy(data, size, true) == MFN_OK);
    for (size_t n = 0; n < size; n++, tried++) CHECK(load_copy(data, n, false) != MFN_OK);
    unsigned char *twisted = malloc(size);
    CHECK(twisted);
    memcpy(twisted, data, size);
    for (size_t i = 0; i < (size < 700 ? size : 700) * 8; i++, tried++) {
        twisted[i / 8] ^= (unsigned char)(1u << i % 8);
        taken += load_copy(twisted, size, i / 8 < 92) == MFN_OK;
        twisted[i / 8] = data[i / 8];
    }
    free(twisted);
    CHECK(taken > 0);
    printf("hostile: %zu inputs, %zu loaded\n", tried, taken);
}

// Any file at all: loaded and run, or refused.
static void any(const unsigned char *data, size_t size) {
    printf("any: %s\n", mfn_status_name(load_copy(data, size, true)));
}

// One life of an engine; false where any step said that memory ran out.
static bool life(const unsigned char *data, size_t size, int precision, float *out) {
    MfnOptions options = {.threads = 3, .precision = precision};
    MfnEngine e;
    bool well = true;
    MfnError error;
    int rc = mfn_engine_init_memory(data, size, &options, &e, &error);
    CHECK(rc == MFN_OK || (rc == MFN_E_NOMEM && error.offset == -1 && error.text[0]));
    if (rc) return false;
    CHECK(!refused);  // every allocation of a load is needed
    MfnInfo info;
    CHECK(mfn_engine_info(&e, &info) == MFN_OK);
    float *trace = __real_malloc((size_t)info.trace_floats * sizeof *trace);
    double seconds[64];
    CHECK(trace && info.n_layers <= 64);
    int said[6], n = 0;
    said[n++] = mfn_engine_forward(&e, input, out);
    said[n++] = mfn_engine_forward_batch(&e, input, BATCH, out);
    said[n++] = mfn_engine_forward_u8(&e, pixels, BATCH, out);
    // What is reported as present is present.
    memset(trace, 0xff, sizeof *trace);
    said[n++] = mfn_engine_trace(&e, input, trace, (size_t)info.trace_floats);
    CHECK(said[n - 1] || trace[0] == trace[0]);
    said[n++] = mfn_engine_profile(&e, input, 1, seconds, 64);
    CHECK(said[n - 1] || seconds[0] < 1e9);
    CHECK(mfn_engine_free(&e) == MFN_OK);
    said[n++] = mfn_engine_init_file(path, NULL, &e, NULL);
    __real_free(trace);
    for (int i = 0; i < n; i++) {
        CHECK(said[i] == MFN_OK || said[i] == MFN_E_NOMEM);
        well = well && said[i] == MFN_OK;
    }
    CHECK(mfn_engine_free(&e) == (said[n - 1] ? MFN_E_STATE : MFN_OK));
    return well;
}

static void nomem(const unsigned char *data, size_t size) {
    float *out = __real_malloc(BATCH * 65536 * sizeof *out);
    for (int i = 0; i < 2 * (MFN_FAST + 1); i++) {
        const int ever = i % 2;
        long k = 0, harmless = 0;
        for_ever = ever;
        do {
            budget = k++;
            refused = false;
            harmless += life(data, size, i / 2, out) && refused;
            budget = -1;
        } while (refused);
        CHECK(k > 10);
        printf("nomem: each of %ld allocations and new threads failed%s; %ld did no harm\n", k - 1,
               ever ? ", and all after it" : "", harmless);
    }
    // No scratch is left and none can be allocated: the call fails, and the next one succeeds.
    MfnEngine e;
    CHECK(mfn_engine_init_memory(data, size, NULL, &e, NULL) == MFN_OK);
    float *only = mfn_scratch_take(e.impl);
    CHECK(only);
    for_ever = true;
    budget = 0;
    int rc = mfn_engine_forward(&e, input, out);
    budget = -1;
    mfn_scratch_give(e.impl, only);
    CHECK(rc == MFN_E_NOMEM && mfn_engine_forward(&e, input, out) == MFN_OK);
    CHECK(mfn_engine_free(&e) == MFN_OK);
    __real_free(out);
}

// Threads on one engine; `want` and `want_u8` are what serial use gave for each picture.
enum { MANY = 64 };
typedef struct Shared {
    MfnEngine engine;
    float want[BATCH * MAX_DIM], want_u8[BATCH * MAX_DIM];
    size_t dim;
    int rounds;
    _Atomic long calls, images, turn;
} Shared;

static bool same(const float *got, const float *want, size_t start, size_t n, size_t dim) {
    return memcmp(got, want + start * dim, n * dim * sizeof *got) == 0;
}

// Each thread and round has another batch size, and begins at another picture.
static void *worker(void *arg) {
    Shared *s = arg;
    size_t me = (size_t)atomic_fetch_add(&s->turn, 1), dim = s->dim;
    float *out = malloc(BATCH * MAX_DIM * sizeof *out);
    CHECK(out);
    for (size_t r = 0; r < (size_t)s->rounds; r++) {
        size_t n = 1 + (me + r) % BATCH, start = (me * 7 + r) % (BATCH - n + 1);
        const float *chw = input + start * VALUES;
        CHECK(mfn_engine_forward_batch(&s->engine, chw, n, out) == MFN_OK);
        CHECK(same(out, s->want, start, n, dim));
        CHECK(mfn_engine_forward_u8(&s->engine, pixels + start * PIXELS, n, out) == MFN_OK);
        CHECK(same(out, s->want_u8, start, n, dim));
        CHECK(mfn_engine_forward(&s->engine, chw, out) == MFN_OK);
        CHECK(same(out, s->want, start, 1, dim));
        atomic_fetch_add(&s->calls, 3), atomic_fetch_add(&s->images, (long)(2 * n + 1));
    }
    free(out);
    return NULL;
}

// An engine of several threads, and the serial results of one that has a single thread.
static void share(Shared *s, const unsigned char *data, size_t size, const char *isa,
                  int precision) {
    MfnOptions options = {.isa = isa, .threads = 1, .precision = precision};
    CHECK(mfn_engine_init_memory(data, size, &options, &s->engine, NULL) == MFN_OK);
    int dim = mfn_embedding_dim(&s->engine);
    CHECK(dim > 0 && dim <= MAX_DIM);
    s->dim = (size_t)dim;
    for (size_t i = 0; i < BATCH; i++) {
        float *want = s->want + i * s->dim, *want_u8 = s->want_u8 + i * s->dim;
        CHECK(mfn_engine_forward(&s->engine, input + i * VALUES, want) == MFN_OK);
        CHECK(mfn_engine_forward_u8(&s->engine, pixels + i * PIXELS, 1, want_u8) == MFN_OK);
    }
    CHECK(mfn_engine_free(&s->engine) == MFN_OK);
    options.threads = 4;
    CHECK(mfn_engine_init_memory(data, size, &options, &s->engine, NULL) == MFN_OK);
    const char *word = getenv("ROUNDS");
    s->rounds = word ? atoi(word) : 3;
}

static void crowd(Shared *s) {
    pthread_t t[MANY];
    for (int i = 0; i < MANY; i++) CHECK(pthread_create(&t[i], NULL, worker, s) == 0);
    for (int i = 0; i < MANY; i++) CHECK(pthread_join(t[i], NULL) == 0);
}

static void threads(const unsigned char *data, size_t size) {
    static const char *const NAMES[] = {"f32", "high", "fast"};
    static Shared s;
    for (int i = 0; i < mfn_isa_count() * (MFN_FAST + 1); i++) {
        const int isa = i / (MFN_FAST + 1), precision = i % (MFN_FAST + 1);
        if (!mfn_isa_supported(isa)) continue;
        s.calls = s.images = s.turn = 0;
        share(&s, data, size, mfn_isa_name(isa), precision);
        crowd(&s);
        CHECK(mfn_engine_free(&s.engine) == MFN_OK);
        printf("threads: %d on one engine, %s, precision %s, %ld calls, %ld images, bitwise equal to "
               "serial use\n",
               MANY, mfn_isa_name(isa), NAMES[precision], (long)s.calls, (long)s.images);
    }
}

// The child's many threads all meet the pool that the parent left; then a child of the child.
static void descend(Shared *s, int generations) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        crowd(s);
        if (generations > 1) descend(s, generations - 1);
        _exit(mfn_engine_free(&s->engine) == MFN_OK ? 0 : 1);
    }
    crowd(s);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void *fork_once(void *arg) {
    Shared *s = arg;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        worker(s);
        _exit(mfn_engine_free(&s->engine) == MFN_OK ? 0 : 1);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return NULL;
}

// AddressSanitizer's allocator (gcc 12's, say) is not made whole at a fork: its child hangs where
// another thread was inside malloc. There, only a process at rest forks.
#if defined __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
enum { FORKS = 0 };
#else
enum { FORKS = 20 };
#endif

static void forks(const unsigned char *data, size_t size) {
    static Shared s;
    share(&s, data, size, NULL, MFN_FAST);
    crowd(&s);
    descend(&s, 1);
    CHECK(mfn_engine_free(&s.engine) == MFN_OK);
    share(&s, data, size, NULL, MFN_HIGH);
    crowd(&s);
    descend(&s, 2);
    // Forks while other threads are inside a batch.
    pthread_t busy[4], t;
    for (int i = 0; i < FORKS; i++) {
        for (int k = 0; k < 4; k++) CHECK(pthread_create(&busy[k], NULL, worker, &s) == 0);
        CHECK(pthread_create(&t, NULL, fork_once, &s) == 0);
        for (int k = 0; k < 4; k++) CHECK(pthread_join(busy[k], NULL) == 0);
        CHECK(pthread_join(t, NULL) == 0);
    }
    CHECK(mfn_engine_free(&s.engine) == MFN_OK);
    printf("fork: parent, child and its child go on; %d forks during batches\n", FORKS);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(const unsigned char *, size_t);
    } verbs[] = {{"any", any}, {"hostile", hostile}, {"nomem", nomem}, {"threads", threads},
                 {"fork", forks},
                 {"misuse", misuse}, {"counts", counts}, {"picture", picture},
                 {"dispatch", dispatch}, {"mirror", mirror}, {"packing", packing},
                 {"plan", plan}, {"stem", stem}, {"soak", soak}};
    CHECK(argc == 3);
    fill();
    size_t size;
    path = argv[2];
    unsigned char *data = slurp(path, &size);
    bool ran = false;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0 || strcmp(argv[1], "all") == 0) {
            const long before = held;
            verbs[i].run(data, size), ran = true;
#ifndef LINKED_STATICALLY
            // The soak has its own measure, with leaks that are planted to be seen by it. Linked
            // statically, the C library's own buffers and threads' memory would be counted too.
            CHECK(held == before || verbs[i].run == soak);
#else
            (void)before;
#endif
        }
    free(data);
    CHECK(ran);
    return 0;
}
