// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
//
// Embeds two drawn pictures and prints their similarity: example_mfn WEIGHTS
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "facex_mfn.h"

enum { SIDE = 112, VALUES = 3 * SIDE * SIDE };

// Rings around a centre: what matters is that the two pictures differ.
static void draw(float *chw, double cx, double cy) {
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                chw[(c * SIDE + y) * SIDE + x] =
                    (float)sin(hypot(x - cx, y - cy) / (3.0 + c));
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s WEIGHTS\n", argv[0]);
        return 2;
    }
    MfnEngine engine;
    MfnError error;
    if (mfn_engine_init_file(argv[1], NULL, &engine, &error)) {
        fprintf(stderr, "%s: %s\n", argv[1], error.text);
        return 1;
    }
    int dim = mfn_embedding_dim(&engine);
    float *input = malloc(2 * VALUES * sizeof *input);
    float *out = malloc(2 * (size_t)dim * sizeof *out);
    int rc = input && out ? 0 : MFN_E_NOMEM;
    if (!rc) {
        draw(input, 56, 56);
        draw(input + VALUES, 20, 80);
        rc = mfn_engine_forward_batch(&engine, input, 2, out);
    }
    if (rc)
        fprintf(stderr, "%s\n", mfn_strerror(rc));
    else
        printf("%d values each, similarity %.4f\n", dim, mfn_similarity(out, out + dim, dim));
    free(input), free(out);
    mfn_engine_free(&engine);
    return rc ? 1 : 0;
}
