"""A process whose standard output or error is a terminal."""

import os
import subprocess
import sys

from tests.hang_guard import HUNG


def run_on_terminal(code, argument, stream, env, watch=None):
    """(exit code, what the terminal saw) of Python code. stream: "stdout" or "stderr".

    watch: called with the process and what was seen so far, again and again.
    """
    import pty

    ours, theirs = pty.openpty()
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: theirs}
    child = subprocess.Popen([sys.executable, "-c", code, argument], env=env, **streams)
    os.close(theirs)
    seen = b""
    try:
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
            if not piece:
                break
            seen += piece
            if watch is not None:
                watch(child, seen)
        return child.wait(timeout=HUNG), seen.decode()
    finally:
        child.kill()
        child.wait()
        os.close(ours)
