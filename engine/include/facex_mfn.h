// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// facex_mfn: loads an EFM3 file and computes face embeddings on the CPU.
//
// Conventions
//   Failure    Functions returning int return 0 (MFN_OK) or a negative status; mfn_strerror()
//              names it. No function prints, aborts or exits.
//   Ownership  The caller owns every buffer it passes; the engine keeps none of them after the
//              call. What the engine owns is released by mfn_engine_free().
//   Paths      UTF-8 on Windows, any bytes elsewhere. Windows takes fewer than 260 UTF-16 units,
//              unless the program allows long paths or the path is absolute and begins with \\?\.
//   Threads    After a successful init an engine is immutable: any number of threads may run the
//              functions that take a `const MfnEngine *` on it at once, with results bitwise equal
//              to serial use on the same instruction set. Init and free need exclusive use.
//   fork       A child may continue to use an engine made by its parent.
//   Pictures   The functions that embed take upright pictures. A file whose network needs its
//              picture turned by 180 degrees says so (meta.picture); the engine then turns it.
//              Options may ask for the input as it is given: for programs that turn themselves.
//   Float      Denormals are treated as zero during a call; the caller's floating-point state is
//              the same after it. NaN and infinity in weights or input are not refused: they
//              propagate by IEEE rules into the embedding (`efm3 validate` checks values). A layer
//              that runs in integers makes NaN of a map's row that holds either, and of an output
//              channel whose weights or slope do; one in bfloat16 does as float32 does.
//   Folding    BatchNorm is folded into the convolutions in double, and each weight and bias is
//              rounded once to float. What float cannot hold becomes an infinity, and computing goes
//              on: such a file is not refused, and in f32 its embedding is NaN in the same
//              components on every instruction set; below f32 in those at least.
#ifndef FACEX_MFN_H
#define FACEX_MFN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#pragma GCC visibility push(default)
#endif

#define MFN_VERSION_STRING "0.1.0"

/* cdef-begin */

// Status codes; src/status.def holds the texts and a static assertion compares the values.
enum {
    MFN_OK = 0,
    MFN_E_ARG = -1,
    MFN_E_OPEN = -2,
    MFN_E_NOT_REGULAR = -3,
    MFN_E_READ = -4,
    MFN_E_NOMEM = -5,
    MFN_E_MAGIC = -6,
    MFN_E_VERSION = -7,
    MFN_E_TRUNCATED = -8,
    MFN_E_TRAILING = -9,
    MFN_E_HEADER = -10,
    MFN_E_RESERVED = -11,
    MFN_E_SHAPE = -12,
    MFN_E_JSON_LEN = -13,
    MFN_E_TENSOR_COUNT = -14,
    MFN_E_TENSOR_SIZE = -15,
    MFN_E_ISA = -16,
    MFN_E_STATE = -17,
    MFN_E_CAPACITY = -18,
    MFN_E_TOO_LARGE = -19,
    MFN_E_OPTION = -20,
    MFN_E_THREAD = -21,
    MFN_E_PICTURE = -22
};

// How accurately the pointwise layers are computed. The stem of pixels is in 16 bits below f32; all
// else is float32 in each, though from weights of 8 bits where a layer with integers of 8 bits follows
// or precedes it. The file is the same, its weights are rounded at load, and a result depends on its
// picture alone. The cosines are to f32, with trained weights.
enum {
    MFN_F32 = 0,   // float32
    MFN_HIGH = 1,  // integers of 16 bits, or bfloat16: at least 0.9999
    MFN_FAST = 2   // integers of 8 bits: at least 0.999
};

// An engine handle. May live on the stack; needs no initialisation before mfn_engine_init().
// The fields are private: do not copy a handle that is in use.
typedef struct MfnEngine {
    uint64_t cookie;
    void *impl;
} MfnEngine;

// All-zero means defaults.
typedef struct MfnOptions {
    const char *isa;  // "avx512bf16", "avx512vnni", "avx512", "avxvnni", "avx2", "neondot",
                      // "neon", "wasmrelaxed", "wasmsimd", "scalar"; NULL: MFN_ISA if set, else
                      // the best
    int threads;      // 0 or 1: the caller alone; up to 64 for batches, which run alone too
                      // where the engine is compiled with MFN_NO_THREADS
    int as_given;     // 1: the input reaches the network as it is; see mfn_engine_turned()
    int precision;    // MFN_F32, MFN_HIGH or MFN_FAST, the least that is accepted: where a
                      // processor gains nothing by it, a better one is used
    int reserved[3];  // must be zero
} MfnOptions;

typedef struct MfnError {
    int status;
    int64_t offset;  // byte of the file at which the check failed, -1 where none applies
    char text[192];  // one line, always terminated
} MfnError;

typedef struct MfnInfo {
    int n_stages, stem_kernel, stem_stride, stem_channels, block_channels, final_channels;
    int embedding_dim, gdc_kernel;
    int stage_t[8], stage_n[8], stage_s[8];  // expansion, blocks, stride of the first block
    int n_layers, threads;
    char isa[16];            // instruction set in use
    uint64_t macs;           // multiply-adds of one forward pass
    uint64_t weight_bytes;   // packed weights
    uint64_t scratch_bytes;  // working memory of one call (each concurrent call has its own)
    uint64_t trace_floats;   // length of mfn_engine_trace()'s output
    int precision;           // as asked for; each layer says what it runs in
} MfnInfo;

typedef struct MfnLayerInfo {
    char name[40];  // as in the tensor layout: "stage1.block0.expand"
    int c_in, c_out, kernel, stride, pad, groups;
    int h_in, w_in, h_out, w_out;
    int has_act, has_residual;
    uint64_t macs;
    char arithmetic[8];     // what it runs in: "f32", "bf16", "i16" or "i8"; the stem for pixels
                            // (uint8 input), while it is float32 for floats
    uint64_t weight_bytes;  // packed weights
} MfnLayerInfo;

// Loads `path`. 0 or a negative status; on failure *engine holds nothing to free.
int mfn_engine_init(const char *path, MfnEngine *engine);

// The same with options; `options` and `error` may be NULL.
int mfn_engine_init_file(const char *path, const MfnOptions *options, MfnEngine *engine,
                         MfnError *error);

// Loads from `size` bytes at `data` (any alignment), which may be released after the call.
int mfn_engine_init_memory(const void *data, size_t size, const MfnOptions *options,
                           MfnEngine *engine, MfnError *error);

// Releases an engine. A NULL or already freed handle returns a status and does nothing.
int mfn_engine_free(MfnEngine *engine);

// One upright aligned face: float [3, 112, 112], RGB, CHW, (pixel - 127.5) / 128, in; float
// [mfn_embedding_dim()], of L2 norm 1, out. The buffers may be of any alignment and must not overlap.
int mfn_engine_forward(const MfnEngine *engine, const float *input_chw, float *embedding);

// `count` faces [count, 3, 112, 112] -> [count, D]; uses the engine's threads.
int mfn_engine_forward_batch(const MfnEngine *engine, const float *input_nchw, size_t count,
                             float *embeddings);

// `count` faces of uint8 RGB [count, 112, 112, 3] -> [count, D]; normalised inside. Where the stem's
// arithmetic is "i16" it takes pixels in integers, which is faster than floats.
int mfn_engine_forward_u8(const MfnEngine *engine, const uint8_t *input_nhwc, size_t count,
                          float *embeddings);

// 1 where the file says that its network takes the picture turned by 180 degrees, 0 where it does
// not; MFN_E_PICTURE where it says something that this engine does not know: then no picture is
// embedded. The engine turns by itself, unless the option as_given is 1.
int mfn_engine_turned(const MfnEngine *engine);

// Turns `count` pictures by 180 degrees, for what runs such a network in another way: planes
// [count, 3, 112, 112], or RGB pixels [count, 112, 112, 3]. `turned` may be the input itself, else
// the two must not overlap.
int mfn_turn_180(const float *input_nchw, size_t count, float *turned);
int mfn_turn_180_u8(const uint8_t *input_nhwc, size_t count, uint8_t *turned);

// Embedding dimension, or a negative status.
int mfn_embedding_dim(const MfnEngine *engine);

// Dot product of two embeddings, which for unit vectors is their cosine, in [-1, 1].
// NaN when a pointer is NULL or dim < 1.
float mfn_similarity(const float *a, const float *b, int dim);

int mfn_engine_info(const MfnEngine *engine, MfnInfo *info);
int mfn_engine_layer(const MfnEngine *engine, int index, MfnLayerInfo *layer);

// Debugging: one forward pass that writes the output of every layer (after BatchNorm, activation
// and residual; before the L2 norm), each as [c_out, h_out, w_out], one after another.
// `capacity` is in floats and must be at least MfnInfo.trace_floats. Where every value is that of a
// pixel, it is the pass of those pixels.
int mfn_engine_trace(const MfnEngine *engine, const float *input_chw, float *out, size_t capacity);

// Debugging: least seconds of each layer in `repeats` passes, which run as any other does: chains
// of layers in bands of rows, whose times are added. Below f32 a layer's levels are made by the one
// before it where that is depthwise, else by itself. `capacity` is in doubles, at least
// MfnInfo.n_layers. Pixels as above.
int mfn_engine_profile(const MfnEngine *engine, const float *input_chw, int repeats,
                       double *seconds, size_t capacity);

// Instruction sets compiled in, best first. Name is NULL beyond the end; supported is 0 or 1.
int mfn_isa_count(void);
const char *mfn_isa_name(int index);
int mfn_isa_supported(int index);

// Measured fused multiply-adds per second of one core (the compute roofline), 0 if unsupported.
double mfn_fma_peak(const char *isa);

const char *mfn_strerror(int status);
// The status' name, such as "E_MAGIC".
const char *mfn_status_name(int status);
const char *mfn_version(void);

/* cdef-end */

#if defined(__GNUC__) || defined(__clang__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
