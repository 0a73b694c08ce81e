"""Functions of vectors in machine code, by polynomials."""
