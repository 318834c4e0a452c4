// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// The verb mirror of check_engine.c: what is read of a picture in texts that are JSON, nearly or not.
#ifndef CHECK_MIRROR_H
#define CHECK_MIRROR_H
#include "check_tools.h"

// An exact copy, so that a sanitizer sees a read of the byte behind it.
static int said_of(const char *text, size_t size) {
    unsigned char *copy = malloc(size ? size : 1);
    CHECK(copy);
    memcpy(copy, text, size);
    const int said = mfn_mirror_picture(copy, size);
    free(copy);
    return said;
}

// Where a text says something, it ends with it: a part of it says nothing, nor does more than it.
static void says(const char *text, int want) {
    static char longer[4096];
    const size_t n = strlen(text);
    CHECK(n + 4 < sizeof longer);
    if (said_of(text, n) != want) {
        fprintf(stderr, "mirror: %d, not %d, of %.100s\n", said_of(text, n), want, text);
        exit(1);
    }
    for (size_t i = 0; i < n; i++) CHECK(said_of(text, i) == 0);
    snprintf(longer, sizeof longer, "%s   ", text);
    for (size_t i = 1; i < 4; i++) CHECK(said_of(longer, n + i) == want);
    for (const char *end = "\n\t0,}"; *end; end++) {
        longer[n] = *end, longer[n + 1] = 0;
        CHECK(said_of(longer, n + 1) == 0);
    }
}

// The value in arrays of a mirror whose picture is turned, and in the picture's place.
static void beside(const char *value, bool well) {
    static const char *const around[] = {
        "{\"a\":[%s],\"meta\":{\"b\":[%s],\"picture\":\"turned-180\"}}",
        "{\"meta\":{\"picture\":\"turned-180\",\"b\":[%s]},\"c\":[%s]}",
        "{\"meta\":{\"picture\":[%s]}}"};
    static char text[4096];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, around[i], value, value);
        says(text, !well ? 0 : i < 2 ? 1 : MFN_E_PICTURE);
    }
}

// `depth` arrays or objects, one in another.
static const char *nested(const char *open, const char *inside, const char *close, int depth) {
    static char text[1024];
    text[0] = 0;
    for (int i = 0; i < depth; i++) strcat(text, open);
    strcat(text, inside);
    for (int i = 0; i < depth; i++) strcat(text, close);
    return text;
}

static void mirror(const unsigned char *data, size_t size) {
    (void)data, (void)size;
    static const struct {
        const char *text;
        int want;
    } texts[] = {
        {"", 0}, {"{}", 0}, {"[]", 0}, {"\"meta\"", 0}, {"{\"meta\":{}}", 0}, {"{\"meta\":\"picture\"}", 0},
        {"{\"meta\":{\"picture\":\"turned-180\"}}", 1}, {"{\"meta\":{\"picture\":\"upright\"}}", 0},
        {"{\"meta\":{\"picture\":\"turned-18\"}}", MFN_E_PICTURE},
        {"{\"meta\":{\"picture\":\"turned-1800\"}}", MFN_E_PICTURE},
        {"{\"meta\":{\"picture\":\"urned-180\"}}", MFN_E_PICTURE},
        {"{\"meta\":{\"picture\":\"Turned-180\"}}", MFN_E_PICTURE},
        {"{\"meta\":{\"picture\":\"uprightt\"}}", MFN_E_PICTURE},
        {"{\"meta\":{\"picture\":\"\"}}", MFN_E_PICTURE}, {"{\"meta\":{\"picture\":0}}", MFN_E_PICTURE},
        {"{\"meta\":{\"picture\":null}}", MFN_E_PICTURE}, {"{\"meta\":{\"picture\":nul}}", 0},
        {" \t\r\n{ \t\r\n\"meta\" : { \"picture\" \t\r\n:\n\"turned-180\" } }", 1},
        // Any spelling of the same letters.
        {"{\"m\\u0065ta\":{\"pict\\u0075re\":\"turned\\u002d180\"}}", 1},
        {"{\"m\\u0065ta\":{\"pict\\u0075re\":\"turned\\u002D180\"}}", 1},
        {"{\"meta\":{\"picture\":\"turned\\u002d18\\u0030\",\"\\u0041\":0}}", 1},
        {"{\"meta\":{\"picture\":\"turned\\u102d180\"}}", MFN_E_PICTURE},
        {"{\"meta\":{\"picture\":\"turned\\u012d180\"}}", MFN_E_PICTURE},
        {"{\"meta\":{\"picture\":\"turned\\u003d180\"}}", MFN_E_PICTURE},
        {"{\"meta\":{\"picture\":\"turned\\n180\"}}", MFN_E_PICTURE},
        {"{\"meta\":{\"picture\":\"\\turned-180\"}}", MFN_E_PICTURE},
        {"{\"meta\":{\"p\\u0000icture\":\"turned-180\"}}", 0},
        // Keys that are none of meta's, or occur twice.
        {"{\"picture\":\"turned-180\"}", 0}, {"{\"a\":{\"picture\":\"turned-180\"}}", 0},
        {"{\"meta\":{\"a\":{\"picture\":\"turned-180\"}}}", 0},
        {"{\"meta\":{\"a\":{\"meta\":{\"picture\":\"turned-180\"}}}}", 0},
        {"{\"meta\":[{\"picture\":\"turned-180\"}]}", 0}, {"[{\"meta\":{\"picture\":\"turned-180\"}}]", 0},
        {"{\"meta\":{\"pictures\":\"turned-180\"}}", 0}, {"{\"meta\":{\"pictur\":\"turned-180\"}}", 0},
        {"{\"metas\":{\"picture\":\"turned-180\"}}", 0}, {"{\"met\":{\"picture\":\"turned-180\"}}", 0},
        {"{\"meta\":{},\"meta\":{\"picture\":\"turned-180\"}}", 0},
        {"{\"meta\":{\"picture\":\"turned-180\"},\"meta\":{}}", 0},
        {"{\"meta\":{\"picture\":\"turned-180\",\"picture\":\"turned-180\"}}", 0},
        {"{\"meta\":{\"a\":0,\"picture\":\"turned-180\"},\"metas\":{\"picture\":\"upright\"}}", 1},
        // Nearly objects.
        {"{\"meta\":{\"picture\":\"turned-180\",}}", 0}, {"{,\"meta\":{\"picture\":\"turned-180\"}}", 0},
        {"{\"meta\":{\"picture\" \"turned-180\"}}", 0}, {"{\"meta\":{\"picture\":}}", 0},
        {"{\"meta\":{picture:\"turned-180\"}}", 0}, {"{meta:{\"picture\":\"turned-180\"}}", 0},
        {"{\"a\",\"meta\":{\"picture\":\"turned-180\"}}", 0},
        {"{\"a\":0 \"meta\":{\"picture\":\"turned-180\"}}", 0},
        {"{\"meta\":{\"picture\":\"turned-180\"]}", 0}, {"{\"meta\":{\"picture\":\"turned-180\"}]", 0},
        {"{\"meta\":{\"picture\":\"turned\n-180\"}}", 0}, {"{\"meta\":{\"picture\":\"turned-180}}", 0},
    };
    static const char *const well[] = {
        "0", "-0", "10", "-19", "0.5", "1.25", "0e5", "1E+09", "1e-9", "-1.5e10", "true", "false", "null",
        "[]", "[0]", "[ 0 , 1 ]", "[[],{}]", "{}", "{ }", "{\"x\":0}", "{\"x\":0,\"\":\"\"}", "[ ]",
        "{\"picture\":1}", "{\"meta\":{\"picture\":1}}", "\" \"", "[\"picture\",\"upright\"]",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\uABCD\\uabcd\"", "\"\\u0020\x7f\xc3\xa4\""};
    static const char *const ill[] = {
        "-", "+1", "01", "-01", "1.", ".5", "1.e5", "1e", "1e+", "0x1", "1..2", "1.2.3", "--1", "tru",
        "truex", "True", "fals", "falsee", "nul", "nulll", "NaN", "[", "]", "[,]", "[0,]", "[,0]", "[0 1]",
        "[0}", "{", "{0}", "{\"x\"}", "{\"x\":}", "{\"x\":0,}", "{\"x\" 0}", "{x:0}", "{x\":0}", "{\"\\x:0}", "\"", "\"\\\"",
        "\"\\x\"", "\"\\a\"", "\"\\u\"", "\"\\u00\"", "\"\\u41g1\"", "\"\\u000\"", "\"\\U0041\"", "\"\\u0000\"",
        "\"\t\"", "\"\x1f\"", "\"\x01\"", "'x'", "0 0", "\"x\" 0", "{}{}", "[][]", "true false"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) says(texts[i].text, texts[i].want);
    for (size_t i = 0; i < sizeof well / sizeof *well; i++) beside(well[i], true);
    for (size_t i = 0; i < sizeof ill / sizeof *ill; i++) beside(ill[i], false);
    // The array of `b` is the third, around the value.
    const int most = MFN_FMT_MAX_JSON_DEPTH - 3;
    beside(nested("[", "0", "]", most), true), beside(nested("{\"x\":", "0", "}", most), true);
    for (int i = 1; i < 4; i++) {
        beside(nested("[", "0", "]", most + i), false);
        beside(nested("{\"x\":", "0", "}", most + i), false);
    }
    // A NUL ends no text.
    CHECK(said_of("{\"meta\":{\"picture\":\"turned-180\"}}\0", 35) == 0);
    CHECK(said_of("{\"meta\":{\"picture\":\"turned-180\0\"}}", 35) == 0);
    printf("mirror: texts read to their ends\n");
}

#endif
