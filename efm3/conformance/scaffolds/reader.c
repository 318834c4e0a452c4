// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
// An EFM3 reader to start from: C11, level `structure`; it does not parse the JSON mirror.
//
//     cc -O2 -std=c11 -o reader reader.c
//     ./reader FILE     prints the document; exit code 1 where FILE is refused
//     ./reader          the same for standard input
//
// Put your own reader in the place of `read_file` and `read_arch`.

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = 28 + 17 * 256 };

typedef struct {
    char name[40];
    int rank;            // 4 for a convolution's weights [out, in/groups, k, k], else 1
    uint32_t shape[4];
    size_t offset;       // of the first value
    uint64_t size;       // bytes
} Tensor;

typedef struct {
    uint32_t hdr_version, n_stages, stem_kernel, stem_stride, stem_channels, block_channels;
    uint32_t final_channels, embedding_dim, gdc_kernel;
    struct { uint32_t t, n, s; } stages[8];
} Arch;

static Tensor tensors[MAX_TENSORS];
static uint32_t n_layout;

// Exit code 1 means refused, and nothing else may.
static void need(int ok, const char *reason, ...) {
    if (ok) return;
    va_list args;
    va_start(args, reason);
    vfprintf(stderr, reason, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static uint32_t u16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }
static uint32_t u32(const uint8_t *p) { return u16(p) | u16(p + 2) << 16; }

static void tensor(const char *layer, const char *part, int rank, uint32_t out,
                   uint32_t per_group, uint32_t kernel) {
    Tensor *t = &tensors[n_layout++];
    snprintf(t->name, sizeof t->name, "%s.%s", layer, part);
    t->rank = rank;
    t->shape[0] = out;
    t->shape[1] = per_group;
    t->shape[2] = t->shape[3] = kernel;
    t->size = 4 * (uint64_t)out * per_group * kernel * kernel;
}

static void layer(const char *block, const char *what, uint32_t out, uint32_t per_group,
                  uint32_t kernel, int act) {
    char name[32];
    snprintf(name, sizeof name, "%s%s", block, what);
    tensor(name, "conv.w", 4, out, per_group, kernel);
    tensor(name, "bn.w", 1, out, 1, 1);
    tensor(name, "bn.b", 1, out, 1, 1);
    tensor(name, "bn.mean", 1, out, 1, 1);
    tensor(name, "bn.var", 1, out, 1, 1);
    if (act) tensor(name, "act.w", 1, out, 1, 1);
}

// The 80 bytes of the arch header at `h`, and the layout that follows from them.
static Arch read_arch(const uint8_t *h) {
    Arch a = {.hdr_version = h[0], .n_stages = h[1], .stem_kernel = h[2], .stem_stride = h[3],
              .stem_channels = u16(h + 4), .block_channels = u16(h + 6),
              .final_channels = u16(h + 8), .embedding_dim = u16(h + 10), .gdc_kernel = h[12]};
    need(a.hdr_version == 1, "H001: hdr_version is not 1");
    need(h[13] == 0 && h[14] == 0 && h[15] == 0, "H002: a pad byte is not zero");
    need(a.n_stages >= 1 && a.n_stages <= 8, "H003: n_stages is not 1..8");
    need(a.stem_kernel % 2 == 1 && a.stem_kernel <= 15, "H004: stem_kernel is not odd, 1..15");
    need(a.stem_stride >= 1 && a.stem_stride <= 4, "H005: stem_stride is not 1..4");
    need(a.stem_channels >= 1, "H006: stem_channels is 0");
    need(a.block_channels >= 1, "H007: block_channels is 0");
    need(a.final_channels >= 1, "H008: final_channels is 0");
    need(a.embedding_dim >= 1, "H009: embedding_dim is 0");
    uint32_t blocks = 0;
    uint32_t side = (112 + 2 * (a.stem_kernel / 2) - a.stem_kernel) / a.stem_stride + 1;
    for (uint32_t i = 0; i < 8; i++) {
        const uint8_t *r = h + 16 + 8 * i;
        if (i >= a.n_stages) {
            need(u32(r) == 0 && u32(r + 4) == 0, "H018: an unused stage record is not zero");
            continue;
        }
        a.stages[i].t = r[0], a.stages[i].n = r[1], a.stages[i].s = r[2];
        need(r[0] >= 1, "H011: stage %u has t = 0", i + 1);
        need(r[1] >= 1, "H012: stage %u has n = 0", i + 1);
        need(r[2] >= 1 && r[2] <= 4, "H013: stage %u has a stride outside 1..4", i + 1);
        need(r[3] == 0 && u32(r + 4) == 0, "H017: stage %u has a pad that is not zero", i + 1);
        side = (side - 1) / r[2] + 1;
        blocks += r[1];
    }
    need(blocks <= 256, "H014: more than 256 blocks");
    need(a.gdc_kernel == side, "H016: gdc_kernel is not %u, the last map's side", side);

    uint32_t c = a.stem_channels;
    layer("", "stem", c, 3, a.stem_kernel, 1);
    layer("", "dw_stem", c, 1, 3, 1);
    for (uint32_t i = 0; i < a.n_stages; i++) {
        uint32_t out = i == 0 ? a.stem_channels : a.block_channels;
        for (uint32_t j = 0; j < a.stages[i].n; j++) {
            char block[24];
            snprintf(block, sizeof block, "stage%u.block%u.", i + 1, j);
            uint32_t wide = c * a.stages[i].t;
            need(wide <= 65535, "H015: stage %u expands to %u channels", i + 1, wide);
            layer(block, "expand", wide, c, 1, 1);
            layer(block, "dw", wide, 1, 3, 1);
            layer(block, "project", out, wide, 1, 0);
            c = out;
        }
    }
    layer("", "final_conv", a.final_channels, c, 1, 1);
    layer("", "gdconv", a.final_channels, 1, a.gdc_kernel, 0);
    layer("", "embed_proj", a.embedding_dim, a.final_channels, 1, 0);
    return a;
}

// Every length is compared with the bytes that remain before it is used.
static Arch read_file(const uint8_t *data, size_t size, uint32_t *json_len) {
    need(size >= 92, "C004: the file ends inside its first 92 bytes");
    need(memcmp(data, "EFM3", 4) == 0, "C002: the file does not start with EFM3");
    need(u32(data + 4) == 3, "C003: the version is not 3");
    Arch arch = read_arch(data + 8);
    *json_len = u32(data + 88);
    need(*json_len <= 1 << 20, "C005: json_len is over 1 MiB");
    need(*json_len <= size - 92, "C006: the mirror reaches past the end of the file");
    size_t at = 92 + (size_t)*json_len;
    need(size - at >= 4, "C007: the file ends before the whole tensor count");
    need(u32(data + at) == n_layout, "T001: the layout has %u tensors", n_layout);
    at += 4;
    for (uint32_t i = 0; i < n_layout; i++) {
        Tensor *t = &tensors[i];
        need(size - at >= 4, "T013: the file ends before the size of %s", t->name);
        need(u32(data + at) == t->size, "T002: %s has not its shape's size", t->name);
        at += 4;
        need(t->size <= size - at, "T012: the file ends inside %s", t->name);
        t->offset = at;
        at += t->size;
    }
    need(at == size, "T014: bytes follow the last tensor");
    return arch;
}

static uint32_t crc32(const uint8_t *p, size_t n) {
    static uint32_t table[256];
    if (!table[1]) {
        for (uint32_t i = 0; i < 256; i++) {
            table[i] = i;
            for (int k = 0; k < 8; k++)
                table[i] = (table[i] & 1 ? 0xEDB88320u : 0) ^ table[i] >> 1;
        }
    }
    uint32_t crc = 0xFFFFFFFFu;
    while (n--) crc = table[(crc ^ *p++) & 255] ^ crc >> 8;
    return ~crc;
}

static void leaf(const char *before, const char *key, const char *type, uint64_t value) {
    printf("%s\"%s\":{\"type\":\"%s\",\"value\":\"%" PRIu64 "\"}", before, key, type, value);
}

static void bits(const char *key, const char *type, uint32_t value) {
    printf(",\"%s\":{\"type\":\"%s\",\"value\":\"%08" PRIx32 "\"}", key, type, value);
}

static void print(const Arch *a, const uint8_t *data, uint32_t json_len) {
    leaf("{", "version", "u32", 3);
    leaf(",\"arch\":{", "hdr_version", "u8", a->hdr_version);
    leaf(",", "n_stages", "u8", a->n_stages);
    leaf(",", "stem_kernel", "u8", a->stem_kernel);
    leaf(",", "stem_stride", "u8", a->stem_stride);
    leaf(",", "stem_channels", "u16", a->stem_channels);
    leaf(",", "block_channels", "u16", a->block_channels);
    leaf(",", "final_channels", "u16", a->final_channels);
    leaf(",", "embedding_dim", "u16", a->embedding_dim);
    leaf(",", "gdc_kernel", "u8", a->gdc_kernel);
    for (uint32_t i = 0; i < a->n_stages; i++) {
        leaf(i == 0 ? ",\"stages\":[{" : ",{", "t", "u8", a->stages[i].t);
        leaf(",", "n", "u8", a->stages[i].n);
        leaf(",", "s", "u8", a->stages[i].s);
        printf("}");
    }
    leaf("]},\"mirror\":{", "offset", "u32", 92);
    leaf(",", "length", "u32", json_len);
    bits("crc32", "crc32", crc32(data + 92, json_len));
    for (uint32_t i = 0; i < n_layout; i++) {
        const Tensor *t = &tensors[i];
        printf("%s{\"name\":{\"type\":\"string\",\"value\":\"%s\"},\"shape\":[",
               i == 0 ? "},\"tensors\":[" : ",", t->name);
        for (int k = 0; k < t->rank; k++)
            printf("%s{\"type\":\"u32\",\"value\":\"%" PRIu32 "\"}", k ? "," : "", t->shape[k]);
        leaf("],", "offset", "u64", t->offset);
        bits("first", "f32", u32(data + t->offset));
        bits("last", "f32", u32(data + t->offset + t->size - 4));
        bits("crc32", "crc32", crc32(data + t->offset, t->size));
        printf("}");
    }
    printf("]}\n");
}

static uint8_t *slurp(FILE *f, size_t *size) {
    size_t room = 1 << 16;
    uint8_t *data = malloc(room);
    for (*size = 0; data && (*size += fread(data + *size, 1, room - *size, f)) == room;)
        data = realloc(data, room *= 2);
    if (!data || ferror(f)) {
        fprintf(stderr, "cannot be read, or too large for this machine\n");
        exit(70);
    }
    return data;
}

int main(int argc, char **argv) {
    const char *level = getenv("EFM3_LEVEL");
    if (level && strcmp(level, "structure") != 0) {
        fprintf(stderr, "this reader knows level structure alone\n");
        return 70;
    }
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : stdin;
    if (!f) {
        perror(argv[1]);
        return 70;
    }
    size_t size;
    uint32_t json_len;
    uint8_t *data = slurp(f, &size);
    Arch arch = read_file(data, size, &json_len);
    print(&arch, data, json_len);
    return fflush(stdout) == 0 ? 0 : 70;
}
