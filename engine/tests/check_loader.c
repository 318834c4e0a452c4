// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The loader's checks alone, small enough to be built once for each check that is taken out.
//   check_loader VERB PATH     exit 0; or 1, with the place or the case on standard error
// cursor: each bounded read at its bound. pack: a set of cases, each before a faulting page, and
// every cut of the whole ones. file: every system call of reading PATH failing in every way.
#define _GNU_SOURCE 1
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cursor.h"
#include "loader.h"

static char where[160] = "start";

#define CHECK(x)                                                                       \
    do {                                                                               \
        if (!(x)) {                                                                    \
            fprintf(stderr, "%s: %s does not hold (line %d)\n", where, #x, __LINE__);  \
            exit(1);                                                                   \
        }                                                                              \
    } while (0)

static void on_signal(int number) {
    // Not async-signal-safe by the letter; the process ends here anyway.
    fprintf(stderr, "%s: signal %d\n", where, number);
    _exit(1);
}

// `n` bytes that end where a page without access begins.
static unsigned char *guarded(size_t n, void **base, size_t *whole) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (n + page - 1) / page * page;
    unsigned char *p = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED && mprotect(p + room, page, PROT_NONE) == 0);
    *base = p, *whole = room + page;
    return p + room - n;
}

// ---- file.c and platform_file.c with system calls that fail on demand ----

static struct {
    long left;             // reads before the fault
    int fault;             // errno of the fault; 0: none; -1: end of file
    bool forever, tiny, claim, no_stat;
    int64_t pretend_size;  // fstat's answer, or -1
    int64_t size, done;    // bytes of the file, or as many as fstat pretends, and those read
    long mallocs_left;     // allocations before one fails, or -1
    int open_now, allocated;
} os = {.pretend_size = -1, .mallocs_left = -1};
static size_t address_space = SIZE_MAX;

static int os_open(const char *path, int flags) {
    CHECK(*path);
    int fd = open(path, flags);
    os.open_now += fd >= 0;
    CHECK(fd < 0 || fcntl(fd, F_GETFD) & FD_CLOEXEC);
    return fd;
}

static int os_close(int fd) {
    os.open_now--;
    return close(fd);
}

static int os_fstat(int fd, struct stat *st) {
    if (os.no_stat) {
        errno = EIO;
        return -1;
    }
    int rc = fstat(fd, st);
    if (os.pretend_size >= 0) st->st_size = os.pretend_size;
    os.size = st->st_size;
    return rc;
}

static ssize_t os_read(int fd, void *out, size_t n) {
    // Behind the end one byte is asked for, to see whether there is any.
    CHECK(n <= (size_t)1 << 30 && (os.done < os.size || n == 1));
    if (os.fault && os.left-- <= 0) {
        int fault = os.fault;
        if (!os.forever) os.fault = 0;
        if (fault < 0) return 0;
        errno = fault;
        return -1;
    }
    const bool claimed = os.claim && n > (size_t)1 << 20;
    ssize_t got = claimed ? (ssize_t)n : read(fd, out, os.tiny && n > 1 ? 1 : n);
    os.done += got;
    return got;
}

static void *os_malloc(size_t n) {
    if (os.mallocs_left >= 0 && os.mallocs_left-- == 0) return NULL;
    void *p = malloc(n);
    os.allocated += p != NULL;
    return p;
}

static void os_free(void *p) {
    os.allocated -= p != NULL;
    free(p);
}

#define open(path, flags) os_open(path, flags)
#define close(fd) os_close(fd)
#define fstat(fd, st) os_fstat(fd, st)
#define read(fd, out, n) os_read(fd, out, n)
#define malloc(n) os_malloc(n)
#define free(p) os_free(p)
#undef SIZE_MAX
#define SIZE_MAX address_space
#include "file.c"
#include "platform_file.c"
#undef open
#undef close
#undef fstat
#undef read
#undef malloc
#undef free

static unsigned char *whole;
static size_t whole_size;

static int attempt(const char *name, const char *path) {
    snprintf(where, sizeof where, "file %s", name);
    unsigned char *data;
    size_t size;
    MfnError e = {.offset = -7};
    os.done = 0;
    int rc = mfn_file_read(path, &data, &size, &e);
    CHECK(os.open_now == 0 && os.allocated == (rc == MFN_OK));
    os.allocated = 0;
    // What fails before or beside the bytes has no place among them; the header is at 0.
    if (rc == MFN_E_READ) CHECK(e.offset == (os.done < MFN_FMT_PREFIX_SIZE ? 0 : -1));
    if (rc == MFN_E_OPEN || rc == MFN_E_NOT_REGULAR || rc == MFN_E_NOMEM || rc == MFN_E_TOO_LARGE)
        CHECK(e.offset == -1);
    CHECK(rc ? data == NULL && size == 0 && e.status == rc && e.text[0]
             : os.claim || (size == whole_size && memcmp(data, whole, size) == 0));
    free(data);
    os.fault = 0, os.forever = os.tiny = os.no_stat = os.claim = false;
    os.pretend_size = os.mallocs_left = -1, os.left = 0;
    return rc;
}

// A header that asks for more than 1 GiB before the sample's table; gives the length it asks for.
static int64_t huge_header(const char *path) {
    unsigned char head[MFN_FMT_PREFIX_SIZE];
    memcpy(head, whole, sizeof head);
    head[MFN_FMT_OFF_FINAL_CHANNELS] = 8, head[MFN_FMT_OFF_FINAL_CHANNELS + 1] = 32;
    head[MFN_FMT_OFF_EMBEDDING_DIM] = 0, head[MFN_FMT_OFF_EMBEDDING_DIM + 1] = 128;
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(head, 1, sizeof head, f) == sizeof head && fclose(f) == 0);
    static MfnImage im;
    MfnError e;
    CHECK(mfn_image_expect(head, sizeof head, 0, &im, &e) == MFN_E_TRUNCATED);
    uint64_t n = im.count_at + 4;
    for (int i = 0; i < im.n_layers; i++) {
        uint64_t t = mfn_layer_tensors(&im.layers[i]);
        n += 4 * (mfn_layer_weights(&im.layers[i]) + t + (t - 1) * im.layers[i].c_out);
    }
    CHECK(n > (uint64_t)1 << 30);
    return (int64_t)n;
}

// The widest expansion that a header may ask for, and the next one: files of it would be large.
static void expansions(void) {
    unsigned char head[MFN_FMT_PREFIX_SIZE];
    memcpy(head, whole, sizeof head);
    head[MFN_FMT_STAGE_OFFSET] = 255;
    for (int wide = 257; wide < 259; wide++) {
        head[MFN_FMT_OFF_STEM_CHANNELS] = (unsigned char)wide;
        head[MFN_FMT_OFF_STEM_CHANNELS + 1] = (unsigned char)(wide >> 8);
        static MfnImage im;
        MfnError e;
        int want = wide * 255 <= 65535 ? MFN_E_TRUNCATED : MFN_E_SHAPE;
        CHECK(mfn_image_expect(head, sizeof head, 0, &im, &e) == want);
        CHECK(e.offset == (want == MFN_E_SHAPE ? MFN_FMT_STAGE_OFFSET : 0));
    }
}

// A process without a terminal does not get one by a file's name. Left out where there are no terminals.
static void terminal(void) {
    int host = posix_openpt(O_RDWR | O_NOCTTY);
    if (host < 0 || grantpt(host) || unlockpt(host) || !ptsname(host)) return;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(setsid() >= 0 && attempt("terminal", ptsname(host)) == MFN_E_NOT_REGULAR);
        int own = open("/dev/tty", O_RDWR | O_NOCTTY);
        _exit(own >= 0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    snprintf(where, sizeof where, "file terminal");
    CHECK(WEXITSTATUS(status) == 0 && close(host) == 0);
}

static void file(const char *path) {
    char other[512];
    snprintf(other, sizeof other, "%s.other", path);
    FILE *f = fopen(path, "rb");
    CHECK(f && fseek(f, 0, SEEK_END) == 0);
    whole_size = (size_t)ftell(f);
    rewind(f);
    whole = malloc(whole_size);
    CHECK(whole && fread(whole, 1, whole_size, f) == whole_size && fclose(f) == 0);

    expansions();
    CHECK(attempt("whole", path) == MFN_OK);
    CHECK(attempt("missing", "/nonexistent") == MFN_E_OPEN);
    errno = 0;
    CHECK(attempt("empty name", "") == MFN_E_OPEN && errno == ENOENT);
    CHECK(attempt("folder", "/") == MFN_E_NOT_REGULAR);
    CHECK(attempt("endless device", "/dev/zero") == MFN_E_NOT_REGULAR);
    remove(other);
    CHECK(mkfifo(other, 0600) == 0);
    alarm(60);  // an open that waits takes no processor time
    CHECK(attempt("FIFO without a writer", other) == MFN_E_NOT_REGULAR);
    alarm(0);
    remove(other);
    terminal();
    // The lowest number of a file is one as any other.
    int input = dup(0);
    close(0);
    CHECK(attempt("whole, as standard input", path) == MFN_OK);
    CHECK(input < 0 || (dup2(input, 0) == 0 && close(input) == 0));
    os.no_stat = true;
    CHECK(attempt("fstat fails", path) == MFN_E_OPEN);
    os.tiny = true;
    CHECK(attempt("a byte at a time", path) == MFN_OK);
    for (long k = 0; k < 3; k++) {
        os.fault = EINTR, os.left = k;
        CHECK(attempt("interrupted read", path) == MFN_OK);
        os.fault = EIO, os.left = k;
        CHECK(attempt("failing read", path) == MFN_E_READ);
        os.fault = EIO, os.left = k, os.forever = true;
        CHECK(attempt("read that keeps failing", path) == MFN_E_READ);
        if (k < 2) {
            os.fault = -1, os.left = k, os.forever = true;
            CHECK(attempt("shrunk while read", path) == (k ? MFN_E_READ : MFN_E_TRUNCATED));
            os.mallocs_left = k;
            CHECK(attempt("no memory", path) == MFN_E_NOMEM);
        }
    }
    os.tiny = true, os.fault = -1, os.left = 50, os.forever = true;
    CHECK(attempt("shrunk in the header", path) == MFN_E_TRUNCATED);
    address_space = whole_size;
    CHECK(attempt("small address space", path) == MFN_E_TOO_LARGE);
    address_space = 2 * whole_size;
    CHECK(attempt("address space of twice the file", path) == MFN_OK);
    address_space = (size_t)-1;
    f = fopen(other, "wb");
    CHECK(f && fwrite(whole, 1, whole_size, f) == whole_size && fputc(0, f) == 0 && !fclose(f));
    CHECK(attempt("a byte too long", other) == MFN_E_TRAILING);
    os.pretend_size = (int64_t)whole_size;
    CHECK(attempt("grown while read", other) == MFN_E_READ);
    os.pretend_size = (int64_t)whole_size, os.tiny = true, os.fault = EIO, os.left = 500;
    CHECK(attempt("grown, and a read that fails once", other) == MFN_E_READ);
    os.pretend_size = huge_header(other);
    os.claim = true;
    CHECK(attempt("over 1 GiB", other) == MFN_OK);
    remove(other);
    free(whole);
    printf("file: every fault a status\n");
}

// ---- cursor.h ----

static void cursor(void) {
    void *base;
    size_t all;
    unsigned char *p = guarded(8, &base, &all);
    memcpy(p, "\1\2\3\4\5\6\7\xf8", 8);
    uint32_t v = 0;
    float x[4];
    for (size_t at = 0; at <= 10; at++) {
        snprintf(where, sizeof where, "cursor at %zu of 8", at);
        size_t rest = at <= 8 ? 8 - at : 0;
        for (uint64_t n = 0; n < 12; n++) {
            MfnCursor c = {p, 8, at};
            CHECK(mfn_cur_has(&c, n) == (at <= 8 && n <= rest));
            CHECK(mfn_cur_skip(&c, n) == (at <= 8 && n <= rest));
            CHECK(c.at == at + (at <= 8 && n <= rest ? n : 0));
        }
        MfnCursor c = {p, 8, at};
        CHECK(!mfn_cur_has(&c, UINT64_MAX) && (at == 0 || !mfn_cur_skip(&c, -(uint64_t)at)));
        CHECK(mfn_cur_u8(&c, &v) == (rest >= 1) && c.at == at + (rest >= 1));
        CHECK(rest < 1 || v == p[at]);
        c.at = at;
        CHECK(mfn_cur_u16(&c, &v) == (rest >= 2) && c.at == at + 2 * (rest >= 2));
        CHECK(rest < 2 || v == (uint32_t)(p[at] | p[at + 1] << 8));
        c.at = at;
        CHECK(mfn_cur_u32(&c, &v) == (rest >= 4) && c.at == at + 4 * (rest >= 4));
        CHECK(rest < 4 || v >> 24 == p[at + 3]);
        c.at = at;
        CHECK(mfn_cur_is(&c, at == 2 ? "\3\4\5" : "no!", 3) == (at == 2));
        CHECK(c.at == (at == 2 ? 5 : at));
        for (size_t n = 0; n < 4; n++) {
            c.at = at;
            bool fits = at <= 8 && 4 * n <= rest;
            CHECK(mfn_cur_f32(&c, x, n) == fits && c.at == at + (fits ? 4 * n : 0));
            for (size_t i = 0; fits && i < n; i++) {
                uint32_t bits;
                memcpy(&bits, &x[i], 4);
                c.at = at + 4 * i;
                CHECK(mfn_cur_u32(&c, &v) && bits == v);
            }
        }
        c.at = at;
        CHECK(!mfn_cur_f32(&c, x, (size_t)-1) && !mfn_cur_f32(&c, x, ((size_t)-1) / 4 + 2));
    }
    uint64_t r;
    snprintf(where, sizeof where, "checked arithmetic");
    CHECK(mfn_add64(UINT64_MAX - 1, 1, &r) && r == UINT64_MAX && !mfn_add64(UINT64_MAX, 1, &r));
    CHECK(mfn_mul64(0, UINT64_MAX, &r) && r == 0 && mfn_mul64(3, UINT64_MAX / 3, &r));
    CHECK(!mfn_mul64(3, UINT64_MAX / 3 + 1, &r) && !mfn_mul64(UINT64_MAX, 2, &r));
    CHECK(strcmp(mfn_tensor_suffix(5), "act.w") == 0 && mfn_tensor_suffix(6)[0] == 0);
    munmap(base, all);
    printf("cursor: every bound holds\n");
}

// ---- whole files ----

static MfnImage *image;

// Loads a guarded copy of `n` bytes; `want` is a status name, or "refused", and `place` the byte that
// is blamed, or "" where nobody says.
static void verdict(const unsigned char *bytes, size_t n, const char *want, const char *place) {
    void *base;
    size_t all;
    unsigned char *copy = guarded(n ? n : 1, &base, &all);
    if (!n) copy++;
    memcpy(copy, bytes, n);
    MfnError e = {.offset = -1};
    memset(image, 0xa5, sizeof *image);
    const char *got = mfn_status_name(mfn_image_verify(copy, n, image, &e));
    if (strcmp(got, want) != 0 && !(strcmp(want, "refused") == 0 && strcmp(got, "OK") != 0)) {
        fprintf(stderr, "%s: %s, expected %s\n", where, got, want);
        exit(1);
    }
    CHECK(strcmp(got, "OK") == 0 || (e.text[0] && e.offset >= 0 && e.offset <= (int64_t)n));
    CHECK(!*place || e.offset == strtoll(place, NULL, 10));
    CHECK(strcmp(got, "OK") != 0 || (image->data == copy && image->size == n));
    for (const char *t = e.text; *t; t++) CHECK(*t >= ' ' && *t <= '~');
    munmap(base, all);
}

static uint32_t number(FILE *f) {
    unsigned char b[4];
    CHECK(fread(b, 1, 4, f) == 4);
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

// Entries of four parts (name, status, place, bytes), each its length before it.
static void pack(const char *path) {
    void *base;
    size_t all;
    image = (MfnImage *)(void *)guarded((sizeof *image + 63) / 64 * 64, &base, &all);
    FILE *f = fopen(path, "rb");
    CHECK(f);
    size_t cases = 0, cuts = 0;
    for (int c = getc(f); c != EOF; c = getc(f), cases++) {
        ungetc(c, f);
        char part[3][128] = {"", "", ""};
        for (int i = 0; i < 3; i++) {
            uint32_t n = number(f);
            CHECK(n < sizeof part[i] && fread(part[i], 1, n, f) == n);
        }
        uint32_t n = number(f);
        unsigned char *bytes = malloc(n ? n : 1);
        CHECK(bytes && fread(bytes, 1, n, f) == n);
        snprintf(where, sizeof where, "%s", part[0]);
        verdict(bytes, n, part[1], part[2]);
        // Every cut of a whole file that is small.
        for (uint32_t k = 0; strcmp(part[0], "valid-sample") == 0 && k < n; k++) {
            snprintf(where, sizeof where, "%s cut to %u bytes", part[0], (unsigned)k);
            char end[16];
            snprintf(end, sizeof end, "%u", (unsigned)k);
            verdict(bytes, k, "E_TRUNCATED", end);
            cuts++;
        }
        free(bytes);
    }
    fclose(f);
    CHECK(cuts > 0);
    printf("pack: %zu cases, %zu cuts\n", cases, cuts);
}

int main(int argc, char **argv) {
    int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGXCPU, SIGALRM};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], on_signal);
    CHECK(argc == 3);
    // A loader that never ends is stopped by the processor time that it takes, not by the clock: the
    // machine may be loaded, or an emulator.
    rlim_t seconds = strcmp(argv[1], "pack") == 0 ? 120 : 5;
    CHECK(setrlimit(RLIMIT_CPU, &(struct rlimit){seconds, seconds + 5}) == 0);
    if (strcmp(argv[1], "cursor") == 0) cursor();
    else if (strcmp(argv[1], "pack") == 0) pack(argv[2]);
    else if (strcmp(argv[1], "file") == 0) file(argv[2]);
    else CHECK(!"a verb");
    return 0;
}
