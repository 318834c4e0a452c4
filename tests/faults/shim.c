// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// LD_PRELOAD: counts the file calls of a process and, once armed, spoils the k-th (from 1). A page
// shared with a watcher tells which call the process is in, to say where a kill fell.
// Build: cc -shared -fPIC shim.c -o shim.so -ldl
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

enum Mode { FAIL, SHORT, END, KILL, KILL_HALF };

static struct {
    bool on;
    int mode, number;
    long first, last;  // calls that are spoilt
    long count, hits;
    char name[16];     // of the first call that was spoilt
    bool unlink_hit, folder_sync_hit;
} s;

typedef struct Watch {
    volatile long count;   // calls begun
    volatile long inside;  // of these, how many have not ended
    char name[16];         // of the last that began
} Watch;
static Watch *watch;

void fault_watch(Watch *page);
void fault_watch(Watch *page) { watch = page; }

void fault_arm(int mode, int number, long first, long last);
void fault_arm(int mode, int number, long first, long last) {
    memset(&s, 0, sizeof s);
    s.mode = mode, s.number = number, s.first = first, s.last = last, s.on = true;
}

void fault_disarm(void);
void fault_disarm(void) { s.on = false; }
long fault_count(void);
long fault_count(void) { return s.count; }
long fault_hits(void);
long fault_hits(void) { return s.hits; }
const char *fault_name(void);
const char *fault_name(void) { return s.name; }
int fault_unlink_hit(void);
int fault_unlink_hit(void) { return s.unlink_hit; }
int fault_folder_sync_hit(void);
int fault_folder_sync_hit(void) { return s.folder_sync_hit; }

static void *real(const char *name) {
    void *f = dlsym(RTLD_NEXT, name);
    if (!f) raise(SIGABRT);
    return f;
}

// Counts a call; true where it is to be spoilt.
static bool spoil(const char *name) {
    if (!s.on) return false;
    s.count++;
    if (watch) {
        strncpy(watch->name, name, sizeof watch->name - 1);
        watch->inside++, watch->count++;
    }
    if (s.count < s.first || s.count > s.last) return false;
    if (s.mode == KILL) kill(getpid(), SIGKILL);
    if (s.hits++ == 0) strncpy(s.name, name, sizeof s.name - 1);
    if (strncmp(name, "unlink", 6) == 0 && s.mode == FAIL) s.unlink_hit = true;
    return true;
}

// What a call gives goes through here, so that the watcher sees that it ended.
static ssize_t ended(ssize_t rc) {
    if (s.on && watch) watch->inside--;
    return rc;
}

static bool failed(const char *name) {
    if (!spoil(name) || s.mode != FAIL) return false;
    errno = s.number;
    return true;
}

// NAME(parameters) that fails with -1 or goes to the real function with `args`.
#define PASS(type, name, params, args)                                     \
    type name params {                                                     \
        return (type)ended(failed(#name) ? -1 : ((type(*) params)real(#name)) args); \
    }

#define OPEN(name, params, args, flags)                                    \
    int name params {                                                      \
        mode_t mode = 0;                                                   \
        if ((flags) & (O_CREAT | O_TMPFILE)) {                             \
            va_list v;                                                     \
            va_start(v, flags), mode = va_arg(v, mode_t), va_end(v);       \
        }                                                                  \
        return (int)ended(failed(#name) ? -1 : ((int (*) params)real(#name)) args); \
    }

OPEN(open, (const char *p, int flags, ...), (p, flags, mode), flags)
OPEN(open64, (const char *p, int flags, ...), (p, flags, mode), flags)
OPEN(openat, (int fd, const char *p, int flags, ...), (fd, p, flags, mode), flags)
OPEN(openat64, (int fd, const char *p, int flags, ...), (fd, p, flags, mode), flags)
PASS(int, rename, (const char *a, const char *b), (a, b))
PASS(int, renameat, (int f, const char *a, int t, const char *b), (f, a, t, b))
PASS(int, unlink, (const char *p), (p))
PASS(int, unlinkat, (int fd, const char *p, int flags), (fd, p, flags))
PASS(int, ftruncate, (int fd, off_t n), (fd, n))
PASS(int, ftruncate64, (int fd, off64_t n), (fd, n))
PASS(int, fchmod, (int fd, mode_t m), (fd, m))
PASS(int, fchown, (int fd, uid_t u, gid_t g), (fd, u, g))
PASS(int, setxattr, (const char *p, const char *k, const void *v, size_t n, int f), (p, k, v, n, f))
PASS(int, fsetxattr, (int fd, const char *k, const void *v, size_t n, int f), (fd, k, v, n, f))
PASS(ssize_t, getxattr, (const char *p, const char *k, void *v, size_t n), (p, k, v, n))
PASS(ssize_t, fgetxattr, (int fd, const char *k, void *v, size_t n), (fd, k, v, n))
PASS(ssize_t, listxattr, (const char *p, char *out, size_t n), (p, out, n))
PASS(ssize_t, flistxattr, (int fd, char *out, size_t n), (fd, out, n))
PASS(int, fdatasync, (int fd), (fd))
PASS(int, fstat, (int fd, struct stat *st), (fd, st))
PASS(int, fstat64, (int fd, struct stat64 *st), (fd, st))
PASS(int, stat64, (const char *p, struct stat64 *st), (p, st))
PASS(int, lstat64, (const char *p, struct stat64 *st), (p, st))
PASS(int, fstatat64, (int fd, const char *p, struct stat64 *st, int f), (fd, p, st, f))
PASS(off64_t, lseek64, (int fd, off64_t at, int whence), (fd, at, whence))
PASS(ssize_t, readlink, (const char *p, char *out, size_t n), (p, out, n))

int fsync(int fd) {
    struct stat st;
    bool folder = ((int (*)(int, struct stat *))real("fstat"))(fd, &st) == 0 && S_ISDIR(st.st_mode);
    if (!failed("fsync")) return (int)ended(((int (*)(int))real("fsync"))(fd));
    s.folder_sync_hit |= folder;
    return (int)ended(-1);
}

// A close that fails has closed all the same (Linux).
int close(int fd) {
    bool bad = failed("close");
    int rc = ((int (*)(int))real("close"))(fd);
    if (bad) errno = s.number;
    return (int)ended(bad ? -1 : rc);
}

static size_t cut(bool spoilt, size_t n) {
    if (!spoilt || n == 0) return n;
    return s.mode == SHORT ? 1 : s.mode == END ? 0 : s.mode == KILL_HALF ? n / 2 : n;
}

#define READ(name, params, args)                                           \
    ssize_t name params {                                                  \
        bool bad = spoil(#name);                                           \
        if (bad && s.mode == FAIL) return errno = s.number, ended(-1);     \
        n = cut(bad && s.mode != KILL_HALF, n);                            \
        return ended(n ? ((ssize_t (*) params)real(#name)) args : 0);      \
    }
READ(read, (int fd, void *out, size_t n), (fd, out, n))
READ(pread, (int fd, void *out, size_t n, off_t at), (fd, out, n, at))
READ(pread64, (int fd, void *out, size_t n, off64_t at), (fd, out, n, at))

ssize_t write(int fd, const void *data, size_t n) {
    bool bad = spoil("write");
    if (bad && s.mode == FAIL) return errno = s.number, ended(-1);
    n = cut(bad && s.mode != END, n);
    ssize_t rc = ((ssize_t(*)(int, const void *, size_t))real("write"))(fd, data, n);
    if (bad && s.mode == KILL_HALF) kill(getpid(), SIGKILL);
    return ended(rc);
}
