// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
// An EFM3 engine to start from: C11, float32 between layers, sums in double.
//
//     cc -O2 -std=c11 -o engine engine.c -lm
//     ./engine MODEL INPUT OUTPUT [LAYERS]     exit code 1 where MODEL is refused
//
// INPUT is float32 [3, 112, 112], OUTPUT the embedding; the folder LAYERS gets NAME.f32 a layer.
// Put your own engine in the place of `load` and `forward`.

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 112, MAX_LAYERS = 5 + 3 * 256 };

// A convolution, its BatchNorm and, where `act`, its PReLU. `adds`: the block's input is added.
typedef struct {
    char name[32];
    uint32_t cin, cout, kernel, stride, pad;
    int depthwise, act, adds, block_start;
    const uint8_t *w, *gamma, *beta, *mean, *var, *slope;  // float32 little-endian, in the file
} Layer;

static Layer layers[MAX_LAYERS];
static uint32_t n_layers;
static uint32_t embedding_dim;

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

static void broken(const char *what, const char *where) {
    fprintf(stderr, "%s %s\n", what, where);
    exit(70);
}

static void *memory(size_t count, size_t each) {
    void *p = calloc(count ? count : 1, each);
    if (!p) broken("out of", "memory");
    return p;
}

static uint32_t u16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }
static uint32_t u32(const uint8_t *p) { return u16(p) | u16(p + 2) << 16; }

static float f32(const uint8_t *values, size_t i) {
    uint32_t bits = u32(values + 4 * i);
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static Layer *layer(const char *block, const char *what, uint32_t cin, uint32_t cout, int act) {
    Layer *l = &layers[n_layers++];
    snprintf(l->name, sizeof l->name, "%s%s", block, what);
    l->cin = cin, l->cout = cout, l->kernel = l->stride = 1, l->act = act;
    return l;
}

static void window(Layer *l, uint32_t kernel, uint32_t stride, uint32_t pad, int depthwise) {
    l->kernel = kernel, l->stride = stride, l->pad = pad, l->depthwise = depthwise;
}

// The 80 bytes of the arch header at `h`, as layers in order of execution.
static void read_arch(const uint8_t *h) {
    uint32_t n_stages = h[1], stem_kernel = h[2], stem_stride = h[3], gdc_kernel = h[12];
    uint32_t stem = u16(h + 4), other = u16(h + 6), final = u16(h + 8), dim = u16(h + 10);
    need(h[0] == 1, "H001: hdr_version is not 1");
    need(h[13] == 0 && h[14] == 0 && h[15] == 0, "H002: a pad byte is not zero");
    need(n_stages >= 1 && n_stages <= 8, "H003: n_stages is not 1..8");
    need(stem_kernel % 2 == 1 && stem_kernel <= 15, "H004: stem_kernel is not odd, 1..15");
    need(stem_stride >= 1 && stem_stride <= 4, "H005: stem_stride is not 1..4");
    need(stem >= 1, "H006: stem_channels is 0");
    need(other >= 1, "H007: block_channels is 0");
    need(final >= 1, "H008: final_channels is 0");
    need(dim >= 1, "H009: embedding_dim is 0");
    uint32_t blocks = 0;
    uint32_t side = (SIDE + 2 * (stem_kernel / 2) - stem_kernel) / stem_stride + 1;
    for (uint32_t i = 0; i < 8; i++) {
        const uint8_t *r = h + 16 + 8 * i;
        if (i >= n_stages) {
            need(u32(r) == 0 && u32(r + 4) == 0, "H018: an unused stage record is not zero");
            continue;
        }
        need(r[0] >= 1, "H011: stage %u has t = 0", i + 1);
        need(r[1] >= 1, "H012: stage %u has n = 0", i + 1);
        need(r[2] >= 1 && r[2] <= 4, "H013: stage %u has a stride outside 1..4", i + 1);
        need(r[3] == 0 && u32(r + 4) == 0, "H017: stage %u has a pad that is not zero", i + 1);
        side = (side - 1) / r[2] + 1;
        blocks += r[1];
    }
    need(blocks <= 256, "H014: more than 256 blocks");
    need(gdc_kernel == side, "H016: gdc_kernel is not %u, the last map's side", side);

    uint32_t c = stem;
    window(layer("", "stem", 3, c, 1), stem_kernel, stem_stride, stem_kernel / 2, 0);
    window(layer("", "dw_stem", c, c, 1), 3, 1, 1, 1);
    for (uint32_t i = 0; i < n_stages; i++) {
        uint32_t t = h[16 + 8 * i], n = h[17 + 8 * i], s = h[18 + 8 * i];
        uint32_t out = i == 0 ? stem : other;
        for (uint32_t j = 0; j < n; j++) {
            char block[24];
            snprintf(block, sizeof block, "stage%u.block%u.", i + 1, j);
            uint32_t stride = j == 0 ? s : 1, wide = c * t;
            need(wide <= 65535, "H015: stage %u expands to %u channels", i + 1, wide);
            layer(block, "expand", c, wide, 1)->block_start = 1;
            window(layer(block, "dw", wide, wide, 1), 3, stride, 1, 1);
            layer(block, "project", wide, out, 0)->adds = stride == 1 && c == out;
            c = out;
        }
    }
    layer("", "final_conv", c, final, 1);
    window(layer("", "gdconv", final, final, 0), gdc_kernel, 1, 0, 1);
    layer("", "embed_proj", final, dim, 0);
    embedding_dim = dim;
}

// The payload of the next tensor, `count` values; *at moves past it.
static const uint8_t *payload(const uint8_t *data, size_t size, size_t *at, uint64_t count,
                              const Layer *l) {
    need(size - *at >= 4, "T013: the file ends before a size of %s", l->name);
    need(u32(data + *at) == 4 * count, "T002: a tensor of %s has not its shape's size", l->name);
    *at += 4;
    need(4 * count <= size - *at, "T012: the file ends inside %s", l->name);
    const uint8_t *values = data + *at;
    *at += 4 * count;
    return values;
}

// Every length is compared with the bytes that remain before it is used.
static void load(const uint8_t *data, size_t size) {
    need(size >= 92, "C004: the file ends inside its first 92 bytes");
    need(memcmp(data, "EFM3", 4) == 0, "C002: the file does not start with EFM3");
    need(u32(data + 4) == 3, "C003: the version is not 3");
    read_arch(data + 8);
    uint32_t json_len = u32(data + 88), n_tensors = 0;
    need(json_len <= 1 << 20, "C005: json_len is over 1 MiB");
    need(json_len <= size - 92, "C006: the mirror reaches past the end of the file");
    size_t at = 92 + (size_t)json_len;
    need(size - at >= 4, "C007: the file ends before the whole tensor count");
    for (uint32_t i = 0; i < n_layers; i++) n_tensors += layers[i].act ? 6 : 5;
    need(u32(data + at) == n_tensors, "T001: the layout has %u tensors", n_tensors);
    at += 4;
    for (uint32_t i = 0; i < n_layers; i++) {
        Layer *l = &layers[i];
        uint64_t per_filter = (uint64_t)(l->depthwise ? 1 : l->cin) * l->kernel * l->kernel;
        l->w = payload(data, size, &at, l->cout * per_filter, l);
        l->gamma = payload(data, size, &at, l->cout, l);
        l->beta = payload(data, size, &at, l->cout, l);
        l->mean = payload(data, size, &at, l->cout, l);
        l->var = payload(data, size, &at, l->cout, l);
        if (l->act) l->slope = payload(data, size, &at, l->cout, l);
    }
    need(at == size, "T014: bytes follow the last tensor");
}

// Adds w * plane, shifted by one tap of the kernel, to `sum`; outside the plane is zero.
static void tap(double *sum, int side, const float *plane, int in_side, double w, int stride,
                int dy, int dx) {
    for (int y = 0; y < side; y++) {
        int iy = y * stride + dy;
        if (iy < 0 || iy >= in_side) continue;
        const float *row = plane + (size_t)iy * (size_t)in_side;
        double *to = sum + (size_t)y * (size_t)side;
        int x = dx < 0 ? (-dx + stride - 1) / stride : 0;
        for (; x < side && x * stride + dx < in_side; x++) to[x] += w * row[x * stride + dx];
    }
}

// Convolution with BatchNorm folded in, PReLU, residual: x [cin, in, in] to y [cout, side, side].
static void apply(const Layer *l, const float *x, int in_side, const float *residual, float *y,
                  int side, double *sum) {
    size_t in_area = (size_t)in_side * (size_t)in_side, area = (size_t)side * (size_t)side;
    uint32_t per_group = l->depthwise ? 1 : l->cin, k = l->kernel;
    for (uint32_t o = 0; o < l->cout; o++) {
        double scale = f32(l->gamma, o) / sqrt(f32(l->var, o) + 1e-5);
        double bias = f32(l->beta, o) - f32(l->mean, o) * scale;
        for (size_t p = 0; p < area; p++) sum[p] = bias;
        for (uint32_t c = 0; c < per_group; c++) {
            const float *plane = x + (l->depthwise ? o : c) * in_area;
            const uint8_t *filter = l->w + 4 * ((size_t)o * per_group + c) * k * k;
            if (k == 1 && l->stride == 1) {
                double w = f32(filter, 0) * scale;
                for (size_t p = 0; p < area; p++) sum[p] += w * plane[p];
                continue;
            }
            for (uint32_t i = 0; i < k * k; i++)
                tap(sum, side, plane, in_side, f32(filter, i) * scale, (int)l->stride,
                    (int)(i / k) - (int)l->pad, (int)(i % k) - (int)l->pad);
        }
        double slope = l->act ? f32(l->slope, o) : 1;
        for (size_t p = 0; p < area; p++) {
            double v = sum[p] > 0 ? sum[p] : slope * sum[p];
            if (l->adds) v += residual[o * area + p];
            y[o * area + p] = (float)v;
        }
    }
}

static void save(const char *path, const float *values, size_t count) {
    FILE *f = fopen(path, "wb");
    if (!f) broken("cannot write", path);
    for (size_t i = 0; i < count; i++) {
        uint32_t v;
        memcpy(&v, &values[i], 4);
        for (int k = 0; k < 4; k++, v >>= 8) fputc((int)(v & 255), f);
    }
    if (fclose(f) != 0) broken("cannot write", path);
}

// Runs the layers on x (which it frees) and gives the embedding, of length 1.
static float *forward(float *x, const char *folder) {
    int side = SIDE;
    float *block = NULL;  // the input of the block, where it will be added
    double *sum = memory((size_t)SIDE * SIDE, sizeof *sum);
    for (uint32_t i = 0; i < n_layers; i++) {
        const Layer *l = &layers[i];
        int out_side = (side + 2 * (int)l->pad - (int)l->kernel) / (int)l->stride + 1;
        size_t count = l->cout * (size_t)out_side * (size_t)out_side;
        float *y = memory(count, sizeof *y);
        apply(l, x, side, block, y, out_side, sum);
        if (l->block_start) {
            free(block);
            block = x;
        } else {
            free(x);
        }
        if (folder) {
            size_t room = strlen(folder) + sizeof l->name + sizeof "/.f32";
            char *path = memory(room, 1);
            snprintf(path, room, "%s/%s.f32", folder, l->name);
            save(path, y, count);
            free(path);
        }
        x = y, side = out_side;
    }
    free(block);
    free(sum);
    double norm = 0;
    for (uint32_t i = 0; i < embedding_dim; i++) norm += (double)x[i] * x[i];
    norm = sqrt(norm);
    if (norm < 1e-12) norm = 1e-12;  // NaN stays NaN
    for (uint32_t i = 0; i < embedding_dim; i++) x[i] = (float)(x[i] / norm);
    return x;
}

static uint8_t *slurp(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) broken("cannot read", path);
    size_t room = 1 << 16;
    uint8_t *data = malloc(room);
    for (*size = 0; data && (*size += fread(data + *size, 1, room - *size, f)) == room;)
        data = realloc(data, room *= 2);
    if (!data || ferror(f)) broken("cannot read", path);
    fclose(f);
    return data;
}

int main(int argc, char **argv) {
    if (argc < 4) broken("usage: engine MODEL INPUT OUTPUT", "[LAYERS]");
    size_t size, input_size;
    uint8_t *model = slurp(argv[1], &size), *input = slurp(argv[2], &input_size);
    load(model, size);
    size_t count = 3 * SIDE * SIDE;
    if (input_size != 4 * count) broken("not 3 x 112 x 112 float32:", argv[2]);
    float *x = memory(count, sizeof *x);
    for (size_t i = 0; i < count; i++) x[i] = f32(input, i);
    save(argv[3], forward(x, argc > 4 ? argv[4] : NULL), embedding_dim);
    return 0;
}
