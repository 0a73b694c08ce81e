"""Compile Programs, whole descents and sweeps to machine code with LLVM."""
