/* Value of the sum over i of 100*(x[i+1] - x[i]**2)**2 + (1 - x[i])**2, and its gradient in g. */

double chained(const double *x, double *g, long n)
{
    double value = 0;
    g[0] = 0;
    for (long i = 0; i < n - 1; i++) {
        double rest = x[i + 1] - x[i] * x[i];
        double one = 1 - x[i];
        value += 100 * rest * rest + one * one;
        g[i] += -400 * x[i] * rest - 2 * one;
        g[i + 1] = 200 * rest;
    }
    return value;
}

/* The same so many times: what one call costs without its caller. */
double chained_again(const double *x, double *g, long n, long times)
{
    double value = 0;
    for (long k = 0; k < times; k++) {
        value = chained(x, g, n);
        __asm__ volatile("" : : "r"(x), "r"(g) : "memory"); /* nothing moves past this */
    }
    return value;
}
