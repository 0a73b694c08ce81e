"""symgd: type a loss, get its exact gradient, a descent, and the reason why it did what it did."""

# Few imports: before they are done, the program cannot say what Ctrl-C does (__main__.py).
from symgd._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from symgd.backends.program import Program
    from symgd.descent.compare import Comparison, compare
    from symgd.descent.descend import descend, gradient_descent, single_step_gradient_descent
    from symgd.descent.descend_with import descend_with
    from symgd.descent.engine import Step
    from symgd.descent.explain import Explanation, explain
    from symgd.descent.sweep import Sweep, sweep
    from symgd.errors import (
        ArgumentError,
        BackendError,
        DataError,
        DescentError,
        FormulaError,
        PrecisionError,
        RuleError,
        SymgdError,
    )
    from symgd.fits.fit import fit
    from symgd.fits.fit_result import Estimate, FitResult
    from symgd.formula.functions.table import FUNCTIONS
    from symgd.formula.tokens import Limits
    from symgd.model.catalogue import CATALOGUE
    from symgd.model.history import History
    from symgd.model.loss import Loss
    from symgd.model.result import Result, Status, Verdict
    from symgd.model.rules import Rule
    from symgd.report.saved_fits import load

# Loaded on first use: `symgd --version` needs neither SymPy nor NumPy.
_WHERE = {
    "ArgumentError": "errors",
    "BackendError": "errors",
    "CATALOGUE": "model.catalogue",
    "Comparison": "descent.compare",
    "DataError": "errors",
    "DescentError": "errors",
    "Estimate": "fits.fit_result",
    "Explanation": "descent.explain",
    "FUNCTIONS": "formula.functions.table",
    "FitResult": "fits.fit_result",
    "FormulaError": "errors",
    "History": "model.history",
    "Limits": "formula.tokens",
    "Loss": "model.loss",
    "PrecisionError": "errors",
    "Program": "backends.program",
    "Result": "model.result",
    "Rule": "model.rules",
    "RuleError": "errors",
    "Status": "model.result",
    "Step": "descent.engine",
    "Sweep": "descent.sweep",
    "SymgdError": "errors",
    "Verdict": "model.result",
    "compare": "descent.compare",
    "descend": "descent.descend",
    "descend_with": "descent.descend_with",
    "explain": "descent.explain",
    "fit": "fits.fit",
    "gradient_descent": "descent.descend",
    "load": "report.saved_fits",
    "single_step_gradient_descent": "descent.descend",
    "sweep": "descent.sweep",
}

__all__ = [
    "CATALOGUE",
    "FUNCTIONS",
    "ArgumentError",
    "BackendError",
    "Comparison",
    "DataError",
    "DescentError",
    "Estimate",
    "Explanation",
    "FitResult",
    "FormulaError",
    "History",
    "Limits",
    "Loss",
    "PrecisionError",
    "Program",
    "Result",
    "Rule",
    "RuleError",
    "Status",
    "Step",
    "Sweep",
    "SymgdError",
    "Verdict",
    "__version__",
    "compare",
    "descend",
    "descend_with",
    "explain",
    "fit",
    "gradient_descent",
    "load",
    "single_step_gradient_descent",
    "sweep",
]


_ROOMS = ("data", "sklearn")  # public as modules: `import symgd; symgd.data.read_table("x.csv")`


def __getattr__(name: str) -> "Any":
    from importlib import import_module

    import_module("symgd._locks")  # from here on a fork waits for imports in other threads
    if name in _ROOMS:
        return import_module(f"symgd.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'symgd' has no attribute {name!r}")
    return getattr(import_module(f"symgd.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
