// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
// An EFM3 exporter to start from: C11, and dirent.h to list a folder.
//
//     cc -O2 -std=c11 -o exporter exporter.c
//     ./exporter ARCH.json TENSORS_FOLDER OUT.bin     exit code 1: refused, nothing is written
//
// The exporter proper comes first. It trusts its caller: give it an arch that `check` lets
// through, and values that your program knows to be finite and of the right shape.

#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name, *width_mult;  // as JSON: "\"mine\"", "1.0"
    uint32_t stem_kernel, stem_stride, gdc_kernel;
    uint32_t stem, block, final, dim;  // channels of the first three, length of the embedding
    uint32_t n_stages, stages[8][3];   // t, n, s of each; zero where unused
} Arch;

// Yours: the values of a tensor, [out, per_group, kernel, kernel], or [out] where per_group is 0.
static const float *values(const char *name, uint32_t out, uint32_t per_group, uint32_t kernel);

static FILE *file;

static void put(uint32_t v, int bytes) {  // little-endian on every machine
    for (; bytes > 0; bytes--, v >>= 8) fputc((int)(v & 255), file);
}

static void layer(const char *block, const char *name, uint32_t out, uint32_t per_group,
                  uint32_t kernel, int act) {
    static const char *const parts[] = {"conv.w", "bn.w", "bn.b", "bn.mean", "bn.var", "act.w"};
    for (int i = 0; i < 5 + act; i++) {
        char full[64];
        snprintf(full, sizeof full, "%s%s.%s", block, name, parts[i]);
        uint32_t count = i == 0 ? out * per_group * kernel * kernel : out, bits;
        const float *v = i == 0 ? values(full, out, per_group, kernel) : values(full, out, 0, 0);
        put(4 * count, 4);
        for (uint32_t k = 0; k < count; k++) memcpy(&bits, &v[k], 4), put(bits, 4);
    }
}

static void export_efm3(const Arch *a) {
    uint32_t blocks = 0, c = a->stem;
    fputs("EFM3", file), put(3, 4);
    put(1, 1), put(a->n_stages, 1), put(a->stem_kernel, 1), put(a->stem_stride, 1);
    put(c, 2), put(a->block, 2), put(a->final, 2), put(a->dim, 2), put(a->gdc_kernel, 1 + 3);
    for (int i = 0; i < 8; blocks += a->stages[i++][1])
        put(a->stages[i][0], 1), put(a->stages[i][1], 1), put(a->stages[i][2], 1), put(0, 1 + 4);
    put(0, 4);  // json_len at byte 88, known once the mirror is written at byte 92
    fprintf(file, "{\"name\":%s,\"width_mult\":%s,\"stem_channels\":%u,\"block_channels\":%u,"
            "\"final_channels\":%u,\"embedding_dim\":%u,\"gdc_kernel\":%u,\"stages\":[",
            a->name, a->width_mult, c, a->block, a->final, a->dim, a->gdc_kernel);
    for (uint32_t i = 0; i < a->n_stages; i++)
        fprintf(file, "%s{\"t\":%u,\"n\":%u,\"s\":%u}", i ? "," : "", a->stages[i][0],
                a->stages[i][1], a->stages[i][2]);
    fputs("]}", file);
    long end = ftell(file);
    fseek(file, 88, SEEK_SET), put((uint32_t)(end - 92), 4), fseek(file, end, SEEK_SET);
    put(28 + 17 * blocks, 4);  // n_tensors
    layer("", "stem", c, 3, a->stem_kernel, 1);
    layer("", "dw_stem", c, 1, 3, 1);
    for (uint32_t i = 0; i < a->n_stages; i++)
        for (uint32_t j = 0; j < a->stages[i][1]; j++) {
            uint32_t wide = c * a->stages[i][0], out = i == 0 ? a->stem : a->block;
            char block[32];
            snprintf(block, sizeof block, "stage%u.block%u.", i + 1, j);
            layer(block, "expand", wide, c, 1, 1);
            layer(block, "dw", wide, 1, 3, 1);
            layer(block, "project", out, wide, 1, 0);
            c = out;
        }
    layer("", "final_conv", a->final, c, 1, 1);
    layer("", "gdconv", a->final, 1, a->gdc_kernel, 0);
    layer("", "embed_proj", a->dim, a->final, 1, 0);
}

// The command: what it refuses, arch.json, and the .npy files.

#include <dirent.h>
#include <math.h>
#include <stdlib.h>

static const char *folder;
static uint32_t n_written;

// Exit code 1 means refused, and nothing else may.
static void need(int ok, const char *what, const char *why) {
    if (ok) return;
    fprintf(stderr, "%s %s\n", what, why);
    exit(1);
}

static void *memory(size_t n) {
    void *p = calloc(n, 1);
    if (p) return p;
    fprintf(stderr, "out of memory\n");
    exit(70);
}

static void check(const Arch *a) {
    uint32_t blocks = 0, side = (112 - 1) / a->stem_stride + 1, c = a->stem;
    need(a->stem_kernel % 2 == 1, "stem_kernel", "is even");
    for (uint32_t i = 0; i < a->n_stages; i++) {
        uint32_t out = i == 0 ? a->stem : a->block, t = a->stages[i][0];
        need(c * t <= 65535, "a stage", "expands to more than 65535 channels");
        need(a->stages[i][1] == 1 || out * t <= 65535, "a stage", "expands too far");
        blocks += a->stages[i][1];
        side = (side - 1) / a->stages[i][2] + 1;
        c = out;
    }
    need(blocks <= 256, "there are", "more than 256 blocks");
    need(a->gdc_kernel == side, "gdc_kernel", "is not the last map's side");
}

// A whole file with a zero after it; NULL where there is none.
static char *slurp(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    size_t room = 1 << 16;
    char *data = memory(room);
    for (*size = 0; (*size += fread(data + *size, 1, room - 1 - *size, f)) == room - 1;) {
        data = realloc(data, room *= 2);
        if (!data) exit(70);
    }
    fclose(f);
    data[*size] = 0;
    return data;
}

// Where the value of a key of the outermost object starts.
static const char *value_of(const char *json, const char *key) {
    size_t length = strlen(key);
    int depth = 0;
    for (const char *p = json; *p; p++) {
        depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
        if (*p != '"') continue;
        const char *start = ++p;
        while (*p && *p != '"') p += *p == '\\' && p[1] ? 2 : 1;
        if (!*p) break;
        const char *after = p + 1 + strspn(p + 1, " \t\r\n");
        int same = (size_t)(p - start) == length && memcmp(start, key, length) == 0;
        if (depth == 1 && same && *after == ':') return after + 1 + strspn(after + 1, " \t\r\n");
    }
    need(0, key, "is missing");
    return NULL;
}

// Where the token at `p` ends; it must be followed by white space, a comma or a bracket.
static const char *token_end(const char *p, const char *of) {
    const char *end = p + strspn(p, of);
    return end > p && *end && strchr(" \t\r\n,]}", *end) ? end : NULL;
}

static uint32_t integer(const char *json, const char *key, uint32_t most) {
    const char *p = value_of(json, key), *end = token_end(p, "0123456789");
    need(end && (*p != '0' || end == p + 1), key, "is no whole number above zero");
    unsigned long v = end - p < 10 ? strtoul(p, NULL, 10) : 0;
    need(v >= 1 && v <= most, key, "is out of range");
    return (uint32_t)v;
}

// Makes the digits before the exponent one greater.
static void next_above(char *text) {
    for (char *d = strchr(text, 'e') - 1; d >= text; d--) {
        if (*d == '.') continue;
        *d = *d == '9' ? '0' : *d + 1;
        if (*d != '0') return;
    }
}

// A number above zero in its canonical spelling.
static char *width_of(const char *p) {
    const char *end = token_end(p, "0123456789+-.eE");
    need(end != NULL, "width_mult", "is no number");
    char *stop, *text = memory(64), digits[32];
    double v = strtod(p, &stop);
    need(stop == end && v > 0 && isfinite(v), "width_mult", "is not above zero");
    for (int n = 0; n < 18; n++) {  // the fewest digits that read back as v
        snprintf(text, 64, "%.*e", n, v);
        if (strtod(text, NULL) == v) break;
        // Above a power of two doubles lie wider: there the next above may read back alone.
        next_above(text);
        if (strtod(text, NULL) == v) break;
    }
    int exponent = atoi(strchr(text, 'e') + 1), n = 0;
    if (exponent < -4 || exponent >= 16) return text;
    for (char *d = text; *d != 'e'; d++) if (*d != '.') digits[n++] = *d;
    while (n < exponent + 2) digits[n++] = '0';
    int whole = exponent < 0 ? 0 : exponent + 1;
    snprintf(text, 64, "%s%.*s.%.*s%.*s", whole ? "" : "0", whole, digits,
             whole ? 0 : -exponent - 1, "000", n - whole, digits + whole);
    return text;
}

// The next UTF-16 unit of a JSON string, and at *low the second of a pair that is no escape.
static uint32_t unit(const char **p, uint32_t *low) {
    const uint8_t *s = (const uint8_t *)*p;
    uint32_t c = *s, more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
    need(c >= 0x20 && (c < 0x80 || more), "the name", "is no JSON string");
    *low = 0;
    *p += 1 + more;
    if (c == '\\') {
        const char *from = "\"\\/bfnrt", *to = "\"\\/\b\f\n\r\t", *at = strchr(from, s[1]);
        *p += 1;
        if (s[1] && at) return (uint8_t)to[at - from];
        need(s[1] == 'u' && strspn(*p, "0123456789abcdefABCDEF") >= 4, "the name", "is no JSON");
        char hex[5] = {0};
        memcpy(hex, *p, 4);
        *p += 4;
        return (uint32_t)strtoul(hex, NULL, 16);
    }
    if (more) c &= 0x3Fu >> more;
    for (uint32_t i = 1; i <= more; i++) {
        need((s[i] & 0xC0) == 0x80, "the name", "is not UTF-8");
        c = c << 6 | (s[i] & 0x3F);
    }
    if (c < 0x10000) return c;
    *low = 0xDC00 + (c & 0x3FF);
    return 0xD7C0 + (c >> 10);
}

// A JSON string in its canonical spelling: ASCII, the shortest escapes, lower-case hex digits.
static char *name_of(const char *p) {
    need(*p++ == '"', "name", "is no string");
    char *text = memory(6 * strlen(p) + 3), *o = text;
    uint32_t u, low = 0, high = 0;
    *o++ = '"';
    while (low || *p != '"') {
        if (low) u = low, low = 0;
        else u = unit(&p, &low);
        need((u >= 0xDC00 && u < 0xE000) == (high != 0), "the name", "holds half a character");
        need(u != 0, "the name", "holds a NUL");
        high = u >= 0xD800 && u < 0xDC00;
        const char *at = strchr("\"\\\b\f\n\r\t", (int)(u < 0x80 ? u : 1));
        if (at) o += sprintf(o, "\\%c", "\"\\bfnrt"[at - strchr("\"\\\b\f\n\r\t", '"')]);
        else o += u >= 0x20 && u < 0x7F ? sprintf(o, "%c", (int)u) : sprintf(o, "\\u%04x", u);
    }
    need(!high, "the name", "holds half a character");
    *o = '"';
    return text;
}

static Arch read_arch(const char *path) {
    size_t size;
    char *json = slurp(path, &size);
    need(json && strlen(json) == size, path, "is no JSON");
    Arch a = {.name = name_of(value_of(json, "name")),
              .width_mult = width_of(value_of(json, "width_mult")),
              .stem_kernel = integer(json, "stem_kernel", 15),
              .stem_stride = integer(json, "stem_stride", 4),
              .stem = integer(json, "stem_channels", 65535),
              .block = integer(json, "block_channels", 65535),
              .final = integer(json, "final_channels", 65535),
              .dim = integer(json, "embedding_dim", 65535),
              .gdc_kernel = integer(json, "gdc_kernel", 112)};
    char *p = strchr(value_of(json, "stages"), '[');
    need(p == value_of(json, "stages"), "stages", "is no array");
    do {
        p += 1 + strspn(p + 1, " \t\r\n");
        char *end = strchr(p, '}');
        need(*p == '{' && end && a.n_stages < 8, "stages", "are not 1..8 objects");
        char *stage = memory((size_t)(end - p) + 2);
        memcpy(stage, p, (size_t)(end - p) + 1);
        int quotes = 0;
        for (char *q = stage; *q; q++) quotes += *q == '"';
        need(quotes == 6, "a stage", "has not the keys t, n and s");
        a.stages[a.n_stages][0] = integer(stage, "t", 255);
        a.stages[a.n_stages][1] = integer(stage, "n", 255);
        a.stages[a.n_stages++][2] = integer(stage, "s", 4);
        free(stage);
        p = end + 1 + strspn(end + 1, " \t\r\n");
    } while (*p == ',');
    need(*p == ']', "stages", "is no array");
    free(json);
    return a;
}

// The values of FOLDER/NAME.npy, held until the next call.
static const float *values(const char *name, uint32_t out, uint32_t per_group, uint32_t kernel) {
    static char *npy;
    static float *v;
    size_t size = 0, room = strlen(folder) + strlen(name) + sizeof "/.npy";
    char *path = memory(room), shape[64];
    snprintf(path, room, "%s/%s.npy", folder, name);
    free(npy);
    free(v);
    npy = slurp(path, &size);
    free(path);
    need(npy != NULL, name, "is missing");
    need(size >= 10 && memcmp(npy, "\x93NUMPY\1\0", 8) == 0, name, "is not NPY format 1.0");
    size_t head = 10 + (uint8_t)npy[8] + 256u * (uint8_t)npy[9];
    need(head > 10 && head <= size && npy[head - 1] == '\n', name, "is cut");
    npy[head - 1] = 0;
    uint64_t count = per_group ? (uint64_t)out * per_group * kernel * kernel : out;
    snprintf(shape, sizeof shape, per_group ? "(%u, %u, %u, %u)" : "(%u,)", out, per_group, kernel,
             kernel);
    need(strstr(npy + 10, "'descr': '<f4'") != NULL, name, "is not float32 little-endian");
    need(strstr(npy + 10, "'fortran_order': False") != NULL, name, "is not in C order");
    need(strstr(npy + 10, shape) != NULL, name, "has another shape");
    need(size - head == 4 * count, name, "has not as many bytes as its shape says");
    v = memory(4 * count);
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *b = (const uint8_t *)npy + head + 4 * i;
        uint32_t bits = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&v[i], &bits, 4);
        need(isfinite(v[i]), name, "holds NaN or infinity");
    }
    n_written++;
    return v;
}

// How many files of the folder are called NAME.npy.
static uint32_t count_npy(void) {
    uint32_t n = 0;
    DIR *dir = opendir(folder);
    need(dir != NULL, folder, "is no folder");
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        size_t len = strlen(e->d_name);
        n += len > 4 && strcmp(e->d_name + len - 4, ".npy") == 0;
    }
    closedir(dir);
    return n;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: exporter ARCH.json TENSORS_FOLDER OUT.bin\n");
        return 70;
    }
    Arch arch = read_arch(argv[1]);
    check(&arch);
    folder = argv[2];
    file = tmpfile();  // what is refused halfway leaves nothing behind
    if (!file) return 70;
    export_efm3(&arch);
    need(n_written == count_npy(), folder, "holds a tensor that is not in the layout");
    uint32_t json_len = 0;
    fseek(file, 88, SEEK_SET);
    for (int shift = 0; shift < 32; shift += 8) json_len |= (uint32_t)fgetc(file) << shift;
    need(json_len <= 1 << 20, "the mirror", "is over 1 MiB");
    rewind(file);
    FILE *out = fopen(argv[3], "wb");
    for (int c; out && (c = fgetc(file)) != EOF;) fputc(c, out);
    return out && !ferror(file) && fclose(out) == 0 ? 0 : 70;
}
