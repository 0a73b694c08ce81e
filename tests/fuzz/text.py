"""A tree -> the formula as people may type it."""

from __future__ import annotations

from random import Random

from .tree import RELATIONS, Tree

_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = 1, 2, 3, 4, 5
_ALIASES = {
    "log": "ln", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "sigmoid": "expit",
    "abs": "Abs", "ceil": "ceiling", "heaviside": "Heaviside", "max": "Max", "min": "minimum",
    "atan2": "arctan2", "asinh": "arcsinh", "atanh": "arctanh", "loggamma": "lgamma",
}  # fmt: skip
_LETTERS = {"alpha": "α", "theta": "θ", "lambda": "λ", "pi": "π"}
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def write(tree: Tree, rng: Random | None = None) -> str:
    """The text of the tree, every operator as it stands there; rng: draws among the spellings."""
    return _Writer(rng).text(tree)


class _Writer:
    def __init__(self, rng: Random | None) -> None:
        self.rng = rng

    def odds(self, chance: float) -> bool:
        return self.rng is not None and self.rng.random() < chance

    def text(self, tree: Tree, level: int = 0) -> str:
        """The tree, in parentheses where it binds looser than `level`."""
        text, own = self.piece(tree, level)
        return f"({text})" if own < level else text

    def piece(self, tree: Tree, level: int) -> tuple[str, int]:
        op, args = tree.op, tree.args
        if op == "number":
            return _number(float(tree.value)), _ATOM
        if not args:
            spelled = str(tree.value)
            return _LETTERS.get(spelled, spelled) if self.odds(0.2) else spelled, _ATOM
        if op in "+-":
            gap = "" if self.odds(0.2) else " "
            second = self.text(args[1], _PRODUCT)
            sign = "−" if op == "-" and self.odds(0.05) else op
            return f"{self.text(args[0], _SUM)}{gap}{sign}{gap}{second}", _SUM
        if op in "*/":
            return self.product(tree, level), _PRODUCT
        if op == "neg":
            return "-" + self.text(args[0], _POWER), _SIGN
        if op == "**":
            return self.power(tree)
        if op in RELATIONS:
            return f"{self.text(args[0], _SUM)} {op} {self.text(args[1], _SUM)}", 0
        if op in ("and", "or"):
            return f" {op} ".join(f"({self.text(a)})" for a in args), 0
        if op == "not":
            return f"not ({self.text(args[0])})", 0
        return self.call(tree)

    def product(self, tree: Tree, level: int) -> str:
        left, right = tree.args
        first = self.text(left, _PRODUCT)
        second = self.text(right, _SIGN)
        if tree.op == "/":
            return f"{first}{'÷' if self.odds(0.03) else '/'}{second}"
        # 2x: only where it is a whole term, or it could be read in two ways
        follows = second[0] == "(" or (second[0].isalpha() and second[0] not in "eE")
        number = left.op == "number" and "e" not in first and first != "0"
        joined = level <= _SUM and number and follows
        if joined and self.odds(0.3):
            return first + second
        return f"{first}{'·' if self.odds(0.05) else '*'}{second}"

    def power(self, tree: Tree) -> tuple[str, int]:
        base, exponent = (self.text(a, _POWER + 1 - k) for k, a in enumerate(tree.args))
        whole = tree.args[1].op == "number" and exponent in set("23456789")
        if whole and self.odds(0.2):
            return base + exponent.translate(_SUPERSCRIPTS), _POWER
        if tree.args[1].op == "neg":
            exponent = self.text(tree.args[1], _SIGN)
        return f"{base}{'^' if self.odds(0.4) else '**'}{exponent}", _POWER

    def call(self, tree: Tree) -> tuple[str, int]:
        inner = ", ".join(self.text(a) for a in tree.args)
        if tree.op == "abs" and "|" not in inner and self.odds(0.3):
            return f"|{inner}|", _ATOM
        if tree.op == "sqrt" and self.odds(0.2):
            return f"√({inner})", _SIGN
        called = _ALIASES.get(tree.op, tree.op) if self.odds(0.2) else tree.op
        return f"{called}({inner})", _ATOM


def _number(value: float) -> str:
    text = repr(value)
    return text.removesuffix(".0")
