"""Programs as machine code, through LLVM: whole chunks of steps per call.

Imports go one way: emit (operations) <- elementary (functions) <- machine (compiling) <- steps.
"""
