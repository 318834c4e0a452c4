// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#include "network.h"

#include <stdio.h>

// With pad = kernel / 2 this is at least 1 for every kernel (odd) and stride of the format.
static uint32_t conv_side(uint32_t side, uint32_t kernel, uint32_t stride) {
    return (side + 2 * (kernel / 2) - kernel) / stride + 1;
}

uint32_t mfn_network_last_side(const MfnArch *arch) {
    uint32_t side = conv_side(MFN_FMT_INPUT_SIDE, arch->stem_kernel, arch->stem_stride);
    for (uint32_t i = 0; i < arch->n_stages; i++) side = conv_side(side, 3, arch->s[i]);
    return side;
}

static MfnLayer conv(MfnKind kind, const char *part, uint32_t c_in, uint32_t c_out,
                     uint32_t kernel, uint32_t stride, uint32_t side) {
    MfnLayer l = {.kind = kind, .part = part, .c_in = c_in, .c_out = c_out, .kernel = kernel};
    l.stride = stride;
    l.groups = kind == MFN_DW || kind == MFN_GDC ? c_in : 1;
    l.pad = kind == MFN_GDC ? 0 : kernel / 2;
    l.side_in = side;
    l.side_out = kind == MFN_GDC ? 1 : conv_side(side, kernel, stride);
    l.act = kind != MFN_GDC && kind != MFN_EMBED;
    return l;
}

int mfn_network_layers(const MfnArch *a, MfnLayer *out) {
    int n = 0;
    uint32_t side = MFN_FMT_INPUT_SIDE, c = a->stem_channels;
    out[n++] = conv(MFN_STEM, "stem", MFN_FMT_INPUT_CHANNELS, c, a->stem_kernel, a->stem_stride,
                    side);
    side = out[0].side_out;
    out[n++] = conv(MFN_DW, "dw_stem", c, c, 3, 1, side);
    for (uint32_t i = 0; i < a->n_stages; i++) {
        for (uint32_t j = 0; j < a->n[i]; j++) {
            uint32_t stride = j == 0 ? a->s[i] : 1, wide = c * a->t[i];
            uint32_t o = i == 0 ? a->stem_channels : a->block_channels;
            MfnLayer *l = out + n;
            l[0] = conv(MFN_PW, "expand", c, wide, 1, 1, side);
            l[1] = conv(MFN_DW, "dw", wide, wide, 3, stride, side);
            l[2] = conv(MFN_PW, "project", wide, o, 1, 1, l[1].side_out);
            l[2].act = false;
            l[2].residual = stride == 1 && c == o;
            for (int k = 0; k < 3; k++) l[k].stage = (int)i + 1, l[k].block = (int)j;
            side = l[1].side_out, c = o, n += 3;
        }
    }
    out[n++] = conv(MFN_PW, "final_conv", c, a->final_channels, 1, 1, side);
    out[n++] = conv(MFN_GDC, "gdconv", a->final_channels, a->final_channels, a->gdc_kernel, 1,
                    side);
    out[n++] = conv(MFN_EMBED, "embed_proj", a->final_channels, a->embedding_dim, 1, 1, 1);
    return n;
}

uint32_t mfn_layer_tensors(const MfnLayer *l) { return l->act ? 6 : 5; }

// At most 65535 * 65535 * 15 * 15, below 2^40.
uint64_t mfn_layer_weights(const MfnLayer *l) {
    return (uint64_t)l->c_out * (l->c_in / l->groups) * l->kernel * l->kernel;
}

uint64_t mfn_layer_macs(const MfnLayer *l) {
    return mfn_layer_weights(l) * l->side_out * l->side_out;
}

void mfn_layer_name(const MfnLayer *l, char *out, size_t capacity) {
    if (l->stage)
        snprintf(out, capacity, "stage%d.block%d.%s", l->stage, l->block, l->part);
    else
        snprintf(out, capacity, "%s", l->part);
}

const char *mfn_tensor_suffix(uint32_t index) {
    static const char *const names[] = {"conv.w", "bn.w", "bn.b", "bn.mean", "bn.var", "act.w"};
    return index < 6 ? names[index] : "";
}
