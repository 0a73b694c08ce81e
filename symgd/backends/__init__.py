"""Machines that run a Program. `lambdified` is the reference; the native one is yet to come."""
