"""Powers of the step number, beta**t, without a call of pow at every step.

A base that does not change from step to step is multiplied on in twice the precision (T. J. Dekker,
1971, A floating-point technique for extending the available precision, Numer. Math. 18) with the
exponent apart, so the power is correctly rounded in all but about one case in 2**40, and does not
depend on where the counting began. Outside the normal numbers the C library's pow takes over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from symgd.backends.native.translate import Emitter, Value
from symgd.backends.operations import Operation
from symgd.backends.program import Program

#: A power is kept as (high, low, exponent): high in [1, 2), the value (high + low)*2**exponent.
FUNCTIONS = """
define internal void @power_scale(ptr %s, double %h, double %l, i64 %e) alwaysinline {
  %bits = bitcast double %h to i64
  %top = lshr i64 %bits, 52
  %field = and i64 %top, 2047
  %k = sub i64 %field, 1023
  %back = sub i64 2046, %field
  %raised = shl i64 %back, 52
  %scale = bitcast i64 %raised to double
  %high = fmul double %h, %scale
  %low = fmul double %l, %scale
  %sum = add i64 %e, %k
  %at1 = getelementptr double, ptr %s, i64 1
  %at2 = getelementptr i64, ptr %s, i64 2
  store double %high, ptr %s
  store double %low, ptr %at1
  store i64 %sum, ptr %at2
  ret void
}

define internal void @power_times(ptr %s, double %h2, double %l2, i64 %e2) alwaysinline {
  %at1 = getelementptr double, ptr %s, i64 1
  %at2 = getelementptr i64, ptr %s, i64 2
  %h1 = load double, ptr %s
  %l1 = load double, ptr %at1
  %e1 = load i64, ptr %at2
  %p = fmul double %h1, %h2
  %m = fneg double %p
  %r = call double @llvm.fma.f64(double %h1, double %h2, double %m)
  %x = fmul double %h1, %l2
  %y = fmul double %l1, %h2
  %xy = fadd double %x, %y
  %error = fadd double %r, %xy
  %h = fadd double %p, %error
  %d = fsub double %h, %p
  %l = fsub double %error, %d
  %e = add i64 %e1, %e2
  call void @power_scale(ptr %s, double %h, double %l, i64 %e)
  ret void
}

define internal void @power_start(ptr %s, double %b, i64 %t) noinline {
entry:
  %q = alloca [3 x double]
  %one = getelementptr double, ptr %q, i64 1
  %two = getelementptr i64, ptr %q, i64 2
  call void @power_scale(ptr %s, double 1.0, double 0.0, i64 0)
  call void @power_scale(ptr %q, double %b, double 0.0, i64 0)
  %above = fcmp ogt double %b, 0x0170000000000000
  %below = fcmp olt double %b, 0x7E70000000000000
  %good = and i1 %above, %below
  br i1 %good, label %loop, label %bad
bad:
  %at2 = getelementptr i64, ptr %s, i64 2
  store i64 1099511627776, ptr %at2
  ret void
loop:
  %left = phi i64 [ %t, %entry ], [ %rest, %next ]
  %h = load double, ptr %q
  %l = load double, ptr %one
  %e = load i64, ptr %two
  %bit = and i64 %left, 1
  %odd = icmp eq i64 %bit, 1
  br i1 %odd, label %multiply, label %next
multiply:
  call void @power_times(ptr %s, double %h, double %l, i64 %e)
  br label %next
next:
  call void @power_times(ptr %q, double %h, double %l, i64 %e)
  %rest = lshr i64 %left, 1
  %more = icmp ne i64 %rest, 0
  br i1 %more, label %loop, label %done
done:
  ret void
}

define internal double @power_value(ptr %s, double %b, double %t) alwaysinline {
entry:
  %at2 = getelementptr i64, ptr %s, i64 2
  %e = load i64, ptr %at2
  %moved = add i64 %e, 1020
  %normal = icmp ult i64 %moved, 2040
  br i1 %normal, label %usual, label %edge
usual:
  %h = load double, ptr %s
  %field = add i64 %e, 1023
  %bits = shl i64 %field, 52
  %unit = bitcast i64 %bits to double
  %v = fmul double %h, %unit
  ret double %v
edge:
  %gone = icmp slt i64 %e, -1080
  br i1 %gone, label %zero, label %call
zero:
  ret double 0.0
call:
  %p = call double @pow(double %b, double %t)
  ret double %p
}

define internal double @steady_power(double %b, double %t) nounwind willreturn memory(none) {
  %s = alloca [3 x double]
  %n = fptosi double %t to i64
  call void @power_start(ptr %s, double %b, i64 %n)
  %v = call double @power_value(ptr %s, double %b, double %t)
  ret double %v
}
"""

_DECLARED = (
    "declare double @pow(double, double) #0",
    "declare double @llvm.fma.f64(double, double, double)",
)


def powers_of(program: Program, t: str, fixed: Iterable[str]) -> list[Operation]:
    """The operations base**t of a program whose base is one of the fixed inputs."""
    known = set(fixed)
    return [
        o
        for o in program.body
        if o.name == "pow" and o.arguments[1] == t and o.arguments[0] in known
    ]


def corrections(program: Program, powers: Sequence[Operation]) -> list[Operation]:
    """The operations 1 - base**t, if they are all that reads these powers; else none.

    Adam and its kin divide by them. One that has become 1 stays 1 if base >= 0, and to divide by it
    changes nothing: from then on it may be left out, and so may the powers.
    """
    names = {power.result for power in powers}
    found = [
        o
        for o in program.body
        if o.name == "sub" and o.arguments[0] == 1 and o.arguments[1] in names
    ]
    readers = sum(name in names for o in program.body for name in o.names)
    return found if len(found) == readers == len(powers) else []


class Powers:
    """The powers of one loop over the steps: begun before it, moved on in every step.

    corrections: by `corrections`, of each power or none at all.
    """

    def __init__(self, e: Emitter, program: Program, t: str, fixed: Iterable[str]) -> None:
        self.e, self.powers = e, powers_of(program, t, fixed)
        self.corrections = corrections(program, self.powers)
        if self.powers:
            e.declared |= set(_DECLARED)

    def functions(self) -> list[str]:
        """What the module must hold besides."""
        return [FUNCTIONS] if self.powers else []

    def begin(self, known: Mapping[str, Value], first: Value) -> None:
        """In the entry block. first: the step number at which the loop begins, an i64."""
        self.bases = [self.e.operand(power.arguments[0], known) for power in self.powers]
        for k, base in enumerate(self.bases):
            self.e.add_line(f"%power{k} = alloca [3 x double]")
            self.e.add_line(
                f"call void @power_start(ptr %power{k}, double {base.text}, i64 {first.text})"
            )

    def values(self, t: Value) -> dict[str, Value]:
        """The powers at the step number t, a double, to which the loop has come."""
        return {
            power.result: self.e.emit(
                f"call double @power_value(ptr %power{k}, double {base.text}, double {t.text})"
            )
            for k, (power, base) in enumerate(zip(self.powers, self.bases, strict=True))
        }

    def gone(self, known: Mapping[str, Value]) -> Value:
        """Whether every correction is 1, and will be at all later steps as well."""
        e, one, gone = self.e, self.e.number(1.0), Value("true")
        for correction in self.corrections:
            gone = e.logic("and", gone, e.compare("oeq", known[correction.result], one))
        for base in self.bases:  # a power that changes its sign may be lost on one side of 1 only
            gone = e.logic("and", gone, e.compare("oge", base, e.number(0.0)))
        return gone

    def advance(self) -> None:
        """Move on to the next step."""
        for k, base in enumerate(self.bases):
            self.e.add_line(
                f"call void @power_times(ptr %power{k}, double {base.text}, double 0.0, i64 0)"
            )


def steady_powers(
    e: Emitter, powers: Sequence[Operation], known: dict[str, Value], t: Value
) -> None:
    """The same powers, each from the beginning, put into `known`; where bases differ, by lane."""
    for power in powers:
        e.declared |= set(_DECLARED)
        base = e.operand(power.arguments[0], known)
        known[power.result] = e.call("steady_power", base, t, own=True)
