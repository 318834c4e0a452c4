// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// main's arguments as the engine's names: in UTF-8 on Windows, as they are elsewhere. For programs
// alone, and so not a part of the engine: nothing that embeds it shall need shell32 for this.
#ifndef MFN_ARGUMENTS_H
#define MFN_ARGUMENTS_H

#include "../src/platform.h"

#ifdef MFN_WINDOWS
#define WIN32_LEAN_AND_MEAN 1
#define NOMINMAX 1
#include <windows.h>

#include <shellapi.h>
#include <stdlib.h>
#ifdef _MSC_VER
#pragma comment(lib, "shell32")
#endif

static UINT console_before;

static void console_restore(void) { SetConsoleOutputCP(console_before); }

// Sets *argc too: a C library may have expanded patterns in its own. What is returned lives as long as
// the process, and so long the console shows UTF-8; NULL where no memory is left.
static char **mfn_arguments(int *argc, char **argv) {
    int n = 0;
    wchar_t **given = CommandLineToArgvW(GetCommandLineW(), &n);
    char **out = given ? calloc((size_t)n + 1, sizeof *out) : NULL;
    bool whole = out != NULL;
    for (int i = 0; whole && i < n; i++) {
        int bytes = WideCharToMultiByte(CP_UTF8, 0, given[i], -1, NULL, 0, NULL, NULL);
        out[i] = bytes > 0 ? malloc((size_t)bytes) : NULL;
        whole = out[i] != NULL;
        if (whole) WideCharToMultiByte(CP_UTF8, 0, given[i], -1, out[i], bytes, NULL, NULL);
    }
    LocalFree(given);
    (void)argv;
    if (!whole) return NULL;
    *argc = n;
    // The console outlives the program, and others write to it; 0: there is none.
    console_before = GetConsoleOutputCP();
    if (console_before && atexit(console_restore) == 0) SetConsoleOutputCP(CP_UTF8);
    return out;
}
#else
static char **mfn_arguments(int *argc, char **argv) {
    (void)argc;
    return argv;
}
#endif

#endif
