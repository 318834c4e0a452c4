// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Names are UTF-8 and go through the wide calls; what is no UTF-8 is refused before a call.
#include "platform.h"

#ifdef MFN_WINDOWS
#define WIN32_LEAN_AND_MEAN 1
#define NOMINMAX 1
#include <windows.h>

#include <errno.h>
#include <malloc.h>
#include <process.h>
#include <stdlib.h>
#include <string.h>

// The name as UTF-16 that the caller frees; NULL with the system's error set.
static wchar_t *wide(const char *path) {
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    wchar_t *out = n > 0 ? malloc((size_t)n * sizeof *out) : NULL;
    if (n > 0 && !out) SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    if (out) MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, out, n);
    return out;
}

MfnFile mfn_os_open(const char *path) {
    wchar_t *name = wide(path);
    if (!name) return -1;
    // BACKUP_SEMANTICS: a folder opens, so that it is told apart from what is missing. ANONYMOUS: if
    // the name is a pipe, its server learns nothing about us.
    HANDLE h = CreateFileW(name, GENERIC_READ,
                           FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                           FILE_FLAG_BACKUP_SEMANTICS | SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS, NULL);
    DWORD why = GetLastError();
    free(name);
    SetLastError(why);
    return h == INVALID_HANDLE_VALUE ? -1 : (MfnFile)h;
}

void mfn_os_close(MfnFile file) { CloseHandle((HANDLE)file); }

bool mfn_os_look(MfnFile file, bool *regular, uint64_t *size) {
    BY_HANDLE_FILE_INFORMATION info;
    *regular = false, *size = 0;
    // Consoles, pipes and serial ports have no such information, and need none.
    if (GetFileType((HANDLE)file) != FILE_TYPE_DISK) return true;
    if (!GetFileInformationByHandle((HANDLE)file, &info)) {
        // A disk itself, or a device of a driver that knows no files: there is nothing more to say.
        DWORD why = GetLastError();
        return why == ERROR_INVALID_FUNCTION || why == ERROR_INVALID_PARAMETER;
    }
    *regular = !(info.dwFileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_DEVICE));
    *size = (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow;
    return true;
}

int64_t mfn_os_read(MfnFile file, void *out, size_t n) {
    DWORD got = 0;
    return ReadFile((HANDLE)file, out, (DWORD)n, &got, NULL) ? (int64_t)got : -1;
}

// Windows' own texts come in the language of its user; these are those of POSIX for what is met most.
const char *mfn_os_error(void) {
    switch (GetLastError()) {
        case ERROR_FILE_NOT_FOUND:
        case ERROR_PATH_NOT_FOUND:
        case ERROR_INVALID_NAME:
        case ERROR_INVALID_DRIVE:
        case ERROR_BAD_PATHNAME:
        case ERROR_BAD_NET_NAME:
        case ERROR_BAD_NETPATH: return strerror(ENOENT);
        case ERROR_FILENAME_EXCED_RANGE: return strerror(ENAMETOOLONG);
        case ERROR_TOO_MANY_OPEN_FILES: return strerror(EMFILE);
        case ERROR_ACCESS_DENIED: return strerror(EACCES);
        case ERROR_SHARING_VIOLATION:
        case ERROR_LOCK_VIOLATION: return "another program holds it";
        case ERROR_NO_UNICODE_TRANSLATION: return "the name is not UTF-8";
        case ERROR_OUTOFMEMORY:
        case ERROR_NOT_ENOUGH_MEMORY: return strerror(ENOMEM);
        default: return strerror(EIO);
    }
}

FILE *mfn_os_stream(const char *path) {
    wchar_t *name = wide(path);
    FILE *f = name ? _wfopen(name, L"rb") : NULL;
    free(name);
    return f;
}

void *mfn_os_aligned(size_t align, size_t bytes) { return _aligned_malloc(bytes, align); }
void mfn_os_aligned_free(void *memory) { _aligned_free(memory); }
// Large pages want a privilege that programs do not have.
void mfn_os_large_pages(void *memory, size_t bytes) { (void)memory, (void)bytes; }

int64_t mfn_os_nanoseconds(void) {
    LARGE_INTEGER now, rate;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&rate);
    // In two steps: ticks of 100 ns times 10^9 pass 2^63 after a quarter of an hour.
    return now.QuadPart / rate.QuadPart * 1000000000 +
           now.QuadPart % rate.QuadPart * 1000000000 / rate.QuadPart;
}

bool mfn_os_has_neondot(void) {
    const DWORD dot = 43;  // PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE, unknown to older headers
    return IsProcessorFeaturePresent(dot);
}

#ifndef MFN_NO_THREADS
_Static_assert(sizeof(MfnMutex) == sizeof(SRWLOCK), "an SRWLOCK is a word");
_Static_assert(sizeof(MfnCond) == sizeof(CONDITION_VARIABLE), "a CONDITION_VARIABLE is a word");

bool mfn_os_mutex_init(MfnMutex *mutex) { return InitializeSRWLock((SRWLOCK *)mutex), true; }
void mfn_os_mutex_free(MfnMutex *mutex) { (void)mutex; }
void mfn_os_lock(MfnMutex *mutex) { AcquireSRWLockExclusive((SRWLOCK *)mutex); }
void mfn_os_unlock(MfnMutex *mutex) { ReleaseSRWLockExclusive((SRWLOCK *)mutex); }
bool mfn_os_cond_init(MfnCond *cond) {
    return InitializeConditionVariable((CONDITION_VARIABLE *)cond), true;
}
void mfn_os_cond_free(MfnCond *cond) { (void)cond; }
void mfn_os_wait(MfnCond *cond, MfnMutex *mutex) {
    SleepConditionVariableSRW((CONDITION_VARIABLE *)cond, (SRWLOCK *)mutex, INFINITE, 0);
}
void mfn_os_wake_one(MfnCond *cond) { WakeConditionVariable((CONDITION_VARIABLE *)cond); }
void mfn_os_wake_all(MfnCond *cond) { WakeAllConditionVariable((CONDITION_VARIABLE *)cond); }

static unsigned __stdcall enter(void *arg) {
    MfnThread *t = arg;
    t->run(t->arg);
    return 0;
}

bool mfn_os_thread_start(MfnThread *thread, void *(*run)(void *), void *arg) {
    thread->run = run, thread->arg = arg;
    thread->handle = (void *)_beginthreadex(NULL, 0, enter, thread, 0, NULL);
    return thread->handle != NULL;
}
void mfn_os_thread_join(MfnThread *thread) {
    WaitForSingleObject(thread->handle, INFINITE);
    CloseHandle(thread->handle);
}
void mfn_os_yield(void) { SwitchToThread(); }

// There is no fork.
MfnProcess mfn_os_process(void) { return (MfnProcess){0, 0}; }
#endif
#endif
