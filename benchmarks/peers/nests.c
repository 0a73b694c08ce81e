/* Value and gradient of losses with indices as one would write them in C: vectors by hand where it
   pays, rows in blocks that fit the first cache. columns: of rows; the answer: value, gradient. */

#include <math.h>
#include <string.h>

#define SIMD _Pragma("omp simd")
#define ROWS 64 /* of a block */
#define MOST 64 /* columns, classes, units */

__attribute__((simd("notinbranch"))) double exp(double);
__attribute__((simd("notinbranch"))) double tanh(double);

typedef double V __attribute__((vector_size(64), aligned(8)));
#define WIDE 8

/* x: n. out: value, gradient. */
void chain(const double *x, double *out, long n)
{
    double *g = out + 1, value = 0.0;
    double first = x[1] - x[0] * x[0], rest = 1 - x[0];
    value = 100 * first * first + rest * rest;
    g[0] = -400 * x[0] * first - 2 * rest;
    _Pragma("omp simd reduction(+ : value)")
    for (long i = 1; i < n - 1; i++) {
        double before = x[i] - x[i - 1] * x[i - 1], r = x[i + 1] - x[i] * x[i], s = 1 - x[i];
        g[i] = 200 * before - 400 * x[i] * r - 2 * s;
        value += 100 * r * r + s * s;
    }
    g[n - 1] = 200 * (x[n - 1] - x[n - 2] * x[n - 2]);
    out[0] = value;
}

/* z[k] = b[k] + sum w[k][j] x[j], k in fours: each x is loaded once for four of them. */
static void forward(long units, long width, const double *w, const double *b,
                    double x[][ROWS], double z[][ROWS])
{
    for (long k = 0; k < units; k += 4) {
        long last = units - 1;
        long k1 = k + 1 < last ? k + 1 : last, k2 = k + 2 < last ? k + 2 : last;
        long k3 = k + 3 < last ? k + 3 : last;
        for (long r = 0; r < ROWS; r += WIDE) {
            V a0 = b[k] - (V){0}, a1 = b[k1] - (V){0}, a2 = b[k2] - (V){0}, a3 = b[k3] - (V){0};
            for (long j = 0; j < width; j++) {
                V cell = *(V *)&x[j][r];
                a0 += w[k * width + j] * cell;
                a1 += w[k1 * width + j] * cell;
                a2 += w[k2 * width + j] * cell;
                a3 += w[k3 * width + j] * cell;
            }
            *(V *)&z[k][r] = a0;
            *(V *)&z[k1][r] = a1;
            *(V *)&z[k2][r] = a2;
            *(V *)&z[k3][r] = a3;
        }
    }
}

/* g[k][j] += sum over the rows of d[k] x[j], lane by lane; k in fours. */
static void backward(long units, long width, double d[][ROWS], double x[][ROWS], V *g)
{
    for (long k = 0; k < units; k += 4)
        for (long j = 0; j < width; j++) {
            long most = units - k < 4 ? units - k : 4;
            V a[4] = {{0}, {0}, {0}, {0}};
            if (most == 4)
                for (long r = 0; r < ROWS; r += WIDE) {
                    V cell = *(V *)&x[j][r];
                    a[0] += *(V *)&d[k][r] * cell;
                    a[1] += *(V *)&d[k + 1][r] * cell;
                    a[2] += *(V *)&d[k + 2][r] * cell;
                    a[3] += *(V *)&d[k + 3][r] * cell;
                }
            else
                for (long i = 0; i < most; i++)
                    for (long r = 0; r < ROWS; r += WIDE) a[i] += *(V *)&d[k + i][r] * *(V *)&x[j][r];
            for (long i = 0; i < most; i++) g[(k + i) * width + j] += a[i];
        }
}

static double total(V v)
{
    double s = 0.0;
    for (int k = 0; k < WIDE; k++) s += v[k];
    return s;
}

/* A block of the columns, and how many rows it has; those beyond are 0. */
static long block(const double **columns, long width, long first, long rows, double x[][ROWS])
{
    long count = rows - first < ROWS ? rows - first : ROWS;
    for (long j = 0; j < width; j++) {
        memcpy(x[j], columns[j] + first, count * sizeof(double));
        memset(x[j] + count, 0, (ROWS - count) * sizeof(double));
    }
    return count;
}

/* columns: X1.., then label from 1. theta: W[k][j], b[k]. */
void softmax(const double **columns, long rows, long width, long classes, const double *theta,
             double *out)
{
    static __thread double x[MOST][ROWS], z[MOST][ROWS], label[1][ROWS];
    static __thread V gw[MOST * MOST], gb[MOST];
    const double *w = theta, *b = theta + classes * width;
    double value = 0.0;
    memset(gw, 0, sizeof gw);
    memset(gb, 0, sizeof gb);
    for (long first = 0; first < rows; first += ROWS) {
        long count = block(columns, width, first, rows, x);
        block(columns + width, 1, first, rows, label);
        double top[ROWS], sum[ROWS], own[ROWS], scale[ROWS];
        forward(classes, width, w, b, x, z);
        memcpy(top, z[0], sizeof top);
        memset(sum, 0, sizeof sum);
        memset(own, 0, sizeof own);
        for (long k = 0; k < classes; k++) SIMD for (int r = 0; r < ROWS; r++) {
            top[r] = z[k][r] > top[r] ? z[k][r] : top[r];
            own[r] += label[0][r] == k + 1 ? z[k][r] : 0.0;
        }
        for (long k = 0; k < classes; k++) SIMD for (int r = 0; r < ROWS; r++) {
            z[k][r] = exp(z[k][r] - top[r]);
            sum[r] += z[k][r];
        }
        for (int r = 0; r < ROWS; r++) scale[r] = r < count ? 1 / sum[r] : 0.0;
        for (int r = 0; r < count; r++) value += top[r] + log(sum[r]) - own[r];
        for (long k = 0; k < classes; k++) {
            SIMD for (int r = 0; r < ROWS; r++)
                z[k][r] = z[k][r] * scale[r] - (label[0][r] == k + 1 ? 1.0 : 0.0);
            for (long r = 0; r < ROWS; r += WIDE) gb[k] += *(V *)&z[k][r];
        }
        backward(classes, width, z, x, gw);
    }
    out[0] = value / rows;
    for (long i = 0; i < classes * width; i++) out[1 + i] = total(gw[i]) / rows;
    for (long k = 0; k < classes; k++) out[1 + classes * width + k] = total(gb[k]) / rows;
}

/* columns: X1.., then y. theta: W[h][j], b[h], c, v[h]. */
void network(const double **columns, long rows, long width, long units, const double *theta,
             double *out)
{
    static __thread double x[MOST][ROWS], z[MOST][ROWS], y[1][ROWS];
    static __thread V gw[MOST * MOST], gb[MOST], gv[MOST];
    const double *w = theta, *b = theta + units * width, c = b[units], *v = b + units + 1;
    double value = 0.0, sum = 0.0;
    memset(gw, 0, sizeof gw);
    memset(gb, 0, sizeof gb);
    memset(gv, 0, sizeof gv);
    for (long first = 0; first < rows; first += ROWS) {
        long count = block(columns, width, first, rows, x);
        block(columns + width, 1, first, rows, y);
        double fitted[ROWS] = {0}, d[ROWS];
        forward(units, width, w, b, x, z);
        for (long h = 0; h < units; h++) SIMD for (int r = 0; r < ROWS; r++) {
            z[h][r] = tanh(z[h][r]);
            fitted[r] += v[h] * z[h][r];
        }
        for (int r = 0; r < ROWS; r++) {
            d[r] = r < count ? y[0][r] - fitted[r] - c : 0.0;
            value += d[r] * d[r];
            sum += d[r];
        }
        for (long h = 0; h < units; h++)
            for (long r = 0; r < ROWS; r += WIDE) {
                V t = *(V *)&z[h][r], e = *(V *)&d[r];
                gv[h] += e * t;
                e *= v[h] * (1 - t * t);
                gb[h] += e;
                *(V *)&z[h][r] = e;
            }
        backward(units, width, z, x, gw);
    }
    double scale = -2.0 / rows, *g = out + 1;
    out[0] = value / rows;
    for (long i = 0; i < units * width; i++) *g++ = scale * total(gw[i]);
    for (long h = 0; h < units; h++) *g++ = scale * total(gb[h]);
    *g++ = scale * sum;
    for (long h = 0; h < units; h++) *g++ = scale * total(gv[h]);
}

#define FACTORS 16

/* columns: user, item, y. theta: U[user][f], V[item][f]. */
void factor(const double **columns, long rows, long users, long items, const double *theta,
            double *out)
{
    const double *u = theta, *v = theta + users * FACTORS;
    double *gu = out + 1, *gv = gu + users * FACTORS, value = 0.0, squares = 0.0;
    _Pragma("omp simd reduction(+ : squares)")
    for (long i = 0; i < (users + items) * FACTORS; i++) {
        squares += theta[i] * theta[i];
        gu[i] = 0.2 * theta[i];
    }
    for (long r = 0; r < rows; r++) {
        long i = ((long)columns[0][r] - 1) * FACTORS, j = ((long)columns[1][r] - 1) * FACTORS;
        double dot = 0.0;
        _Pragma("omp simd reduction(+ : dot)")
        for (int f = 0; f < FACTORS; f++) dot += u[i + f] * v[j + f];
        double e = columns[2][r] - dot;
        value += e * e;
        SIMD for (int f = 0; f < FACTORS; f++) gu[i + f] -= 2 * e * v[j + f];
        SIMD for (int f = 0; f < FACTORS; f++) gv[j + f] -= 2 * e * u[i + f];
    }
    out[0] = value + 0.1 * squares;
}

/* columns: site, y, x. theta: a[site], c, m, s. */
void mixed(const double **columns, long rows, long sites, const double *theta, double *out)
{
    const double *a = theta, *site = columns[0], *y = columns[1], *x = columns[2];
    double c = a[sites], m = a[sites + 1], s = a[sites + 2], *g = out + 1;
    double value = 0.0, slope = 0.0, spread = 0.0, mean = 0.0;
    _Pragma("omp simd reduction(+ : spread, mean)")
    for (long k = 0; k < sites; k++) {
        double t = a[k] - m;
        spread += t * t;
        mean += t;
        g[k] = t / (s * s);
    }
    for (long first = 0; first < rows; first += ROWS) {
        long count = rows - first < ROWS ? rows - first : ROWS;
        double e[ROWS];
        _Pragma("omp simd reduction(+ : value, slope)")
        for (long r = 0; r < count; r++) {
            e[r] = y[first + r] - a[(int)site[first + r] - 1] - c * x[first + r];
            value += e[r] * e[r];
            slope += e[r] * x[first + r];
        }
        for (long r = 0; r < count; r++) g[(int)site[first + r] - 1] -= 2 * e[r];
    }
    out[0] = value + spread / (2 * s * s);
    g[sites] = -2 * slope;
    g[sites + 1] = -mean / (s * s);
    g[sites + 2] = -spread / (s * s * s);
}
