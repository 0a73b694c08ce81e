"""The command group whose default command is `run`: `symgd "x**2" -l 0.1` needs no command name."""

import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import typer
from typer.core import TyperGroup

from symgd.cli.console import USAGE, complain
from symgd.cli.interrupts import interruptible
from symgd.cli.plain_options import spare_pydantic
from symgd.cli.terminal import listen
from symgd.errors import SymgdError
from symgd.names import escape, suggest

DEFAULT = "run"
_TAKE_LOSS = (DEFAULT, "compare", "explain")  # the commands whose first word is a formula
REMARK = "symgd.remark"  # the key of ctx.meta under which a remark for stderr waits

_LONG = re.compile(r"--[A-Za-z][A-Za-z0-9-]*(=.*)?", re.DOTALL)
# What may stand glued to a short option: a number, a plain word, or text with a single "=".
_GLUED = re.compile(r"\s*=?[+-]?\.?[0-9].*|[A-Za-z_][\w+]*|.*(?<![<>=!])=(?!=).*", re.DOTALL)


class DefaultGroup(TyperGroup):
    """A group that inserts its default command, and turns symgd's errors into exit codes.

    The first word decides: a command's name or an option of the group itself (--help, --version)
    is that; anything else belongs to the default command. A formula that begins with a minus is
    moved behind `--`, where it cannot be taken for an option.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for command in (self, *self.commands.values()):
            spare_pydantic(command.get_params(ctx))
        own = {spelling for param in self.get_params(ctx) for spelling in _spellings(param)}
        named = args[0] if args and args[0] in _TAKE_LOSS else DEFAULT
        takes_value = _takes_value(self.commands[named].get_params(ctx))
        if not args and ctx.resilient_parsing:
            pass  # completion of the first word: commands, too, are possible
        elif not args or not (args[0] in self.commands or args[0].partition("=")[0] in own):
            loss = next((args[i] for i in _words(args, takes_value)), "")
            ctx.meta[REMARK] = _remark(loss, self.commands)
            args = [DEFAULT, *protect_minus(args, takes_value)]
        elif args[0] in _TAKE_LOSS:
            args = [args[0], *protect_minus(args[1:], takes_value)]
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def invoke(self, ctx: Any) -> Any:
        listen()
        try:
            return interruptible(partial(super().invoke, ctx))
        except SymgdError as error:
            complain(str(error))
            if ctx.meta.get(REMARK):  # a command misspelled is a formula in error, mostly
                complain(ctx.meta[REMARK])
            raise typer.Exit(USAGE) from None

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["[LOSS] [OPTIONS]  |  COMMAND [ARGS]"]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The default command's arguments and options, then the group's own, then the commands."""
        own: list[Any] = list(self.get_params(ctx))
        names = {param.name for param in own}
        run: list[Any] = list(self.commands[DEFAULT].get_params(ctx))
        params = [param for param in run if param.name not in names] + own
        options = [p.get_help_record(ctx) for p in params if p.param_type_name == "option"]
        with formatter.section("Arguments"):
            arguments = [p for p in params if p.param_type_name == "argument"]
            formatter.write_dl([(f"[{p.metavar}]", p.help or "") for p in arguments])
        with formatter.section("Options"):
            formatter.write_dl([record for record in options if record])
        self.format_commands(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Commands and options of the group, and the options of the default command."""
        found = super().shell_complete(ctx, incomplete)
        known = {item.value for item in found}
        theirs = self.commands[DEFAULT].shell_complete(ctx, incomplete)
        return found + [item for item in theirs if item.value not in known]


def protect_minus(args: list[str], takes_value: dict[str, bool]) -> list[str]:
    """`args` with a formula that begins with a minus moved to the end, behind `--`.

    takes_value: each spelling of each option -> whether a value follows it. Only the first word
    that is neither an option nor an option's value can be the formula.
    """
    first = next(_words(args, takes_value), None)
    if first is None or args[first] in ("-", "--") or not args[first].startswith("-"):
        return args
    return [*args[:first], *args[first + 1 :], "--", args[first]]


def _words(args: list[str], takes_value: dict[str, bool]) -> Iterator[int]:
    """The indices of the words in `args` that are neither options nor values of options."""
    index = 0
    while index < len(args):
        if not _is_option(args[index], takes_value):
            yield index
        elif takes_value.get(args[index], False):
            index += 1
        index += 1


def _is_option(word: str, takes_value: dict[str, bool]) -> bool:
    if word.startswith("--"):
        return bool(_LONG.fullmatch(word))  # one that does not exist is Typer's to refuse
    flag, glued = word[:2], word[2:]
    if flag not in takes_value:
        return False
    if takes_value[flag]:
        return not glued or bool(_GLUED.fullmatch(glued))
    return not glued or _is_option(f"-{glued}", takes_value)


def _takes_value(params: Iterable[Any]) -> dict[str, bool]:
    options = [param for param in params if param.param_type_name == "option"]
    return {s: not (param.is_flag or param.count) for param in options for s in _spellings(param)}


def _spellings(param: Any) -> list[str]:
    return [*param.opts, *param.secondary_opts] if param.param_type_name == "option" else []


def _remark(loss: str, commands: Iterable[str]) -> str:
    """What to tell about a formula that may have been meant as a command or an option, or ""."""
    if loss in commands:
        return f"'{loss}' was read as a formula; the command is 'symgd {loss}'"
    if loss.isidentifier():
        near = suggest(loss, commands) or suggest(loss, ["--help", "--version"])
        return f"'{escape(loss)}' was read as a formula; {near}" if near else ""
    if loss[:1] == "-" and loss[1:].isidentifier():
        return f"'{escape(loss)}' was read as a formula; 'symgd --help' lists the options"
    return ""
