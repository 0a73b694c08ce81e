"""A static proof that no output of a Program depends on a guarded value outside its guard.

A guarded symbol is `where(condition, expression, 0)`: right where the condition holds. What reads
it elsewhere is right only there too, and so on; outputs and sums over rows must be right always.
The proof goes once through the assignments and keeps, for each symbol, the literals (condition,
truth) under which it is right. conftest.py has it run on every Program that the tests compile.
"""

import sympy

from symgd.backends.program import Loop, Program
from symgd.formula.nodes import Both, Either, Name, Negated, Node, Where, is_condition

Literals = frozenset[tuple[int, bool]]
ALWAYS: Literals = frozenset()


def check_program(program: Program) -> Program:
    """The program; AssertionError where an output or a sum may hold the 0 of a failed guard."""
    if program.guarded:
        _Proof(program).run()
    return program


class _Proof:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.definitions: dict[Name, Node] = {}  # the symbols that stand for conditions
        self.right: dict[Name, Literals] = {}  # where a symbol is right, if not everywhere

    def run(self) -> None:
        """Go through the blocks in order."""
        for block in self.program.blocks:
            for symbol, expression in block.assignments:
                if is_condition(expression):
                    self.definitions[symbol] = expression
                needed = self._needed(expression, ALWAYS)
                if symbol in self.program.guarded:
                    needed |= self._guard(expression)
                if needed:
                    self.right[symbol] = needed
            for symbol, term in block.sums if isinstance(block, Loop) else ():
                self._assert_right(symbol.text, term)
        for name, node in self.program.outputs.items():
            self._assert_right(name, node)

    def _assert_right(self, name: str, node: Node) -> None:
        needed = self._needed(node, ALWAYS)
        assert not needed, f"{name} reads a guarded symbol outside its guard:\n{self.program}"

    def _guard(self, expression: Node) -> Literals:
        assert expression.func is Where, expression
        assert expression.args[2] is sympy.S.Zero, expression
        return self._literals(expression.args[0], True)

    def _needed(self, node: Node, facts: Literals) -> Literals:
        """The literals, besides `facts`, that must hold for the value of `node` to be right."""
        if isinstance(node, Name):
            return self.right.get(node, ALWAYS) - facts
        needed = ALWAYS
        for k, arg in enumerate(node.args):
            needed |= self._needed(arg, facts | self._read_under(node, k))
        return needed

    def _read_under(self, node: Node, k: int) -> Literals:
        """What holds wherever the value of `node` depends on its argument k."""
        if node.func is Where and k > 0:
            return self._literals(node.args[0], k == 1)
        if node.func in (Both, Either):
            before = (self._literals(a, node.func is Both) for a in node.args[:k])
            return ALWAYS.union(*before)
        return ALWAYS

    def _literals(self, condition: Node, truth: bool) -> Literals:
        """The literals whose conjunction is: the condition has this truth."""
        condition = self.definitions.get(condition, condition)
        if condition.func is Negated:
            return self._literals(condition.args[0], not truth)
        if condition.func is (Both if truth else Either):
            return ALWAYS.union(*(self._literals(a, truth) for a in condition.args))
        return frozenset({(id(condition), truth)})
