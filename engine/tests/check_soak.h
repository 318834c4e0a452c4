// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The verb soak of check_engine.c: an engine made, used and freed very often leaks no resources.
#ifndef CHECK_SOAK_H
#define CHECK_SOAK_H
#include "check_tools.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = true };
#elif defined(__has_feature)
enum { SANITIZED = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) };
#else
enum { SANITIZED = false };
#endif

static long resident_kib(void) {
    long pages = -1;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f && fscanf(f, "%*d %ld", &pages) == 1);
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int open_files(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    CHECK(d);
    while (readdir(d)) n++;
    closedir(d);
    return n - 3;  // `.`, `..` and the folder itself
}

// Bytes allocated and not freed; 0 where the library does not report them.
static long allocated(void) {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    struct mallinfo2 m = mallinfo2();
    return (long)(m.uordblks + m.hblkhd);
#else
    return 0;
#endif
}

// One load, call and free, alternately from memory and from the file, and loads that are refused.
static void use(const unsigned char *data, size_t size, long i) {
    static float out[BATCH * MAX_DIM];
    MfnOptions options = {.threads = i % 1000 ? 1 : 3,
                          .precision = (int)(i % (MFN_FAST + 1))};
    MfnEngine e;
    if (i % 2)
        CHECK(mfn_engine_init_file(path, &options, &e, NULL) == MFN_OK);
    else
        CHECK(mfn_engine_init_memory(data, size, &options, &e, NULL) == MFN_OK);
    if (i % 1000)
        CHECK(mfn_engine_forward(&e, input, out) == MFN_OK);
    else
        CHECK(mfn_engine_forward_batch(&e, input, BATCH, out) == MFN_OK);
    CHECK(mfn_engine_free(&e) == MFN_OK);
    CHECK(mfn_engine_init_memory(data, size - 1, NULL, &e, NULL) == MFN_E_TRUNCATED);
    const char *leak = getenv("LEAK");
    static void *volatile lost;
    if (leak && strcmp(leak, "memory") == 0) lost = malloc(64);
    if (leak && strcmp(leak, "file") == 0) CHECK(open(path, O_RDONLY) >= 0);
    (void)lost;
    if (i % 10 == 0) CHECK(mfn_engine_init_file("/", NULL, &e, NULL) == MFN_E_NOT_REGULAR);
}

// LOADS (1000) lives of an engine. After the first tenth, resident memory may not grow by more
// than 128 KiB, allocated memory by 16 KiB, nor the number of open files at all (under a
// sanitizer: only that). Needs /proc.
// LEAK=memory or LEAK=file loses 64 bytes or an open file each time, to show that it is seen.
static void soak(const unsigned char *data, size_t size) {
    enum { SAMPLES = 50, SLACK_KIB = 128, SLACK = 16 << 10 };
    const char *word = getenv("LOADS");
    long loads = word ? atol(word) : 1000, warm = loads / 10;
    CHECK(loads >= SAMPLES * 2);
    for (long i = 0; i < warm; i++) use(data, size, i);
    // The slope of the least-squares line through the samples.
    double x = 0, y = 0, xx = 0, xy = 0;
    long first = resident_kib(), last = first, most = first;
    long held = allocated();
    int files = open_files();
    for (int k = 0; k < SAMPLES; k++) {
        long end = warm + (loads - warm) * (k + 1) / SAMPLES;
        for (long i = warm + (loads - warm) * k / SAMPLES; i < end; i++) use(data, size, i);
        last = resident_kib();
        most = last > most ? last : most;
        x += (double)end, y += (double)last * 1024;
        xx += (double)end * (double)end, xy += (double)end * (double)last * 1024;
    }
    printf("soak: %ld loads; resident KiB %ld after %ld, %ld at the end, %ld at most; "
           "slope %.4f bytes a load; allocated %ld, %ld at the end; open files %d, %d at the end\n",
           loads, first, warm, last, most, (SAMPLES * xy - x * y) / (SAMPLES * xx - x * x), held,
           allocated(), files, open_files());
    // A sanitizer keeps what was freed; it looks for leaks itself.
    CHECK(SANITIZED || (last - first <= SLACK_KIB && allocated() - held <= SLACK));
    CHECK(open_files() == files);
}

#endif
