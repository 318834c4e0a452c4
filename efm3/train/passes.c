// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
/* BatchNorm and PReLU together, for training: the passes of efm3/train/passes.py over memory.

x, g, out: [rows, c], c a multiple of LANES. A few rows are gone through side by side, LANES
channels at a time: memory is read in order, and what belongs to a channel is fetched once for
them. Sums are taken in float over ROWS rows, in `work` of 3·c, and in double over these. */

#include "lanes.h"

#define ROWS 64
#define BESIDE 4

static void settle(float *work, double *total, size_t count)
{
    for (size_t j = 0; j < count; j++)
        total[j] += (double)work[j];
    memset(work, 0, count * sizeof *work);
}

#define NAME(name) name
#define T float
#define GET GET_FLOAT
#define PUT PUT_FLOAT
#include "passes.h"
#undef NAME
#undef T
#undef GET
#undef PUT

#define NAME(name) name##_bf16
#define T uint16_t
#define GET GET_BF16
#define PUT PUT_BF16
#include "passes.h"
