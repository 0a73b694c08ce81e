"""Text <-> graph <-> SymPy: tokens, grammar, nodes, the table of functions, printing."""
