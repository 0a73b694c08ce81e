"""Loop nests in machine code."""
