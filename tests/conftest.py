"""What every test may rely on."""

import os
import signal
from functools import cache

import pytest
import typer.testing
from hypothesis import HealthCheck, settings

from symgd.backends import compiler, dispatch
from symgd.backends.program import Program
from tests.backends.check_program import check_program

# Before JAX is imported, an oracle that runs each of its programs once.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

# A program makes its commands once; Typer's runner would make them again for every call.
typer.testing._get_command = cache(typer.testing._get_command)

# The same examples in every run, however slowly they are drawn.
settings.register_profile(
    "symgd", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("symgd")


def pytest_configure():
    # A run in the background inherits an ignored SIGINT; the tests of Ctrl-C, and the processes
    # that they start, need the usual one.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    compiler.Program = lambda *fields: check_program(Program(*fields))


@pytest.fixture(scope="session")
def browser():
    """A Chromium for all tests of a worker."""
    from tests.chromium import WHY_NOT, Browser  # needs POSIX

    if WHY_NOT:
        pytest.skip(WHY_NOT)
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _warnings_of_backends_come_again():
    """A backend that is missing is said once in a process, which many tests share."""
    dispatch._warn.cache_clear()
