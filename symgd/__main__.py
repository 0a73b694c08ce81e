"""`python -m symgd` is `symgd`."""

from symgd.cli.main import main

if __name__ == "__main__":
    main()
