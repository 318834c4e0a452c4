// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// What stands in a file, and figures of its weights: the module's own exports beside facex_mfn.h. Any
// bytes are taken; what a broken file does not reach is left out. Figures are those of
// `efm3 inspect --json`, bit for bit: float64, sums in numpy's order.
#include "../../src/platform.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/loader.h"

#ifndef EXPORT  // scan_hostile.c of tests/web, which compiles this for a machine, has its own
// index.js reads and writes these at fixed places.
#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)
AT(MfnError, offset, 8);
AT(MfnError, text, 16);
AT(MfnOptions, as_given, 8);
AT(MfnOptions, precision, 12);
AT(MfnInfo, stage_t, 32);
AT(MfnInfo, n_layers, 128);
AT(MfnInfo, isa, 136);
AT(MfnInfo, macs, 152);
AT(MfnInfo, precision, 184);
AT(MfnLayerInfo, c_in, 40);
AT(MfnLayerInfo, macs, 88);
AT(MfnLayerInfo, arithmetic, 96);
AT(MfnLayerInfo, weight_bytes, 104);
#define EXPORT(name) __attribute__((export_name(#name))) name
#endif

enum { BINS = 32 };

// Numbers of a file; -1 where it does not reach so far. All fit a double.
typedef struct Head {
    double stated;  // bytes that a file of this header has, -1 where the header states none
    double json_len, n_tensors;
    double end;     // where the walk over the table stopped: the end of the last whole tensor
    double layout;  // tensors of the layout, 0 where the header states none
    double n_layers, n_rows;
} Head;

// An entry of the table as found: offset of its size field, its value, payload bytes present, those that
// the layout wants (0 beyond it). The figures are of the finite values; lo > hi where there is none.
typedef struct Row {
    double offset, size, present, expected;
    double lo, hi, mean, std, nan, inf, zero, subnormal;
    double histogram[BINS];
} Row;

typedef struct Scan {
    MfnImage image;
    MfnError error;
    Head head;
    Row *rows;
} Scan;

static Scan scanned;

// The engine asks the environment for an instruction set; a page has none.
char *mfn_web_getenv(const char *name) { return (void)name, NULL; }

static uint32_t word(const unsigned char *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

// The sum of (v - less)^power in the order in which numpy adds: halves down to 128 values, 8 columns.
static double item(float v, double less, bool square) {
    const double x = v - less;
    return square ? x * x : x;
}

static double total(const float *v, size_t n, double less, bool square) {
    if (n > 128) {
        const size_t half = n / 2 - n / 2 % 8;
        return total(v, half, less, square) + total(v + half, n - half, less, square);
    }
    double r[8], sum = -0.0;
    size_t i = 0;
    if (n >= 8) {
        for (; i < 8; i++) r[i] = item(v[i], less, square);
        for (; i + 8 <= n; i += 8)
            for (size_t j = 0; j < 8; j++) r[j] += item(v[i + j], less, square);
        sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    }
    for (; i < n; i++) sum += item(v[i], less, square);
    return sum;
}

// `finite` has room for every value.
static void figures(Row *row, const unsigned char *data, float *finite) {
    const size_t count = (size_t)row->present / 4;
    size_t n = 0, nan = 0, inf = 0, zero = 0, subnormal = 0;
    float lo = FLT_MAX, hi = -FLT_MAX;
    for (size_t i = 0; i < count; i++) {
        const uint32_t bits = word(data + 4 * i), magnitude = bits & 0x7fffffffu;
        if (magnitude >= 0x7f800000u) {
            if (magnitude == 0x7f800000u) inf++; else nan++;
            continue;
        }
        zero += magnitude == 0;
        subnormal += magnitude - 1 < 0x7fffffu;
        float x;
        memcpy(&x, &bits, sizeof x);
        lo = x < lo ? x : lo, hi = x > hi ? x : hi;
        finite[n++] = x;
    }
    row->nan = (double)nan, row->inf = (double)inf;
    row->zero = (double)zero, row->subnormal = (double)subnormal;
    if (n == 0) return;
    // An extreme of -0 is 0.
    row->lo = lo + 0.0, row->hi = hi + 0.0;
    row->mean = (0.0 + total(finite, n, 0, false)) / (double)n;
    row->std = sqrt((0.0 + total(finite, n, row->mean, true)) / (double)n);
    const double spread = row->hi - row->lo > 0 ? row->hi - row->lo : 1;
    for (size_t i = 0; i < n; i++) {
        const int bin = (int)((finite[i] - row->lo) / spread * BINS);
        row->histogram[bin < BINS ? bin : BINS - 1]++;
    }
}

// The layers that a header's numbers state, whatever stands in its fields without a meaning: like
// efm3.scan, which reports these apart. False where the numbers are out of limits.
static bool laid_out(const unsigned char *data, MfnImage *image) {
    unsigned char prefix[MFN_FMT_PREFIX_SIZE];
    MfnError e;
    memcpy(prefix, data, sizeof prefix);
    memcpy(prefix, MFN_FMT_MAGIC, 4);
    memset(prefix + 4, 0, 4), memset(prefix + MFN_FMT_OFF_PAD, 0, 3);
    prefix[4] = MFN_FMT_VERSION, prefix[MFN_FMT_OFF_HDR_VERSION] = MFN_FMT_HDR_VERSION;
    memset(prefix + MFN_FMT_JSON_LEN_OFFSET, 0, 4);
    for (unsigned i = 0; i < MFN_FMT_STAGE_SLOTS; i++) {
        unsigned char *stage = prefix + MFN_FMT_STAGE_OFFSET + i * MFN_FMT_STAGE_SIZE;
        const bool used = i < prefix[MFN_FMT_OFF_N_STAGES];
        memset(stage + (used ? 3 : 0), 0, MFN_FMT_STAGE_SIZE - (used ? 3 : 0));
    }
    e.status = MFN_OK;
    // No file has 0 bytes: the length is what is compared last.
    return mfn_image_expect(prefix, sizeof prefix, 0, image, &e) == MFN_E_TRUNCATED;
}

static uint64_t tensor_bytes(const MfnImage *image, size_t number) {
    for (int i = 0; i < image->n_layers; i++) {
        const MfnLayer *l = &image->layers[i];
        if (number < mfn_layer_tensors(l)) return 4 * (number ? l->c_out : mfn_layer_weights(l));
        number -= mfn_layer_tensors(l);
    }
    return 0;
}

// Entries as far as they are there; `rows` NULL counts them. At most twice the layout's, or what any
// layout has, as efm3.scan walks.
static size_t walk(Scan *s, const unsigned char *data, size_t size, size_t at, Row *rows) {
    const size_t layout = (size_t)s->head.layout;
    size_t most = layout ? 2 * layout : MFN_FMT_MAX_BLOCKS * 17 + 28, n = 0;
    if (s->head.n_tensors < (double)most) most = (size_t)s->head.n_tensors;
    s->head.end = (double)at;
    for (; n < most && size - at >= 4; n++) {
        const uint32_t stated = word(data + at);
        const size_t rest = size - at - 4, present = stated < rest ? stated : rest;
        if (rows)
            rows[n] = (Row){.offset = (double)at, .size = stated, .present = (double)present,
                            .expected = (double)tensor_bytes(&s->image, n), .lo = 1};
        at += 4 + present;
        if (present < stated) return n + 1;
        s->head.end = (double)at;
    }
    return n;
}

static void sum_up(Scan *s) {
    s->head.layout = 0, s->head.n_layers = s->image.n_layers;
    for (int i = 0; i < s->image.n_layers; i++)
        s->head.layout += mfn_layer_tensors(&s->image.layers[i]);
}

static double stated_bytes(const Scan *s, uint32_t json_len) {
    double bytes = MFN_FMT_PREFIX_SIZE + json_len + 4.0 + 4 * s->head.layout;
    for (int i = 0; i < s->image.n_layers; i++) {
        const MfnLayer *l = &s->image.layers[i];
        bytes += 4.0 * (double)(mfn_layer_weights(l) + (mfn_layer_tensors(l) - 1) * l->c_out);
    }
    return bytes;
}

// Scans `size` bytes; with `all` the figures too. MFN_OK or MFN_E_NOMEM. What it found stays until
// the next call.
int EXPORT(mfn_web_scan)(const unsigned char *data, size_t size, int all) {
    Scan *s = &scanned;
    free(s->rows);
    memset(s, 0, sizeof *s);
    s->error.offset = -1;
    mfn_image_verify(data, size, &s->image, &s->error);
    s->image.n_layers = 0;
    s->head.stated = s->head.json_len = s->head.n_tensors = -1;
    if (size < MFN_FMT_PREFIX_SIZE) return MFN_OK;
    if (!laid_out(data, &s->image)) s->image.n_layers = 0;
    sum_up(s);
    const uint32_t json_len = word(data + MFN_FMT_JSON_LEN_OFFSET);
    if (s->image.n_layers && json_len <= MFN_FMT_MAX_JSON_LEN) s->head.stated = stated_bytes(s, json_len);
    if (json_len > MFN_FMT_MAX_JSON_LEN || json_len > size - MFN_FMT_PREFIX_SIZE) return MFN_OK;
    const size_t at = MFN_FMT_PREFIX_SIZE + json_len;
    s->head.json_len = json_len, s->head.end = (double)at;
    if (size - at < 4) return MFN_OK;
    s->head.n_tensors = word(data + at);
    const size_t n = walk(s, data, size, at + 4, NULL);
    if (!n) return MFN_OK;
    s->rows = malloc(n * sizeof *s->rows);
    if (!s->rows) return MFN_E_NOMEM;
    s->head.n_rows = (double)walk(s, data, size, at + 4, s->rows);
    size_t most = 0;
    for (size_t i = 0; i < n; i++)
        if (s->rows[i].present > (double)most) most = (size_t)s->rows[i].present;
    if (!all || most < 4) return MFN_OK;
    float *finite = malloc(most);
    if (!finite) return MFN_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        figures(&s->rows[i], data + (size_t)s->rows[i].offset + 4, finite);
    free(finite);
    return MFN_OK;
}

const Head *EXPORT(mfn_web_head)(void) { return &scanned.head; }
const MfnError *EXPORT(mfn_web_error)(void) { return &scanned.error; }
const Row *EXPORT(mfn_web_rows)(void) { return scanned.rows; }

// A layer that the scanned header states; `index` below head's n_layers.
void EXPORT(mfn_web_layer)(int index, MfnLayerInfo *out) {
    memset(out, 0, sizeof *out);
    if (index < 0 || index >= scanned.image.n_layers) return;
    const MfnLayer *l = &scanned.image.layers[index];
    mfn_layer_name(l, out->name, sizeof out->name);
    out->c_in = (int)l->c_in, out->c_out = (int)l->c_out, out->kernel = (int)l->kernel;
    out->stride = (int)l->stride, out->pad = (int)l->pad, out->groups = (int)l->groups;
    out->h_in = out->w_in = (int)l->side_in, out->h_out = out->w_out = (int)l->side_out;
    out->has_act = l->act, out->has_residual = l->residual;
    out->macs = mfn_layer_macs(l);
}

// Of a layer's tensors by number, such as "conv.w".
const char *EXPORT(mfn_web_suffix)(int index) {
    return mfn_tensor_suffix(index < 0 ? 6 : (uint32_t)index);
}
