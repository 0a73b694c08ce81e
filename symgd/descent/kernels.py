"""Which kernel runs the steps of a descent: by the kind of its loss, rate and backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from symgd.backends.compiler import compile_program
from symgd.backends.dispatch import AUTO, choose_rows, compiled, machine_rows, may_compile
from symgd.backends.lambdified import compile_total
from symgd.descent.array_kernel import ArrayLineSearchKernel, ArrayStepKernel, array_batches
from symgd.descent.array_rule import ArrayRule
from symgd.descent.choose_backend import DescentTask, choose, late
from symgd.descent.kernel import Kernel, StepKernel
from symgd.descent.line_search import LineSearchKernel
from symgd.descent.minibatches import Batch, BatchKernel, Sampler
from symgd.descent.step_program import settles, step_outputs
from symgd.errors import ArgumentError
from symgd.formula.nodes import ROWS
from symgd.model.arguments import Arguments
from symgd.model.array_internals import ArrayInternals
from symgd.model.loss import Loss

if TYPE_CHECKING:
    from symgd.descent.native_kernel import ArrayKernel

Evaluate: TypeAlias = Callable[..., list[float]]


def kernel_of(work: DescentTask, backend: str) -> tuple[Kernel, Evaluate]:
    """What runs the steps, and what evaluates loss and gradient at its end."""
    internals = work.loss.internals
    if isinstance(internals, ArrayInternals):
        return _array_kernel(work), internals.evaluate
    if internals.rows is not None:
        return _row_kernel(work)
    if work.arguments.schedule.auto:
        return _line_search(work, backend), internals.evaluate
    kernel = choose(backend, work)
    return kernel, getattr(kernel, "evaluate", None) or internals.evaluate


def _line_search(work: DescentTask, backend: str) -> Kernel:
    if not may_compile(backend):
        return _searching(work, compiles=False)

    def fast() -> Kernel | None:
        from symgd.descent.native_kernel import (
            CompiledGradient,
            NativeArraySearch,
            NativeLineSearch,
        )

        loss, tail = work.loss, work.tail
        if not work.large:
            made = (loss, work.program, len(loss.params), tail)
            return compiled(lambda: NativeLineSearch(*made), requested=backend != AUTO)
        rule = ArrayRule(work.arguments, work.values, dict.fromkeys(loss.params, 1))
        if not rule.plain:
            return None
        return compiled(
            lambda: NativeArraySearch(loss, rule, tail, CompiledGradient.written_out(loss))
        )

    if backend != AUTO or work.large:
        return fast() or _searching(work, compiles=work.large)
    return late(_searching(work, compiles=False), fast, work)


def _searching(work: DescentTask, compiles: bool) -> Kernel:
    """The line search in Python. compiles: whether what it evaluates is machine code."""
    internals, count = work.loss.internals, len(work.loss.params)
    function, value = None, internals.evaluate_value
    if compiles:
        from symgd.backends.native.array_module import compile_arrays

        step = compiled(lambda: compile_arrays(work.program))
        alone = compiled(lambda: compile_arrays(internals.value_program))
        if step is not None and alone is not None:
            function, value = step.at, alone.at
    call = function or compile_total(work.program)
    states = sum(work.arguments.rule.widths(count))
    return LineSearchKernel(states, count, work.tail, value, call)


def _array_kernel(work: DescentTask) -> Kernel:
    auto = work.arguments.schedule.auto
    return ArrayLineSearchKernel.of(work) if auto else ArrayStepKernel.of(work)


def _row_kernel(work: DescentTask) -> tuple[Kernel, Evaluate]:
    loss, arguments, program = work.loss, work.arguments, work.program
    rows, evaluate = loss.internals.rows, loss.internals.evaluate
    assert rows is not None
    count, tail = len(loss.params), (*work.tail, *rows.more(program))
    passes = arguments.steps * work.runs
    if rows.one_block and machine_rows(rows.backend, program, rows.table.rows, passes):
        native = _native_rows(work)
        if native is not None:
            return native, native.evaluate
    function = rows.run(program, passes)
    if arguments.schedule.auto:
        states = sum(arguments.rule.widths(count))
        value = loss.internals.evaluate_value
        return LineSearchKernel(states, count, tail, value, function), evaluate
    return StepKernel(program, count, tail, settles(arguments), function), evaluate


def _native_rows(work: DescentTask) -> ArrayKernel | None:
    """The steps over a small table in machine code, where there is some and the rule allows it."""
    from symgd.descent.native_kernel import ArrayKernel, CompiledGradient, NativeArraySearch

    loss, arguments, tail = work.loss, work.arguments, work.tail
    rule = ArrayRule(arguments, work.values, dict.fromkeys(loss.params, 1))
    machine = loss.internals.row_machine if rule.plain else None
    if machine is None:
        return None
    gradient = CompiledGradient.over_rows(loss, machine)
    if arguments.schedule.auto:
        return compiled(lambda: NativeArraySearch(loss, rule, tail, gradient))
    return compiled(lambda: ArrayKernel(loss, rule, tail, settles(arguments), gradient))


def batch_kernel(
    loss: Loss, arguments: Arguments, values: Mapping[str, float], sampler: Sampler
) -> Kernel:
    """What runs the steps on batches of the data, or ArgumentError."""
    if arguments.schedule.auto:
        raise ArgumentError("the line search (lr auto) needs the whole data, not a batch of it")
    inner = loss.internals

    def whole(x: Sequence[float]) -> tuple[float, list[float]]:
        value, *grad = inner.evaluate(*x)
        return value, grad if inner.box is None else inner.box.projected(x, grad)

    if isinstance(inner, ArrayInternals):
        of_arrays = ArrayStepKernel.of(DescentTask(loss, arguments, values))
        return array_batches(of_arrays, inner, sampler, whole)
    assert inner.rows is not None
    inputs, outputs = step_outputs(loss, arguments.rule, arguments.schedule, list(values))
    program = compile_program([*inputs, ROWS], outputs)
    tail = DescentTask(loss, arguments, values).tail
    function = choose_rows(inner.rows.backend, program, sampler.size, arguments.steps)
    seen = Batch()
    step = StepKernel(program, len(loss.params), (*tail, 0.0), False, lambda *x: function(x, seen))

    def see(rows: Mapping[str, Any]) -> None:
        seen.rows = rows
        step.tail = (*tail, float(len(next(iter(rows.values())))))

    return BatchKernel(step, see, sampler, whole)
