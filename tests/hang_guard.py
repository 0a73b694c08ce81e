"""The only limit of time in the tests: for what never ends, on however busy a machine."""

HUNG = 600  # seconds
