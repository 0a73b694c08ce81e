"""The program `symgd`, which is also `python -m symgd`: Ctrl-C first, then the command line."""

# The module signal imports enum, whose classes make a RuntimeError of a KeyboardInterrupt.
import _signal  # type: ignore[import-not-found]
import os


def main() -> None:
    """Run the command line and leave with its exit code (the console script's entry point)."""
    try:
        if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
            _signal.signal(_signal.SIGINT, lambda *_: os._exit(130))
        from symgd.cli.main import run

        run()
    except KeyboardInterrupt:
        os._exit(130)  # what a shell reports for a program that SIGINT ended


if __name__ == "__main__":
    main()
