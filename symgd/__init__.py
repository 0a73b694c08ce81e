"""symgd: type a loss, get its exact gradient, a descent, and the reason why it did what it did."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgd.catalogue import CATALOGUE
    from symgd.descent import descend, gradient_descent, single_step_gradient_descent
    from symgd.engine import Step
    from symgd.errors import (
        ArgumentError,
        BackendError,
        DataError,
        DescentError,
        FormulaError,
        RuleError,
        SymgdError,
    )
    from symgd.function_descent import descend_with
    from symgd.functions import FUNCTIONS
    from symgd.grid import Sweep, sweep
    from symgd.loss import Loss
    from symgd.program import Program
    from symgd.result import History, Result, Status, Verdict
    from symgd.rules import Rule

__version__ = "0.1.0"

# Loaded on first use: `symgd --version` needs neither SymPy nor NumPy.
_WHERE = {
    "ArgumentError": "errors",
    "BackendError": "errors",
    "CATALOGUE": "catalogue",
    "DataError": "errors",
    "DescentError": "errors",
    "FUNCTIONS": "functions",
    "FormulaError": "errors",
    "History": "result",
    "Loss": "loss",
    "Program": "program",
    "Result": "result",
    "Rule": "rules",
    "RuleError": "errors",
    "Status": "result",
    "Step": "engine",
    "Sweep": "grid",
    "SymgdError": "errors",
    "Verdict": "result",
    "descend": "descent",
    "descend_with": "function_descent",
    "gradient_descent": "descent",
    "single_step_gradient_descent": "descent",
    "sweep": "grid",
}

__all__ = [
    "CATALOGUE",
    "FUNCTIONS",
    "ArgumentError",
    "BackendError",
    "DataError",
    "DescentError",
    "FormulaError",
    "History",
    "Loss",
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
    "descend",
    "descend_with",
    "gradient_descent",
    "single_step_gradient_descent",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'symgd' has no attribute {name!r}")
    return getattr(import_module(f"symgd.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
