"""A team of threads for the passes of nests, handed over in machine code.

    int64 in_team(double *x, double *w, int64 *c, double *out, int64 stage, int64 threads)
    int64 member(double *w, int64 *c)

`in_team` runs a pass in the caller's thread and in those that are in `member`. Python starts the
latter when there are too few; each waits for passes without the interpreter's lock, for less than
a millisecond after the last: a processor that falls asleep takes half of one to wake up.

The *gate* has how often it was opened and closed, above the lowest 16 bits, which count the members
that entered since it was opened; so no member enters a pass that is over. `in_team` ends after all
that entered have left: nobody touches x and out any more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from symgd.backends.native.jit import Module, compile_alone

#: Places in c. TEAM: the address of `in_team`. RUN: of `run_stage`, which calls a pass. CALL: of
#: Python's function; its argument is how many members are missing, 0: wait a little; it returns
#: how many will come. MEMBERS: how many there are. MOST: how many may enter.
TEAM, RUN, CALL, GATE, LEFT, MEMBERS, MOST, STAGE, X, OUT = range(10)

COUNTERS = 10  # where those of the passes begin in c

_ARGUMENTS = "ptr %x, ptr %w, ptr %c, ptr %out"

_TEAM = f"""
define i64 @in_team({_ARGUMENTS}, i64 %stage, i64 %threads) {{
  %run_ = getelementptr i64, ptr %c, i64 {RUN}
  %call_ = getelementptr i64, ptr %c, i64 {CALL}
  %gate_ = getelementptr i64, ptr %c, i64 {GATE}
  %left_ = getelementptr i64, ptr %c, i64 {LEFT}
  %members_ = getelementptr i64, ptr %c, i64 {MEMBERS}
  %most_ = getelementptr i64, ptr %c, i64 {MOST}
  %stage_ = getelementptr i64, ptr %c, i64 {STAGE}
  %x_ = getelementptr i64, ptr %c, i64 {X}
  %out_ = getelementptr i64, ptr %c, i64 {OUT}
  %run = load ptr, ptr %run_
  %call = load ptr, ptr %call_
  %most = sub i64 %threads, 1
  store i64 %most, ptr %most_
  store i64 %stage, ptr %stage_
  store ptr %x, ptr %x_
  store ptr %out, ptr %out_
  store atomic i64 0, ptr %left_ monotonic, align 8
  %closed = load atomic i64, ptr %gate_ monotonic, align 8
  %turns = and i64 %closed, -65536
  %open = add i64 %turns, 65536
  store atomic i64 %open, ptr %gate_ release, align 8
  %members = load atomic i64, ptr %members_ monotonic, align 8
  %missing = sub i64 %most, %members
  %few = icmp sgt i64 %missing, 0
  br i1 %few, label %summon, label %share
summon:
  %began = call i64 %call(i64 %missing)
  %before = atomicrmw add ptr %members_, i64 %began monotonic
  br label %share
share:
  %done = call i64 %run({_ARGUMENTS}, i64 %stage, i64 0)
  %last = atomicrmw add ptr %gate_, i64 65536 acq_rel
  %entered = and i64 %last, 65535
  br label %wait
wait:
  %count = phi i64 [ 0, %share ], [ %next, %again ], [ 0, %rest ]
  %left = load atomic i64, ptr %left_ acquire, align 8
  %all = icmp eq i64 %left, %entered
  br i1 %all, label %end, label %again
again:
  %next = add i64 %count, 1
  %more = icmp slt i64 %next, 1000000
  br i1 %more, label %wait, label %rest
rest:
  %rested = call i64 %call(i64 0)
  br label %wait
end:
  ret i64 0
}}

define i64 @member(ptr %w, ptr %c) {{
  %run_ = getelementptr i64, ptr %c, i64 {RUN}
  %gate_ = getelementptr i64, ptr %c, i64 {GATE}
  %left_ = getelementptr i64, ptr %c, i64 {LEFT}
  %members_ = getelementptr i64, ptr %c, i64 {MEMBERS}
  %most_ = getelementptr i64, ptr %c, i64 {MOST}
  %stage_ = getelementptr i64, ptr %c, i64 {STAGE}
  %x_ = getelementptr i64, ptr %c, i64 {X}
  %out_ = getelementptr i64, ptr %c, i64 {OUT}
  %run = load ptr, ptr %run_
  br label %look
look:
  %count = phi i64 [ 0, %0 ], [ %next, %again ], [ 0, %share ]
  %seen = phi i64 [ 0, %0 ], [ %seen, %again ], [ %turn, %share ]
  %gate = load atomic i64, ptr %gate_ acquire, align 8
  %turn = lshr i64 %gate, 16
  %odd = trunc i64 %turn to i1
  %new = icmp ne i64 %turn, %seen
  %ready = and i1 %odd, %new
  br i1 %ready, label %try, label %again
try:
  %entered = and i64 %gate, 65535
  %most = load atomic i64, ptr %most_ monotonic, align 8
  %room = icmp slt i64 %entered, %most
  br i1 %room, label %enter, label %again
enter:
  %thread = add i64 %entered, 1
  %inside = add i64 %gate, 1
  %got = cmpxchg ptr %gate_, i64 %gate, i64 %inside acq_rel monotonic
  %is_in = extractvalue {{ i64, i1 }} %got, 1
  br i1 %is_in, label %share, label %again
share:
  %stage = load i64, ptr %stage_
  %x = load ptr, ptr %x_
  %out = load ptr, ptr %out_
  %done = call i64 %run({_ARGUMENTS}, i64 %stage, i64 %thread)
  %before = atomicrmw add ptr %left_, i64 1 release
  br label %look
again:
  %next = add i64 %count, 1
  %more = icmp slt i64 %next, 1000000
  br i1 %more, label %look, label %end
end:
  %others = atomicrmw sub ptr %members_, i64 1 monotonic
  ret i64 0
}}
"""


class Team(NamedTuple):
    """The machine code of both."""

    address: int
    member: Callable[..., int]


@cache
def team() -> Team:
    """Compiled once in a process."""
    module: Module = compile_alone(_TEAM, speed=1)
    return Team(module.address("in_team"), module.function("member", 2))
