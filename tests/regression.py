"""Regressions in plain NumPy, for tests to compare with."""

import numpy as np


def decay(x, y, theta=(2.0, 1.0, 0.5)):
    """a*exp(-b*x) + c by Gauss-Newton: (estimates, covariance)."""
    theta = np.array(theta)
    for _ in range(30):
        e = np.exp(-theta[1] * x)
        design = np.column_stack([e, -theta[0] * x * e, np.ones_like(x)])
        residual = y - (theta[0] * e + theta[2])
        theta = theta + np.linalg.lstsq(design, residual)[0]
    variance = residual @ residual / (len(x) - 3)
    return theta, variance * np.linalg.inv(design.T @ design)


def m_estimate(design, y, slope, curvature):
    """The minimum of sum(rho(r)), r = y - design @ theta, by Newton: (estimates, sandwich).

    slope, curvature: the derivatives of rho. The sandwich holds the factor n/(n - p).
    """
    theta, (n, p) = np.linalg.lstsq(design, y)[0], design.shape
    for _ in range(30):
        r = y - design @ theta
        bread = np.linalg.inv(design.T @ (design * curvature(r)[:, None]))
        theta = theta + bread @ (design.T @ slope(r))
    meat = design.T @ (design * (slope(r) ** 2)[:, None])
    return theta, bread @ meat @ bread * n / (n - p)
