// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
/* BatchNorm and PReLU together, for training: the passes of efm3/train/passes.py over memory.

x, g, out: [rows, c]. Sums are taken in float over ROWS rows, which the compiler makes vectors of,
and in double over these. `work` has room for 3·c floats. */

#include <stddef.h>
#include <string.h>

#define ROWS 64

static void settle(float *work, double *total, size_t count)
{
    for (size_t j = 0; j < count; j++)
        total[j] += work[j];
    memset(work, 0, count * sizeof *work);
}

/* total [2, c] += the sums of d and of d·d, d = x - shift. */
void statistics(const float *restrict x, size_t rows, size_t c, const float *restrict shift,
                float *restrict work, double *restrict total)
{
    float *restrict sum = work, *restrict square = work + c;
    memset(work, 0, 2 * c * sizeof *work);
    for (size_t i = 0; i < rows; i++, x += c) {
        for (size_t j = 0; j < c; j++) {
            float d = x[j] - shift[j];
            sum[j] += d;
            square[j] += d * d;
        }
        if (i % ROWS == ROWS - 1 || i == rows - 1)
            settle(work, total, 2 * c);
    }
}

/* out = PReLU(z), z = (x - mean)·scale + bias. */
void enter(const float *restrict x, size_t rows, size_t c, const float *restrict mean,
           const float *restrict scale, const float *restrict bias, const float *restrict slope,
           float *restrict out)
{
    for (size_t i = 0; i < rows; i++, x += c, out += c)
        for (size_t j = 0; j < c; j++) {
            float z = (x[j] - mean[j]) * scale[j] + bias[j], below = z * slope[j];
            out[j] = z > 0 ? z : below;
        }
}

/* total [3, c] += the gradients by slope, by bias, and by scale. */
void sums(const float *restrict x, const float *restrict g, size_t rows, size_t c,
          const float *restrict mean, const float *restrict scale, const float *restrict bias,
          const float *restrict slope, float *restrict work, double *restrict total)
{
    float *restrict slopes = work, *restrict biases = work + c, *restrict scales = work + 2 * c;
    memset(work, 0, 3 * c * sizeof *work);
    for (size_t i = 0; i < rows; i++, x += c, g += c) {
        for (size_t j = 0; j < c; j++) {
            float d = x[j] - mean[j], z = d * scale[j] + bias[j];
            float below = z > 0 ? 0 : g[j], h = z > 0 ? g[j] : g[j] * slope[j];
            slopes[j] += below * z;
            biases[j] += h;
            scales[j] += h * d;
        }
        if (i % ROWS == ROWS - 1 || i == rows - 1)
            settle(work, total, 3 * c);
    }
}

/* out = the gradient by x: h·scale + level + tilt·(x - mean), h the one by z. */
void leave(const float *restrict x, const float *restrict g, size_t rows, size_t c,
           const float *restrict mean, const float *restrict scale, const float *restrict bias,
           const float *restrict slope, const float *restrict level, const float *restrict tilt,
           float *restrict out)
{
    for (size_t i = 0; i < rows; i++, x += c, g += c, out += c)
        for (size_t j = 0; j < c; j++) {
            float d = x[j] - mean[j], z = d * scale[j] + bias[j], below = g[j] * slope[j];
            float h = z > 0 ? g[j] : below;
            out[j] = h * scale[j] + level[j] + tilt[j] * d;
        }
}
