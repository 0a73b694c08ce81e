"""Loss, gradient and Hessian as SymPy expressions, and the program that runs."""

import symgd

loss = symgd.Loss("(1 - x)**2 + 100*(y - x**2)**2")
print(loss.gradient["x"])
print(loss.hessian)
print(loss.program)
