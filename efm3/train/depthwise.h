// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
/* The loops of depthwise.c for values of type T, which GET makes floats and PUT makes of them. */

/* out [c] = the sum of values times weights at `count` places. */
static inline void NAME(gather)(const T *x, const float *weights, const struct place *places,
                                size_t count, size_t channels, T *out)
{
    for (size_t c = 0; c < channels; c += LANES) {
        Lanes sum = {0};
        for (size_t i = 0; i < count; i++) {
            Lanes value, weight;
            GET(value, x + places[i].value + c);
            memcpy(&weight, weights + places[i].weight + c, sizeof weight);
            sum += value * weight;
        }
        PUT(out + c, sum);
    }
}

/* LANES channels of three pixels of a column; none of them for a column outside. */
static inline void NAME(column)(const T *const rows[3], size_t at, bool inside, Lanes to[3])
{
    for (size_t i = 0; i < 3; i++) {
        Lanes value = {0};
        if (inside)
            GET(value, rows[i] + at);
        to[i] = value;
    }
}

/* One row of outputs of a kernel of three by three with padding 1 over rows of w pixels: the
weights stay in registers, and so do the columns that the next output sees again. A weight is 0
where its row is outside. `stride` is a constant wherever this is called. */
static inline void NAME(row)(const T *const rows[3], const bool inside[3], size_t w, size_t c,
                             const float *weights, size_t stride, size_t ow, T *out)
{
    for (size_t j = 0; j < c; j += LANES) {
        const T *const from[3] = {rows[0] + j, rows[1] + j, rows[2] + j};
        Lanes left[3], middle[3], right[3], weight[9];
        for (size_t i = 0; i < 9; i++) {
            Lanes own = {0};
            if (inside[i / 3])
                GET_FLOAT(own, weights + i * c + j);
            weight[i] = own;
        }
        NAME(column)(from, 0, false, left);
        if (stride == 1)
            NAME(column)(from, 0, true, middle);
        for (size_t x = 0; x < ow; x++) {
            size_t last = x * stride + 1;
            if (stride == 2)
                NAME(column)(from, (last - 1) * c, true, middle);
            NAME(column)(from, last * c, last < w, right);
            Lanes sum = {0};
            for (size_t i = 0; i < 3; i++)
                sum += left[i] * weight[3 * i] + middle[i] * weight[3 * i + 1]
                       + right[i] * weight[3 * i + 2];
            PUT(out + x * c + j, sum);
            for (size_t i = 0; i < 3; i++) {
                left[i] = stride == 1 ? middle[i] : right[i];
                middle[i] = right[i];
            }
        }
    }
}

/* The same row of outputs, by whose gradient g the weights' are found: added to work [9, c]. */
static inline void NAME(row_by_weights)(const T *const rows[3], size_t w, size_t c, const T *g,
                                        size_t stride, size_t ow, const bool inside[3],
                                        float *work)
{
    for (size_t j = 0; j < c; j += LANES) {
        const T *const from[3] = {rows[0] + j, rows[1] + j, rows[2] + j};
        Lanes left[3], middle[3], right[3], sum[9] = {{0}};
        NAME(column)(from, 0, false, left);
        if (stride == 1)
            NAME(column)(from, 0, true, middle);
        for (size_t x = 0; x < ow; x++) {
            size_t last = x * stride + 1;
            if (stride == 2)
                NAME(column)(from, (last - 1) * c, true, middle);
            NAME(column)(from, last * c, last < w, right);
            Lanes slope;
            GET(slope, g + x * c + j);
            for (size_t i = 0; i < 3; i++) {
                sum[3 * i] += left[i] * slope;
                sum[3 * i + 1] += middle[i] * slope;
                sum[3 * i + 2] += right[i] * slope;
                left[i] = stride == 1 ? middle[i] : right[i];
                middle[i] = right[i];
            }
        }
        for (size_t i = 0; i < 9; i++) {
            Lanes before;
            if (!inside[i / 3])
                continue;
            GET_FLOAT(before, work + i * c + j);
            before += sum[i];
            PUT_FLOAT(work + i * c + j, before);
        }
    }
}

/* Three rows about an output's; of one that is outside the pixels of another. */
static inline void NAME(about)(const T *x, const struct shape *s, size_t oy, const T *rows[3],
                               bool inside[3])
{
    for (size_t i = 0; i < 3; i++) {
        size_t y = oy * s->stride + i - 1;
        inside[i] = y < s->h;
        rows[i] = x + (inside[i] ? y : oy * s->stride) * s->w * s->c;
    }
}

/* out = the convolution of x. */
void NAME(convolve)(const T *x, const float *weights, T *out, const struct shape *s)
{
    struct place places[MOST];
    const T *rows[3];
    bool inside[3];
    for (size_t i = 0; i < s->n; i++, x += s->h * s->w * s->c)
        for (size_t oy = 0; oy < s->oh; oy++)
            if (usual(s)) {
                NAME(about)(x, s, oy, rows, inside);
                if (s->stride == 1)
                    NAME(row)(rows, inside, s->w, s->c, weights, 1, s->ow, out);
                else
                    NAME(row)(rows, inside, s->w, s->c, weights, 2, s->ow, out);
                out += s->ow * s->c;
            } else {
                for (size_t ox = 0; ox < s->ow; ox++, out += s->c)
                    NAME(gather)(x, weights, places, seen(s, oy, ox, places), s->c, out);
            }
}

/* out [n, h, w, c] = the gradient by x. */
void NAME(by_input)(const T *g, const float *weights, T *out, const struct shape *s)
{
    struct place places[MOST];
    for (size_t i = 0; i < s->n; i++, g += s->oh * s->ow * s->c)
        for (size_t y = 0; y < s->h; y++)
            for (size_t x = 0; x < s->w; x++, out += s->c)
                NAME(gather)(g, weights, places, seeing(s, y, x, places), s->c, out);
}

/* work [k, k, c] += the gradient by the weights of one picture, for any kernel. */
static void NAME(any_by_weights)(const T *x, const T *g, float *work, const struct shape *s)
{
    struct place places[MOST];
    for (size_t oy = 0; oy < s->oh; oy++)
        for (size_t ox = 0; ox < s->ow; ox++, g += s->c) {
            size_t count = seen(s, oy, ox, places);
            for (size_t i = 0; i < count; i++)
                for (size_t c = 0; c < s->c; c += LANES) {
                    Lanes value, slope, before;
                    GET(value, x + places[i].value + c);
                    GET(slope, g + c);
                    GET_FLOAT(before, work + places[i].weight + c);
                    before += value * slope;
                    PUT_FLOAT(work + places[i].weight + c, before);
                }
        }
}

/* total [k, k, c] += the gradient by the weights: in float over a picture, for which work [k, k, c]
is there, in double over all. */
void NAME(by_weights)(const T *x, const T *g, float *work, double *total, const struct shape *s)
{
    const T *rows[3];
    bool inside[3];
    size_t count = s->k * s->k * s->c;
    for (size_t i = 0; i < s->n; i++, x += s->h * s->w * s->c, g += s->oh * s->ow * s->c) {
        memset(work, 0, count * sizeof *work);
        for (size_t oy = 0; usual(s) && oy < s->oh; oy++) {
            const T *own = g + oy * s->ow * s->c;
            NAME(about)(x, s, oy, rows, inside);
            if (s->stride == 1)
                NAME(row_by_weights)(rows, s->w, s->c, own, 1, s->ow, inside, work);
            else
                NAME(row_by_weights)(rows, s->w, s->c, own, 2, s->ow, inside, work);
        }
        if (!usual(s))
            NAME(any_by_weights)(x, g, work, s);
        for (size_t j = 0; j < count; j++)
            total[j] += (double)work[j];
    }
}
