// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#include "facex_mfn.h"

#define X(name, value, message) \
    _Static_assert(MFN_##name == value, "facex_mfn.h and status.def disagree on " #name);
#include "status.def"
#undef X

const char *mfn_strerror(int status) {
    switch (status) {
#define X(name, value, message) \
    case value: return message;
#include "status.def"
#undef X
    default: return "unknown status";
    }
}

const char *mfn_status_name(int status) {
    switch (status) {
#define X(name, value, message) \
    case value: return #name;
#include "status.def"
#undef X
    default: return "E_UNKNOWN";
    }
}

const char *mfn_version(void) { return MFN_VERSION_STRING; }
