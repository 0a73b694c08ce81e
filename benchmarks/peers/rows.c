/* Value and gradient of losses over rows, by hand: one pass, each function called once per row.
   Built with -O3 -march=native -ffast-math, so that GCC keeps several partial sums and calls
   glibc's functions of vectors (libmvec). columns: y, x or y, x1 .. x20. out: value, gradient. */
#include <math.h>

/* Only the reading: the cells of all columns added up. wide: how many columns. */
void reading(const double *const *columns, long n, const double *wide, double *out)
{
    double s = 0;
    for (int k = 0; k < (int)*wide; k++)
        for (long i = 0; i < n; i++)
            s += columns[k][i];
    out[0] = s;
}

void exponential(const double *const *columns, long n, const double *theta, double *out)
{
    const double *y = columns[0], *x = columns[1];
    double a = theta[0], b = theta[1], c = theta[2], s = 0, sa = 0, sb = 0, sc = 0;
    for (long i = 0; i < n; i++) {
        double e = exp(-b * x[i]), r = y[i] - (a * e + c);
        s += r * r;
        sa += r * e;
        sb += r * e * x[i];
        sc += r;
    }
    out[0] = s / n;
    out[1] = -2 * sa / n;
    out[2] = 2 * a * sb / n;
    out[3] = -2 * sc / n;
}

enum { WIDE = 20, STRIP = 1024, FEW = 4 };

/* Strips of rows, a few columns at a time: what it takes for GCC to vectorize over the rows, with
   sums in registers, and for columns that begin at the same place of a page not to evict each
   other from the first cache. */
void logistic(const double *const *columns, long n, const double *theta, double *out)
{
    const double *y = columns[0];
    double value = 0, slopes[WIDE + 1] = {0}, z[STRIP];
    for (long first = 0; first < n; first += STRIP) {
        int count = n - first < STRIP ? (int)(n - first) : STRIP;
        for (int i = 0; i < count; i++)
            z[i] = theta[0];
        for (int k = 0; k < WIDE; k += FEW) {
            const double *const *x = columns + 1 + k;
            const double *t = theta + 1 + k;
            const double *p = x[0] + first, *q = x[1] + first, *r = x[2] + first, *s = x[3] + first;
            for (int i = 0; i < count; i++)
                z[i] += t[0] * p[i] + t[1] * q[i] + t[2] * r[i] + t[3] * s[i];
        }
        double s = 0, s0 = 0;
        for (int i = 0; i < count; i++) {
            double t = y[first + i], e = exp(-fabs(z[i])), p = (z[i] >= 0 ? 1 : e) / (1 + e);
            s += (z[i] > 0 ? z[i] : 0) + log1p(e) - t * z[i];
            z[i] = p - t;
            s0 += z[i];
        }
        value += s;
        slopes[0] += s0;
        for (int k = 0; k < WIDE; k += FEW) {
            const double *const *x = columns + 1 + k;
            const double *p = x[0] + first, *q = x[1] + first, *r = x[2] + first, *s = x[3] + first;
            double sp = 0, sq = 0, sr = 0, ss = 0;
            for (int i = 0; i < count; i++) {
                sp += z[i] * p[i];
                sq += z[i] * q[i];
                sr += z[i] * r[i];
                ss += z[i] * s[i];
            }
            slopes[1 + k] += sp;
            slopes[2 + k] += sq;
            slopes[3 + k] += sr;
            slopes[4 + k] += ss;
        }
    }
    out[0] = value / n;
    for (int k = 0; k <= WIDE; k++)
        out[1 + k] = slopes[k] / n;
}

/* In loops of their own: together GCC makes them one sincos, which is not one of vectors. */
void waves(const double *const *columns, long n, const double *theta, double *out)
{
    const double *y = columns[0], *x = columns[1];
    double a = theta[0], b = theta[1], c = theta[2], s = 0, sa = 0, sb = 0, sc = 0;
    double u[STRIP], v[STRIP];
    for (long first = 0; first < n; first += STRIP) {
        int count = n - first < STRIP ? (int)(n - first) : STRIP;
        const double *z = x + first, *w = y + first;
        for (int i = 0; i < count; i++)
            u[i] = sin(c * z[i]);
        for (int i = 0; i < count; i++)
            v[i] = cos(c * z[i]);
        for (int i = 0; i < count; i++) {
            double r = w[i] - (a * u[i] + b * v[i]);
            s += r * r;
            sa += r * u[i];
            sb += r * v[i];
            sc += r * z[i] * (a * v[i] - b * u[i]);
        }
    }
    out[0] = s / n;
    out[1] = -2 * sa / n;
    out[2] = -2 * sb / n;
    out[3] = -2 * sc / n;
}

void logarithm(const double *const *columns, long n, const double *theta, double *out)
{
    const double *y = columns[0], *x = columns[1];
    double a = theta[0], b = theta[1], s = 0, sa = 0, sb = 0;
    for (long i = 0; i < n; i++) {
        double w = 1 + b * x[i], l = log(w), r = y[i] - a * l;
        s += r * r;
        sa += r * l;
        sb += r * x[i] / w;
    }
    out[0] = s / n;
    out[1] = -2 * sa / n;
    out[2] = -2 * a * sb / n;
}

void saturation(const double *const *columns, long n, const double *theta, double *out)
{
    const double *y = columns[0], *x = columns[1];
    double a = theta[0], b = theta[1], c = theta[2], s = 0, sa = 0, sb = 0, sc = 0;
    for (long i = 0; i < n; i++) {
        double t = tanh(b * x[i] + c), r = y[i] - a * t, d = r * (1 - t * t);
        s += r * r;
        sa += r * t;
        sb += d * x[i];
        sc += d;
    }
    out[0] = s / n;
    out[1] = -2 * sa / n;
    out[2] = -2 * a * sb / n;
    out[3] = -2 * a * sc / n;
}

void power(const double *const *columns, long n, const double *theta, double *out)
{
    const double *y = columns[0], *x = columns[1];
    double a = theta[0], b = theta[1], s = 0, sa = 0, sb = 0;
    for (long i = 0; i < n; i++) {
        double p = pow(x[i], b), r = y[i] - a * p;
        s += r * r;
        sa += r * p;
        sb += r * p * log(x[i]);
    }
    out[0] = s / n;
    out[1] = -2 * sa / n;
    out[2] = -2 * a * sb / n;
}
