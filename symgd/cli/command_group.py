"""The command group with the default command `run`: `symgd "x**2" -l 0.1`."""

import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import typer
from typer.core import TyperGroup

from symgd.cli.console import USAGE, write_message
from symgd.cli.interrupts import interruptible
from symgd.cli.plain_options import skip_pydantic
from symgd.cli.terminal import configure_logging
from symgd.errors import SymgdError
from symgd.names import escape, nearest, suggest

DEFAULT = "run"
_LOSS_COMMANDS = (DEFAULT, "compare", "explain", "play")  # whose first word is a formula
_REMARK = "symgd.remark"  # the key in ctx.meta of a remark for stderr,
_QUIET = "symgd.quiet"  # and of whether it is for errors only

#: spellings of other programs -> the option that is meant
_MEANT = {
    **dict.fromkeys(("--learning-rate", "--rate", "--alpha", "--eta", "--step-size"), "--lr"),
    **dict.fromkeys(("--epochs", "--iterations", "--iters", "--max-iter", "--maxiter"), "--steps"),
    **dict.fromkeys(("--optimizer", "--optim", "--algorithm"), "--rule"),
    **dict.fromkeys(("--init", "--initial", "--x0", "--theta", "--theta0"), "--start"),
    **dict.fromkeys(("--tolerance", "--eps"), "--tol"),
    **dict.fromkeys(("--constraint", "--constraints"), "--subject-to"),
}

_LONG = re.compile(r"--[A-Za-z][A-Za-z0-9-]*(=.*)?", re.DOTALL)
# The value attached to a short option: a number, a word, or text with a single "=".
_ATTACHED = re.compile(r"\s*=?[+-]?\.?[0-9].*|[A-Za-z_][\w+]*|.*(?<![<>=!])=(?!=).*", re.DOTALL)


class DefaultGroup(TyperGroup):
    """A group that inserts its default command and turns SymgdErrors into exit codes.

    If the first word is neither a command nor an option of the group (--help, --version), the
    default command is inserted. A formula that begins with a minus is moved behind `--`, where it
    is not parsed as an option.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for command in (self, *self.commands.values()):
            skip_pydantic(command.get_params(ctx))
        command = self.commands.get(args[0] if args else "", self.commands[DEFAULT])
        taken = _takes_value(command.get_params(ctx))
        for word in (arg.partition("=")[0] for arg in args):
            meant = _MEANT.get(word.replace("_", "-"))
            if meant in taken and word not in taken:
                ctx.fail(f"there is no option {word}; write {meant}")
        own = {spelling for param in self.get_params(ctx) for spelling in _spellings(param)}
        named = args[0] if args and args[0] in _LOSS_COMMANDS else DEFAULT
        takes_value = _takes_value(self.commands[named].get_params(ctx))
        if not args and ctx.resilient_parsing:
            pass  # completion of the first word, which may be a command
        elif not args or not (args[0] in self.commands or args[0].partition("=")[0] in own):
            loss = next((args[i] for i in _word_indices(args, takes_value)), "")
            ctx.meta[_REMARK] = _remark(loss, self.commands)
            ctx.meta[_QUIET] = bool({"-q", "--quiet"} & {*args})
            args = [DEFAULT, *protect_minus(args, takes_value)]
        elif args[0] in _LOSS_COMMANDS:
            args = [args[0], *protect_minus(args[1:], takes_value)]
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def invoke(self, ctx: Any) -> Any:
        configure_logging()
        remark, quiet = ctx.meta.get(_REMARK), ctx.meta.get(_QUIET)
        if remark and not quiet:  # the formula may be a misspelled command
            write_message(remark, "hint")
        try:
            return interruptible(partial(super().invoke, ctx))
        except SymgdError as error:
            if remark and quiet:
                write_message(remark, "hint")
            write_message(str(error), "error")
            raise typer.Exit(USAGE) from None
        except Exception as error:
            _nearest_first(error, self, ctx)
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["[LOSS] [OPTIONS]  |  COMMAND [ARGS]"]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments and options of the default command, options of the group, commands."""
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
        """Commands and options of the group, then the options of the default command."""
        found = super().shell_complete(ctx, incomplete)
        known = {item.value for item in found}
        run_items = self.commands[DEFAULT].shell_complete(ctx, incomplete)
        return found + [item for item in run_items if item.value not in known]


def _nearest_first(error: Any, group: Any, ctx: Any) -> None:
    """Have the error of an unknown option suggest the nearest one alone."""
    unknown = getattr(error, "option_name", None)
    if not unknown or not hasattr(error, "possibilities"):
        return
    params = [*getattr(error, "ctx", ctx).command.get_params(ctx), *group.get_params(ctx)]
    near = nearest(unknown, [s for param in params for s in _spellings(param)])
    error.possibilities = [near] if near else []


def protect_minus(args: list[str], takes_value: dict[str, bool]) -> list[str]:
    """`args` with a formula that begins with a minus moved to the end, behind `--`.

    takes_value: each spelling of each option -> whether it takes a value. Only the first word that
    is neither an option nor the value of one can be the formula.
    """
    first = next(_word_indices(args, takes_value), None)
    if first is None or args[first] in ("-", "--") or not args[first].startswith("-"):
        return args
    return [*args[:first], *args[first + 1 :], "--", args[first]]


def _word_indices(args: list[str], takes_value: dict[str, bool]) -> Iterator[int]:
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
        return bool(_LONG.fullmatch(word))  # Typer refuses unknown ones
    flag, attached = word[:2], word[2:]
    if flag not in takes_value:
        return False
    if takes_value[flag]:
        return not attached or bool(_ATTACHED.fullmatch(attached))
    return not attached or _is_option(f"-{attached}", takes_value)


def _takes_value(params: Iterable[Any]) -> dict[str, bool]:
    options = [param for param in params if param.param_type_name == "option"]
    return {s: not (param.is_flag or param.count) for param in options for s in _spellings(param)}


def _spellings(param: Any) -> list[str]:
    return [*param.opts, *param.secondary_opts] if param.param_type_name == "option" else []


def _remark(loss: str, commands: Iterable[str]) -> str:
    """A remark about a formula that may be meant as a command or an option, or ""."""
    if loss in commands:
        return f"'{loss}' was read as a formula; the command is 'symgd {loss}'"
    if loss.isidentifier():
        near = suggest(loss, commands) or suggest(loss, ["--help", "--version"])
        return f"'{escape(loss)}' was read as a formula; {near}" if near else ""
    if loss[:1] == "-" and loss[1:].isidentifier():
        return f"'{escape(loss)}' was read as a formula; 'symgd --help' lists the options"
    return ""
