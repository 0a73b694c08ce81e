"""Compile formulas to Programs; execute or print them: Python, NumPy, LLVM, mpmath, JavaScript."""
