"""`python -m symgd` is `symgd`."""

from symgd._console import main

if __name__ == "__main__":
    main()
