"""Peak resident memory of this process; imports nothing of the package, so it adds nothing."""

from __future__ import annotations

import sys


def peak() -> float | None:
    """In MB; None where the system does not say.

    VmHWM is this process's own; ru_maxrss starts at that of the process that forked it.
    """
    try:
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    except (OSError, StopIteration):
        try:
            import resource
        except ImportError:
            return None
        unit = 1024**2 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
