"""The lines of Python that a call runs: what must be quick is judged by them, not by a clock."""

import sys


class TooManyLines(BaseException):  # nothing but a test's runner catches it
    """A call that went on and on."""


def lines_of(call, most):
    """(what the call returns, the lines that it ran); TooManyLines at once where they are more."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += event == "line"
        if count > most:
            raise TooManyLines(f"more than {most:,} lines of Python")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        result = call()
    finally:
        sys.settrace(before)
    return result, count
