"""Compile LLVM IR to machine code in this process with llvmlite."""

from __future__ import annotations

import ctypes
import ctypes.util
import platform
import re
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from symgd._locks import hold_in_forks
from symgd.backends.native.elementary import SYMBOLS, python_function
from symgd.backends.native.postponed_interrupts import interrupts_postponed

#: Functions outside the module neither read nor write memory, and return.
ATTRIBUTES = "attributes #0 = { nounwind willreturn memory(none) }"

#: Processors that decode a jump again in every iteration if it crosses or ends at 32 bytes (Intel's
#: erratum SKX102); LLVM can align the jumps. Without, a loop of steps took 1.15 times as long.
_JUMPS_WITHIN_32_BYTES = {"skylake", "skylake-avx512", "cascadelake", "cooperlake"}

_KEPT = 64  # compiled modules and kernels that stay in memory

Made = TypeVar("Made")


@dataclass
class Module:
    """Machine code. It lives as long as this object or one of its functions does.

    calls_python: whether it calls back into Python, for which threads take turns.
    """

    engine: Any
    calls_python: bool = False
    functions: dict[str, Any] = field(default_factory=dict)

    def function(self, name: str, arguments: int) -> Callable[..., int]:
        """The entry point of this name: pointers -> int64. Releases the interpreter lock."""
        if name not in self.functions:
            address = self.engine.get_function_address(name)
            kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * arguments)
            self.functions[name] = entry = kind(address)
            entry.engine = self.engine  # type: ignore[attr-defined] # keeps the engine alive
        return self.functions[name]  # type: ignore[no-any-return]

    def address(self, name: str) -> int:
        """The address of the function of this name."""
        return int(self.engine.get_function_address(name))


class Interrupted(threading.local):
    """An exception in Python code that a kernel called, which machine code cannot propagate.

    Thread-local: an exception in one thread does not concern kernels in other threads.
    """

    error: BaseException | None = None

    def check(self) -> None:
        """Raise what was caught, once."""
        error, self.error = self.error, None
        if error is not None:
            raise error


interrupted = Interrupted()
_memory: dict[tuple[Any, ...], Any] = {}


@cache
def unavailable() -> str:
    """Empty if machine code can be made here, else the reason why not."""
    try:
        import llvmlite.binding as llvm

        if llvm.llvm_version_info < (20,):  # whose pointers have types
            return "llvmlite is too old: 0.45 or later is needed"
        _target()
    except (ImportError, OSError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def remembered(key: tuple[Any, ...], make: Callable[[], Made]) -> Made:
    """The result of `make()`, from a cache of recent keys."""
    found = _memory.pop(key, None)  # atomic: another thread may look up the same key
    if found is None:
        found = make()
    _memory[key] = found
    while len(_memory) > _KEPT:
        _memory.pop(next(iter(list(_memory))), None)
    return found  # type: ignore[no-any-return]


def compile_module(source: str) -> Module:
    """The module's machine code, from the cache where the same source was compiled before."""
    return remembered((source,), lambda: compile_alone(source))


@interrupts_postponed()  # within llvmlite they may free memory twice
def compile_alone(source: str, speed: int = 3, *, has_vectors: bool = False) -> Module:
    """The module's machine code, compiled anew: it may hold addresses of other modules.

    speed: LLVM's optimization level, 1 to 3. has_vectors: its loops are over vectors already, so
    that LLVM need neither make some nor unroll them: which takes it as long as all the rest.
    """
    import llvmlite.binding as llvm

    calls_python = _bind(source)
    module = llvm.parse_assembly(source)
    module.verify()
    machine = _target().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=_features(), opt=speed, jit=True
    )
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=speed)
    options.loop_vectorization = speed > 1 and not has_vectors
    if has_vectors:
        options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    passes = builder.getModulePassManager()
    passes.run(module, builder)
    _free(passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return Module(engine, calls_python)


def _free(passes: Any) -> None:
    """Free a pass manager, of 100 kB: llvmlite's `close` finds a `_dispose` that does nothing.

    The class inherits from ObjectRef, whose method is empty, before the class that frees.
    """
    import llvmlite.binding as llvm

    kinds: tuple[Any, ...] = type(passes).__mro__
    for kind in kinds:
        if kind is not llvm.ffi.ObjectRef and "_dispose" in vars(kind):
            kind._dispose(passes)
            passes.detach()  # so that nothing frees it again
            return


@cache
@interrupts_postponed()
def _target() -> Any:
    import llvmlite.binding as llvm

    lock = getattr(llvm.ffi.lib, "_lock", None)  # which llvmlite holds in every call
    if lock is not None:
        hold_in_forks(lock)
    if llvm.get_host_cpu_name() in _JUMPS_WITHIN_32_BYTES:
        llvm.set_option("symgd", "-x86-branches-within-32B-boundaries")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple()


@cache
@interrupts_postponed()
def _features() -> str:
    import llvmlite.binding as llvm

    return str(llvm.get_host_cpu_features().flatten())


def lanes() -> int:
    """How many doubles the widest vector register of this processor holds."""
    features = set(_features().split(","))
    return 8 if "+avx512f" in features else 4 if "+avx" in features else 2


@cache
def fused() -> bool:
    """Whether this processor multiplies and adds in one instruction, rounding once."""
    return "+fma" in _features().split(",") or platform.machine() in ("aarch64", "arm64")


@cache
def vector_symbol(symbol: str, arguments: int) -> tuple[str, int] | None:
    """The C library's form of a function for vectors of doubles, and their width, or None.

    glibc's libmvec has them on x86-64, more in each release. They err by up to 4 ulp.
    """
    library = _vectors()
    if library is None or symbol not in SYMBOLS:
        return None
    features = set(_features().split(","))
    known = (("e", 8, "+avx512f"), ("d", 4, "+avx2"), ("c", 4, "+avx"), ("b", 2, "+sse2"))
    letter, width = next(((k, w) for k, w, needs in known if needs in features), ("b", 2))
    name = f"_ZGV{letter}N{width}{'v' * arguments}_{symbol}"
    return (name, width) if hasattr(library, name) else None


@cache
def _vectors() -> Any:
    if platform.machine() not in ("x86_64", "AMD64"):
        return None
    try:
        return ctypes.CDLL("libmvec.so.1")
    except OSError:
        return None


def _bind(source: str) -> bool:
    """Register the functions that the module calls with LLVM; whether one of them is Python's."""
    import llvmlite.binding as llvm

    declared = r"^declare (?:double|<\d+ x double>) @(\w+)\("
    symbols = set(re.findall(declared, source, re.MULTILINE))
    for symbol in symbols:
        llvm.add_symbol(symbol, _address(symbol))
    return any(symbol in _callbacks for symbol in symbols)


@cache
def _address(symbol: str) -> int:
    if symbol.startswith("_ZGV"):
        return ctypes.cast(getattr(_vectors(), symbol), ctypes.c_void_p).value or 0
    if symbol in SYMBOLS:
        return ctypes.cast(getattr(_library(), symbol), ctypes.c_void_p).value or 0
    _callbacks[symbol] = _callback(*python_function(symbol))
    return ctypes.cast(_callbacks[symbol], ctypes.c_void_p).value or 0


_callbacks: dict[str, Any] = {}  # for the life of the process: machine code holds their addresses


@cache
def _library() -> Any:
    return ctypes.CDLL(ctypes.util.find_library("m") or None)


def _callback(scalar: Callable[..., float], arguments: int) -> Any:
    def call(*args: float) -> float:
        try:
            return scalar(*args)
        except BaseException as error:
            interrupted.error = error
            return float("nan")

    _handle_early_interrupts()
    _called.append(call)
    return ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_double] * arguments)(call)


_called: list[Callable[..., float]] = []  # what ctypes calls


@cache
def _handle_early_interrupts() -> None:
    """Record an exception that is raised at the entry of a callback, before its `try`.

    Else ctypes would print it and the kernel go on with 0: wrong numbers, and no Ctrl-C.
    """
    before = sys.unraisablehook

    def hook(what: Any) -> None:
        if any(what.object is call for call in _called):
            interrupted.error = what.exc_value
        else:
            before(what)

    sys.unraisablehook = hook


def source(functions: Sequence[str], declared: set[str]) -> str:
    """A whole module from its function definitions and declarations."""
    return "\n".join([*functions, *sorted(declared), ATTRIBUTES]) + "\n"


def pointers(names: Iterable[str]) -> str:
    """The arguments of a function that gets the addresses of separate arrays."""
    return ", ".join(f"ptr noalias %{name}" for name in names)
