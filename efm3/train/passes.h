// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
/* The loops of passes.c for values of type T, which GET makes floats and PUT makes of them. The
number of rows side by side is a constant wherever a row's function is called. */

static inline void NAME(count)(const T *x, size_t beside, size_t c, const float *shift, float *work)
{
    for (size_t j = 0; j < c; j += LANES) {
        Lanes away, value, sum, square;
        GET_FLOAT(away, shift + j);
        GET_FLOAT(sum, work + j);
        GET_FLOAT(square, work + c + j);
        for (size_t i = 0; i < beside; i++) {
            GET(value, x + i * c + j);
            value -= away;
            sum += value;
            square += value * value;
        }
        PUT_FLOAT(work + j, sum);
        PUT_FLOAT(work + c + j, square);
    }
}

/* total [2, c] += the sums of d and of d·d, d = x - shift. */
void NAME(statistics)(const T *x, size_t rows, size_t c, const float *shift, float *work,
                      double *total)
{
    memset(work, 0, 2 * c * sizeof *work);
    for (size_t i = 0; i < rows;) {
        if (rows - i >= BESIDE)
            NAME(count)(x + i * c, BESIDE, c, shift, work), i += BESIDE;
        else
            NAME(count)(x + i * c, 1, c, shift, work), i++;
        if (i % ROWS == 0 || i == rows)
            settle(work, total, 2 * c);
    }
}

static inline void NAME(enter_rows)(const T *x, size_t beside, size_t c, const float *mean,
                                    const float *scale, const float *bias, const float *slope,
                                    T *out)
{
    for (size_t j = 0; j < c; j += LANES) {
        Lanes z, middle, factor, level, bend;
        GET_FLOAT(middle, mean + j);
        GET_FLOAT(factor, scale + j);
        GET_FLOAT(level, bias + j);
        GET_FLOAT(bend, slope + j);
        for (size_t i = 0; i < beside; i++) {
            GET(z, x + i * c + j);
            z = (z - middle) * factor + level;
            CHOOSE(z, z > 0, z, z * bend);
            PUT(out + i * c + j, z);
        }
    }
}

/* out = PReLU(z), z = (x - mean)·scale + bias. */
void NAME(enter)(const T *x, size_t rows, size_t c, const float *mean, const float *scale,
                 const float *bias, const float *slope, T *out)
{
    size_t i = 0;
    for (; rows - i >= BESIDE; i += BESIDE)
        NAME(enter_rows)(x + i * c, BESIDE, c, mean, scale, bias, slope, out + i * c);
    for (; i < rows; i++)
        NAME(enter_rows)(x + i * c, 1, c, mean, scale, bias, slope, out + i * c);
}

static inline void NAME(sum_rows)(const T *x, const T *g, size_t beside, size_t c,
                                  const float *mean, const float *scale, const float *bias,
                                  const float *slope, float *work)
{
    for (size_t j = 0; j < c; j += LANES) {
        Lanes d, h, below, middle, factor, level, bend, slopes, biases, scales, none = {0};
        GET_FLOAT(middle, mean + j);
        GET_FLOAT(factor, scale + j);
        GET_FLOAT(level, bias + j);
        GET_FLOAT(bend, slope + j);
        GET_FLOAT(slopes, work + j);
        GET_FLOAT(biases, work + c + j);
        GET_FLOAT(scales, work + 2 * c + j);
        for (size_t i = 0; i < beside; i++) {
            GET(d, x + i * c + j);
            GET(h, g + i * c + j);
            d -= middle;
            Lanes z = d * factor + level;
            CHOOSE(below, z > 0, none, h * z);
            slopes += below;
            CHOOSE(h, z > 0, h, h * bend);
            biases += h;
            scales += h * d;
        }
        PUT_FLOAT(work + j, slopes);
        PUT_FLOAT(work + c + j, biases);
        PUT_FLOAT(work + 2 * c + j, scales);
    }
}

/* total [3, c] += the gradients by slope, by bias, and by scale. */
void NAME(sums)(const T *x, const T *g, size_t rows, size_t c, const float *mean,
                const float *scale, const float *bias, const float *slope, float *work,
                double *total)
{
    memset(work, 0, 3 * c * sizeof *work);
    for (size_t i = 0; i < rows;) {
        const T *own = x + i * c, *by = g + i * c;
        if (rows - i >= BESIDE)
            NAME(sum_rows)(own, by, BESIDE, c, mean, scale, bias, slope, work), i += BESIDE;
        else
            NAME(sum_rows)(own, by, 1, c, mean, scale, bias, slope, work), i++;
        if (i % ROWS == 0 || i == rows)
            settle(work, total, 3 * c);
    }
}

static inline void NAME(leave_rows)(const T *x, const T *g, size_t beside, size_t c,
                                    const float *mean, const float *scale, const float *bias,
                                    const float *slope, const float *level, const float *tilt,
                                    T *out)
{
    for (size_t j = 0; j < c; j += LANES) {
        Lanes d, h, middle, factor, entry, bend, even, lean;
        GET_FLOAT(middle, mean + j);
        GET_FLOAT(factor, scale + j);
        GET_FLOAT(entry, bias + j);
        GET_FLOAT(bend, slope + j);
        GET_FLOAT(even, level + j);
        GET_FLOAT(lean, tilt + j);
        for (size_t i = 0; i < beside; i++) {
            GET(d, x + i * c + j);
            GET(h, g + i * c + j);
            d -= middle;
            Lanes z = d * factor + entry;
            CHOOSE(h, z > 0, h, h * bend);
            h = h * factor + even + lean * d;
            PUT(out + i * c + j, h);
        }
    }
}

/* out = the gradient by x: h·scale + level + tilt·(x - mean), h the one by z. */
void NAME(leave)(const T *x, const T *g, size_t rows, size_t c, const float *mean,
                 const float *scale, const float *bias, const float *slope, const float *level,
                 const float *tilt, T *out)
{
    size_t i = 0;
    for (; rows - i >= BESIDE; i += BESIDE)
        NAME(leave_rows)(x + i * c, g + i * c, BESIDE, c, mean, scale, bias, slope, level, tilt,
                         out + i * c);
    for (; i < rows; i++)
        NAME(leave_rows)(x + i * c, g + i * c, 1, c, mean, scale, bias, slope, level, tilt,
                         out + i * c);
}
