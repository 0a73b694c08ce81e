/* Gradient descents on Rosenbrock's function from (-1.2, 1), one for each of `count` rates. */
#include <pthread.h>

#ifndef LANES
#define LANES 16 /* descents side by side: four AVX2 registers hold each of x, y and the rates */
#endif

/* One descent after the other: what a C programmer writes first. theta: {x, y} of each. */
void one_by_one(const double *lr, double *theta, long count, long steps)
{
    for (long k = 0; k < count; k++) {
        double x = -1.2, y = 1;
        for (long t = 0; t < steps; t++) {
            double rest = y - x * x;
            double gx = -2 * (1 - x) - 400 * x * rest;
            double gy = 200 * rest;
            x -= lr[k] * gx;
            y -= lr[k] * gy;
        }
        theta[2 * k] = x;
        theta[2 * k + 1] = y;
    }
}

/* LANES descents in step; the compiler makes vectors of the inner loop. */
static void block(const double *lr, double *theta, long steps)
{
    double x[LANES], y[LANES], rate[LANES];
    for (int l = 0; l < LANES; l++) {
        x[l] = -1.2;
        y[l] = 1;
        rate[l] = lr[l];
    }
    for (long t = 0; t < steps; t++)
        for (int l = 0; l < LANES; l++) {
            double rest = y[l] - x[l] * x[l];
            double gx = -2 * (1 - x[l]) - 400 * x[l] * rest;
            double gy = 200 * rest;
            x[l] -= rate[l] * gx;
            y[l] -= rate[l] * gy;
        }
    for (int l = 0; l < LANES; l++) {
        theta[2 * l] = x[l];
        theta[2 * l + 1] = y[l];
    }
}

static void blocks(const double *lr, double *theta, long count, long steps)
{
    long k = 0;
    for (; k + LANES <= count; k += LANES)
        block(lr + k, theta + 2 * k, steps);
    one_by_one(lr + k, theta + 2 * k, count - k, steps);
}

struct share {
    const double *lr;
    double *theta;
    long count, steps;
};

static void *work(void *given)
{
    struct share *s = given;
    blocks(s->lr, s->theta, s->count, s->steps);
    return 0;
}

/* The same, the rates shared out evenly over threads (at most 256); 0: it went well. */
int sweep(const double *lr, double *theta, long count, long steps, long threads)
{
    pthread_t id[256];
    struct share shares[256];
    if (threads < 1 || threads > 256)
        return 1;
    if (threads == 1) {
        blocks(lr, theta, count, steps);
        return 0;
    }
    for (long k = 0; k < threads; k++) {
        long first = count * k / threads / LANES * LANES;
        long end = k + 1 == threads ? count : count * (k + 1) / threads / LANES * LANES;
        shares[k] = (struct share){lr + first, theta + 2 * first, end - first, steps};
        if (pthread_create(&id[k], 0, work, &shares[k]))
            return 2;
    }
    for (long k = 0; k < threads; k++)
        pthread_join(id[k], 0);
    return 0;
}
