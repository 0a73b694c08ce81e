"""The console blocks of README and docs: their commands, run in this process, and what they print.

A command is `symgd ...`, or a pipeline of it with the few filters that the pages use. Only what the
shell itself would do is done here: quotes, pipes, and `2> /dev/null`.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.outcome import Outcome


def blocks(language: str, text: str) -> list[str]:
    """The contents of the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def sessions(text: str) -> Iterator[tuple[str, str]]:
    """(command, output) of every line `$ command` in the console blocks of a page."""
    for block in blocks("console", text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.replace("\\\n", "").partition("\n")
            yield command, output.rstrip("\n")


def printed(command: str) -> str:
    """The standard output of a command."""
    words = shlex.shlex(command, posix=True, punctuation_chars="|>")
    words.whitespace_split = True
    words.commenters = ""
    text, stage = "", []
    for word in [*words, "|"]:
        if word != "|":
            stage.append(word)
            continue
        name, *args = _without_stderr(stage)
        if name == "symgd":
            outcome = Outcome(*args, stdin=text)
            assert outcome.code == 0, (command, outcome.err)
            text = outcome.out
        else:
            text = "".join(f"{line}\n" for line in _FILTERS[name](text.splitlines(), *args))
        stage = []
    return text.rstrip("\n")


def _without_stderr(stage: list[str]) -> list[str]:
    return stage[:-3] if stage[-3:] == ["2", ">", "/dev/null"] else stage


def _grep(lines: list[str], *args: str) -> list[str]:
    *options, pattern = args
    after = int(options[1]) if options[:1] == ["-A"] else 0
    found = [i for i, line in enumerate(lines) if pattern in line]
    return [line for i, line in enumerate(lines) if any(k <= i <= k + after for k in found)]


def _sed(lines: list[str], option: str, script: str) -> list[str]:
    assert option == "-n"
    first, last = map(int, script.removesuffix("p").split(","))
    return lines[first - 1 : last]


_FILTERS: dict[str, Callable[..., list[str]]] = {
    "cat": lambda lines, path: Path(path).read_text("utf-8").splitlines(),
    "echo": lambda lines, text: [text],
    "grep": _grep,
    "head": lambda lines, option, count: lines[: int(count)],
    "sed": _sed,
    "tail": lambda lines, option, count: lines[-int(count) :],
}
