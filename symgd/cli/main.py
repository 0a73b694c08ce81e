"""The command line as a whole: its streams, its commands, its exit code."""

import gc
import sys

from symgd.cli.console import USAGE, console, write_message
from symgd.cli.interrupts import listen


def run() -> None:
    """Run the command line and leave with its exit code."""
    listen()
    gc.disable()  # imports make much and free nothing; the commands enable it before a run
    try:
        with console():
            from symgd.cli.app import app

            app(prog_name="symgd")
    except MemoryError as error:
        write_message(f"there is not enough memory: {error}".rstrip(": "))
        sys.exit(USAGE)
