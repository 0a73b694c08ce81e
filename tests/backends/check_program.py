"""A static proof that no output of a Program depends on a guarded result outside its guard.

A guarded result may be anything where its guard does not hold. So what reads it must be under the
same guard, or be the branch of a select that the guard's conditions choose; outputs and sums over
rows are read always. conftest.py has the proof run on every Program that the tests compile.
"""

from symgd.backends.program import Nest, Program

Literals = frozenset[tuple[str, bool]]
ALWAYS: Literals = frozenset()


def check_program(program: Program) -> Program:
    """The program; AssertionError where something may read a result outside its guard."""
    guards: dict[str, Literals] = dict.fromkeys(program.names, ALWAYS)
    for block in program.blocks:
        if isinstance(block, Nest):
            guards.update(dict.fromkeys(block.loads, ALWAYS))
        for operation in block.body:
            holds: Literals = ALWAYS
            for name, truth in operation.guard:  # asked one after the other
                _assert_read(program, name, guards[name], holds)
                holds |= {(name, truth)}
            for k, argument in enumerate(operation.arguments):
                facts = holds
                if operation.name == "select" and k > 0:
                    facts |= {(operation.arguments[0], k == 1)}
                if isinstance(argument, str):
                    _assert_read(program, argument, guards[argument], facts)
            guards[operation.result] = holds
        for store in block.stores if isinstance(block, Nest) else ():
            _assert_read(program, store.value, guards.get(store.value, ALWAYS), ALWAYS)
            guards[store.target] = ALWAYS
    for operand in program.outputs.values():
        _assert_read(program, operand, guards.get(operand, ALWAYS), ALWAYS)
    return program


def _assert_read(program: Program, name: object, guard: Literals, facts: Literals) -> None:
    assert guard <= facts, f"{name} is read outside its guard:\n{program}"
