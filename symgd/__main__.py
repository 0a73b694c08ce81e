"""`python -m symgd` is `symgd`."""

from symgd.cli.console import main

if __name__ == "__main__":
    main()
