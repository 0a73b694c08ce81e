/* n steps on Rosenbrock's function (1 - x)**2 + 100*(y - x**2)**2, from and to p = {x, y}. */
#include <math.h>

void gd(double *p, double lr, long n)
{
    double x = p[0], y = p[1];
    for (long t = 1; t <= n; t++) {
        double rest = y - x * x;
        double gx = -2 * (1 - x) - 400 * x * rest;
        double gy = 200 * rest;
        x -= lr * gx;
        y -= lr * gy;
    }
    p[0] = x;
    p[1] = y;
}

void adam(double *p, double lr, double beta1, double beta2, double eps, long n)
{
    double x = p[0], y = p[1], mx = 0, my = 0, vx = 0, vy = 0;
    for (long t = 1; t <= n; t++) {
        double rest = y - x * x;
        double gx = -2 * (1 - x) - 400 * x * rest;
        double gy = 200 * rest;
        mx = beta1 * mx + (1 - beta1) * gx;
        my = beta1 * my + (1 - beta1) * gy;
        vx = beta2 * vx + (1 - beta2) * gx * gx;
        vy = beta2 * vy + (1 - beta2) * gy * gy;
        double bias1 = 1 - pow(beta1, t), bias2 = 1 - pow(beta2, t);
        x -= lr * (mx / bias1) / (sqrt(vx / bias2) + eps);
        y -= lr * (my / bias1) / (sqrt(vy / bias2) + eps);
    }
    p[0] = x;
    p[1] = y;
}
