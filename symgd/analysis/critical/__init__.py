"""Critical points: what SymPy solves, what a search finds, kinks; certified and classified."""
