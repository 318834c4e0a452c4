// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The one thing that the engine reads in the mirror: meta.picture. The text is walked as JSON, so
// that the key counts only where it is a key of meta, however it is spelled; a text that is not
// JSON says nothing. Nothing is allocated, and the recursion ends at the format's depth.
#include "cursor.h"
#include "engine.h"

// The mirror's own object, its meta, and all else.
enum { IN_MIRROR, IN_META, ELSEWHERE };

typedef struct MfnText {
    MfnCursor c;
    int metas, pictures;  // how often the keys have occurred
    int picture;          // what mfn_mirror_picture gives
} MfnText;

static bool take_value(MfnText *t, int where, int depth);

// The next byte, where it is one of `bytes`.
static bool one_of(MfnText *t, const char *bytes) {
    for (; *bytes; bytes++)
        if (mfn_cur_is(&t->c, bytes, 1)) return true;
    return false;
}

static bool take(MfnText *t, const char *byte) {
    while (one_of(t, " \t\n\r")) continue;
    return one_of(t, byte);
}

// What follows a backslash, as a code unit.
static bool take_escape(MfnText *t, uint32_t *c) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    static const char hex[] = "0123456789abcdef0123456789ABCDEF";
    if (!mfn_cur_u8(&t->c, c)) return false;
    const char *hit = memchr(from, (int)*c, sizeof from - 1);
    if (hit) *c = (uint32_t)to[hit - from];
    if (hit || *c != 'u') return hit != NULL;
    *c = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t digit;
        if (!mfn_cur_u8(&t->c, &digit)) return false;
        hit = memchr(hex, (int)digit, sizeof hex - 1);
        if (!hit) return false;
        *c = *c << 4 | ((uint32_t)(hit - hex) & 15);
    }
    return true;
}

// The rest of a string whose quote was taken; *same: whether it is `want`, its escapes resolved.
static bool take_string(MfnText *t, const char *want, bool *same) {
    uint32_t c;
    *same = true;
    while (mfn_cur_u8(&t->c, &c)) {
        if (c == '"') {
            *same = *same && !*want;
            return true;
        }
        if (c < ' ' || (c == '\\' && (!take_escape(t, &c) || !c))) return false;
        *same = *same && *want && c == (uint32_t)*want++;
    }
    return false;
}

static bool take_digits(MfnText *t) {
    size_t start = t->c.at;
    while (one_of(t, "0123456789")) continue;
    return t->c.at > start;
}

static bool take_number(MfnText *t) {
    one_of(t, "-");
    if (!one_of(t, "0") && !take_digits(t)) return false;
    if (one_of(t, ".") && !take_digits(t)) return false;
    if (!one_of(t, "eE")) return true;
    one_of(t, "+-");
    return take_digits(t);
}

// The value of the key, which should be one of two strings.
static bool take_picture(MfnText *t, int depth) {
    bool upright, turned;
    t->picture = MFN_E_PICTURE;
    if (!take(t, "\"")) return take_value(t, ELSEWHERE, depth);
    size_t start = t->c.at;
    if (!take_string(t, MFN_FMT_PICTURE_UPRIGHT, &upright)) return false;
    t->c.at = start;
    if (!take_string(t, MFN_FMT_PICTURE_TURNED, &turned)) return false;
    if (upright || turned) t->picture = turned;
    return true;
}

// The rest of an object whose brace was taken.
static bool take_members(MfnText *t, int where, int depth) {
    if (take(t, "}")) return true;
    do {
        bool same, well;
        const char *key = where == IN_MIRROR ? MFN_FMT_META_KEY : MFN_FMT_PICTURE_KEY;
        if (!take(t, "\"") || !take_string(t, key, &same) || !take(t, ":")) return false;
        if (!same || where == ELSEWHERE)
            well = take_value(t, ELSEWHERE, depth);
        else if (where == IN_MIRROR)
            well = t->metas++ == 0 && take_value(t, IN_META, depth);
        else
            well = t->pictures++ == 0 && take_picture(t, depth);
        if (!well) return false;
    } while (take(t, ","));
    return take(t, "}");
}

static bool take_items(MfnText *t, int depth) {
    if (take(t, "]")) return true;
    do {
        if (!take_value(t, ELSEWHERE, depth)) return false;
    } while (take(t, ","));
    return take(t, "]");
}

// `depth` objects and arrays are around the value.
static bool take_value(MfnText *t, int where, int depth) {
    bool ignored;
    if (take(t, "\"")) return take_string(t, "", &ignored);
    if (take(t, "{")) return depth < MFN_FMT_MAX_JSON_DEPTH && take_members(t, where, depth + 1);
    if (take(t, "[")) return depth < MFN_FMT_MAX_JSON_DEPTH && take_items(t, depth + 1);
    return mfn_cur_is(&t->c, "true", 4) || mfn_cur_is(&t->c, "false", 5) ||
           mfn_cur_is(&t->c, "null", 4) || take_number(t);
}

int mfn_mirror_picture(const unsigned char *text, size_t size) {
    MfnText t = {.c = {text, size, 0}};
    if (!take_value(&t, IN_MIRROR, 0)) return 0;
    while (one_of(&t, " ")) continue;
    return mfn_cur_has(&t.c, 1) ? 0 : t.picture;
}
