"""The program `symgd`: everything that happens before and after the commands of `cli.py`."""

import gc
import sys


def main() -> None:
    """Run the command line and leave with its exit code (the console script's entry point)."""
    gc.disable()  # imports make much and free nothing; `cli.py` enables it before a descent
    try:
        from symgd._console import console

        with console():
            from symgd.cli import app

            app(prog_name="symgd")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
