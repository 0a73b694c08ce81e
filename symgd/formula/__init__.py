"""Text <-> graph <-> SymPy: tokens, parser, nodes, the table of functions, printers."""
