// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#ifndef MFN_NETWORK_H
#define MFN_NETWORK_H

#include "platform.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facex_mfn.h"
#include "format.gen.h"

typedef struct MfnArch {
    uint32_t n_stages, stem_kernel, stem_stride, stem_channels, block_channels, final_channels;
    uint32_t embedding_dim, gdc_kernel;
    uint32_t t[MFN_FMT_STAGE_SLOTS], n[MFN_FMT_STAGE_SLOTS], s[MFN_FMT_STAGE_SLOTS];
} MfnArch;

typedef enum MfnKind { MFN_STEM, MFN_DW, MFN_PW, MFN_GDC, MFN_EMBED } MfnKind;

typedef struct MfnLayer {
    MfnKind kind;
    uint32_t c_in, c_out, kernel, stride, pad, groups;
    uint32_t side_in, side_out;  // maps are square
    bool act, residual;          // residual: adds the input of the layer two before
    int stage, block;            // from 1 and 0; stage 0 outside the stages
    const char *part;            // "stem", "expand", ...
} MfnLayer;

enum { MFN_MAX_LAYERS = 2 + 3 * MFN_FMT_MAX_BLOCKS + 3 };

// Writes the layers in stored order and gives their number. `arch` must be within the limits.
int mfn_network_layers(const MfnArch *arch, MfnLayer *layers);

// Side of the last feature map, the only thing a header check needs of the walk.
uint32_t mfn_network_last_side(const MfnArch *arch);

uint32_t mfn_layer_tensors(const MfnLayer *layer);                // 5, or 6 with a PReLU
uint64_t mfn_layer_weights(const MfnLayer *layer);                // elements of conv.w
uint64_t mfn_layer_macs(const MfnLayer *layer);
void mfn_layer_name(const MfnLayer *layer, char *out, size_t capacity);
const char *mfn_tensor_suffix(uint32_t index);                    // "conv.w", "bn.w", ...

#endif
