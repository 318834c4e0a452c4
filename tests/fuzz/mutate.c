// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// A mutator that knows the container. It borrows the engine's walk over the network to lay out the
// table: only to make inputs, never to judge them.
#include "mutate.h"

#include <stdbool.h>
#include <string.h>

#include "network.h"

static uint64_t state = 88172645463325252u;

static uint32_t rnd(uint32_t n) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return n ? (uint32_t)((state >> 11) % n) : 0;
}

static void put32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}

static void put16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8); }

static uint32_t get16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }

static uint32_t get32(const uint8_t *p) { return get16(p) | get16(p + 2) << 16; }

static uint32_t edge(void) {
    static const uint32_t edges[] = {0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 127, 128, 255, 256, 257, 1023,
                                     0x7fff, 0x8000, 0xffff, 0x10000, 0xfffff, 0x100000, 0x100001,
                                     0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xfffffffb,
                                     0xfffffffc, 0xfffffffe, 0xffffffff};
    return edges[rnd(sizeof edges / sizeof *edges)];
}

size_t fuzz_bytes(uint8_t *data, size_t size, size_t max) {
    if (size == 0) return max ? (data[0] = (uint8_t)rnd(256), 1) : 0;
    uint32_t at = rnd((uint32_t)size);
    switch (rnd(6)) {
    case 0: data[at] ^= (uint8_t)(1u << rnd(8)); return size;
    case 1: data[at] = (uint8_t)rnd(256); return size;
    case 2: if (at + 4 <= size) put32(data + at, edge()); return size;
    case 3:
        memmove(data + at, data + at + 1, size - at - 1);
        return size - 1;
    case 4:
        if (size >= max) return size;
        memmove(data + at + 1, data + at, size - at);
        data[at] = (uint8_t)rnd(256);
        return size + 1;
    default: return at;
    }
}

// One value of the architecture header, mostly within its limits and small.
static void twist_arch(uint8_t *d) {
    bool small = rnd(8) != 0;
    uint32_t channels = small ? 1 + rnd(12) : edge();
    uint8_t *stage = d + MFN_FMT_STAGE_OFFSET + MFN_FMT_STAGE_SIZE * rnd(MFN_FMT_STAGE_SLOTS);
    switch (rnd(10)) {
    case 0: d[MFN_FMT_OFF_N_STAGES] = (uint8_t)(small ? 1 + rnd(4) : edge()); break;
    case 1: d[MFN_FMT_OFF_STEM_KERNEL] = (uint8_t)(small ? 1 + 2 * rnd(8) : edge()); break;
    case 2: d[MFN_FMT_OFF_STEM_STRIDE] = (uint8_t)(small ? 1 + rnd(4) : edge()); break;
    case 3: put16(d + MFN_FMT_OFF_STEM_CHANNELS, channels); break;
    case 4: put16(d + MFN_FMT_OFF_BLOCK_CHANNELS, channels); break;
    case 5: put16(d + MFN_FMT_OFF_FINAL_CHANNELS, channels); break;
    case 6: put16(d + MFN_FMT_OFF_EMBEDDING_DIM, channels); break;
    case 7: stage[0] = (uint8_t)(small ? 1 + rnd(5) : edge()); break;
    case 8: stage[1] = (uint8_t)(small ? 1 + rnd(3) : edge()); break;
    default: stage[2] = (uint8_t)(small ? 1 + rnd(4) : edge()); break;
    }
}

static uint32_t within(uint32_t v, uint32_t lo, uint32_t hi) {
    return v >= lo && v <= hi ? v : lo + v % (hi - lo + 1);
}

// A legal header from whatever stands there, and its values.
static void mend_header(uint8_t *d, MfnArch *a) {
    memcpy(d, MFN_FMT_MAGIC, 4);
    put32(d + 4, MFN_FMT_VERSION);
    d[MFN_FMT_OFF_HDR_VERSION] = MFN_FMT_HDR_VERSION;
    memset(d + MFN_FMT_OFF_PAD, 0, 3);
    a->n_stages = d[MFN_FMT_OFF_N_STAGES] = (uint8_t)within(d[MFN_FMT_OFF_N_STAGES], 1, 8);
    a->stem_kernel = d[MFN_FMT_OFF_STEM_KERNEL] =
        (uint8_t)within(d[MFN_FMT_OFF_STEM_KERNEL] | 1u, 1, 15) | 1u;
    a->stem_stride = d[MFN_FMT_OFF_STEM_STRIDE] = (uint8_t)within(d[MFN_FMT_OFF_STEM_STRIDE], 1, 4);
    uint32_t *const channels[] = {&a->stem_channels, &a->block_channels, &a->final_channels,
                                  &a->embedding_dim};
    for (int i = 0; i < 4; i++) {
        uint8_t *at = d + MFN_FMT_OFF_STEM_CHANNELS + 2 * i;
        *channels[i] = within(get16(at), 1, 24);
        put16(at, *channels[i]);
    }
    for (uint32_t i = 0; i < MFN_FMT_STAGE_SLOTS; i++) {
        uint8_t *s = d + MFN_FMT_STAGE_OFFSET + MFN_FMT_STAGE_SIZE * i;
        memset(s + 3, 0, 5);
        if (i >= a->n_stages) {
            memset(s, 0, 3);
            continue;
        }
        a->t[i] = s[0] = (uint8_t)within(s[0], 1, 6);
        a->n[i] = s[1] = (uint8_t)within(s[1], 1, 3);
        a->s[i] = s[2] = (uint8_t)within(s[2], 1, 4);
    }
    a->gdc_kernel = d[MFN_FMT_OFF_GDC_KERNEL] = (uint8_t)mfn_network_last_side(a);
}

static uint32_t odd_float(void) {
    static const uint32_t bits[] = {0, 0x80000000, 1, 0x807fffff, 0x7f800000, 0xff800000, 0x7fc00000,
                                    0x7f800001, 0x7f7fffff, 0xff7fffff, 0x3f800000, 0x00800000};
    return bits[rnd(sizeof bits / sizeof *bits)];
}

enum { MOST_MIRROR = 300, MOST_FILE = 1 << 16 };

// The whole file again after a legal header. The payload keeps its bytes as far as they go.
// Gives 0 where the header's network does not fit into `max`; `fields` are the u32s behind it.
static size_t lay_out(uint8_t *d, size_t size, size_t max, size_t *fields, int *n_fields) {
    static uint8_t old[MOST_FILE];
    static MfnLayer layers[MFN_MAX_LAYERS];
    MfnArch a;
    if (size > MOST_FILE || max < MFN_FMT_PREFIX_SIZE + 4) return 0;
    if (size < MFN_FMT_PREFIX_SIZE) memset(d + size, 0, MFN_FMT_PREFIX_SIZE - size);
    memcpy(old, d, size);
    mend_header(d, &a);
    uint32_t json = get32(d + MFN_FMT_JSON_LEN_OFFSET);
    if (json > MOST_MIRROR || MFN_FMT_PREFIX_SIZE + json + 4 > size) json = rnd(70);
    put32(d + MFN_FMT_JSON_LEN_OFFSET, json);
    int n = mfn_network_layers(&a, layers);
    size_t at = MFN_FMT_PREFIX_SIZE + json, head = at;
    if (at + 4 > max) return 0;
    at += 4, *n_fields = 0;
    uint32_t count = 0;
    fields[(*n_fields)++] = head;
    for (int i = 0; i < n; i++)
        for (uint32_t t = 0; t < mfn_layer_tensors(&layers[i]); t++, count++) {
            size_t bytes = 4 * (size_t)(t == 0 ? mfn_layer_weights(&layers[i]) : layers[i].c_out);
            if (bytes + 4 > max - at) return 0;
            if (*n_fields < 64) fields[(*n_fields)++] = at;
            put32(d + at, (uint32_t)bytes);
            at += 4;
            for (size_t k = 0; k < bytes; k++, at++)
                if (at >= size) d[at] = size > head + 8 ? old[head + 8 + k % (size - head - 8)] : 0;
            if (t == 4 && rnd(4)) put32(d + at - bytes, 0x3f800000u);
        }
    put32(d + head, count);
    return at;
}

// One mistake in a sound file.
static size_t spoil(uint8_t *d, size_t size, size_t max, const size_t *fields, int n) {
    size_t at = rnd(4) ? fields[rnd((uint32_t)n)] : MFN_FMT_JSON_LEN_OFFSET;
    switch (rnd(8)) {
    case 0: put32(d + at, edge()); return size;
    case 1: put32(d + at, get32(d + at) + (rnd(2) ? 4 : 1)); return size;
    case 2: put32(d + at, get32(d + at) - (rnd(2) ? 4 : 1)); return size;
    case 3: return size - 1 - rnd((uint32_t)(rnd(2) ? 4 : size - 1));
    case 4: return size < max ? (d[size] = (uint8_t)rnd(256), size + 1) : size;
    case 5: twist_arch(d); return size;
    case 6: d[rnd(MFN_FMT_PREFIX_SIZE)] ^= (uint8_t)(1u << rnd(8)); return size;
    default: return at;
    }
}

size_t fuzz_mutate(uint8_t *d, size_t size, size_t max, uint64_t seed, FuzzBytes bytes) {
    size_t fields[64];
    int n;
    state = (seed + 1) * 0x9e3779b97f4a7c15u | 1u;
    rnd(1);
    uint32_t kind = rnd(16);
    if (kind < 4 || max < MFN_FMT_PREFIX_SIZE) return bytes(d, size, max);
    if (size < MFN_FMT_PREFIX_SIZE) size = bytes(d, size, max);
    for (uint32_t i = 0; kind < 10 && i < 1 + rnd(3); i++) {
        if (size >= MFN_FMT_PREFIX_SIZE) twist_arch(d);
    }
    if (kind == 10) put32(d + MFN_FMT_JSON_LEN_OFFSET, rnd(MOST_MIRROR));
    size_t whole = lay_out(d, size, max, fields, &n);
    if (!whole) return bytes(d, size, max);
    if (kind == 11 || kind == 12)
        for (uint32_t i = 0; i < 1 + rnd(4); i++) {
            size_t at = fields[1 + rnd((uint32_t)n - 1)];
            put32(d + at + 4 + 4 * rnd(get32(d + at) / 4), rnd(2) ? odd_float() : (uint32_t)state);
        }
    return kind > 12 || rnd(4) == 0 ? spoil(d, whole, max, fields, n) : whole;
}
