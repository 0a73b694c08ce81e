"""The grammar in docs/formulas.md is the grammar of the parser.

The rules are read from the page. Random sentences of them are no syntax error. Sentences with a
token changed that a recognizer of the same rules refuses, the parser refuses too.
"""

import random
import re
from functools import cache
from pathlib import Path

import pytest

from symgd import ArgumentError, FormulaError, Loss

PAGE = (Path(__file__).parents[2] / "docs" / "formulas.md").read_text("utf-8")
EBNF = re.search(r"```ebnf\n(.*?)```", PAGE, re.DOTALL).group(1)
TOKEN = re.compile(r'\(\*.*?\*\)|"[^"]*"|\w+|[=|;,(){}[\]]', re.DOTALL)

#: What the tokenizer makes of characters; the rules name them.
WORDS = {
    "number": ["1", "2", "3"],
    "name": ["x", "y", "W", "i", "j", "k", "n", "theta"],
    "function": ["sin", "exp", "hypot", "atan2", "clip", "sqrt"],
    "superscript": ["²", "³"],
    "newline": [";"],  # which separates no others
    "column": ["`a b`"],
    "text": ["'north'"],
}
#: The parts of sentences of errors that are none of syntax: names, counts, values, two readings.
MEANINGS = (
    "two readings|is no index|whole number|takes|is an array|has no subscripts|"
    "subscripts?, not|is used outside|goes over|range of|is a size|defined|is no end of|"
    "is no column|back quotes|divides by|no column|not known|reaches|is a column|real number|"
    "index of a sum around|is compared with|is of arrays|is empty|elements|is a number|none in it|"
    "condition is no number|values|too large|nothing: its range|index twice|an index of|"
    "no index of|last statement is the loss|in a row|same for all|length of|infinite"
)


def rules():
    """name -> tree of ("any", ...), ("all", ...), ("some", tree), ("may", tree), ("word", text)."""
    tokens = [t for t in TOKEN.findall(EBNF) if not t.startswith("(*")]

    def choice(at):
        parts = []
        while True:
            tree, at = sequence(at)
            parts.append(tree)
            if tokens[at] != "|":
                return (parts[0] if len(parts) == 1 else ("any", *parts)), at
            at += 1

    def sequence(at):
        parts = []
        while True:
            token = tokens[at]
            if token in "([{":
                tree, at = choice(at + 1)
                parts.append({"(": tree, "[": ("may", tree), "{": ("some", tree)}[token])
            elif token.startswith('"'):
                parts.append(("word", token[1:-1]))
            else:
                parts.append(("rule", token))
            at += 1
            if tokens[at] != ",":
                return (parts[0] if len(parts) == 1 else ("all", *parts)), at
            at += 1

    found, at = {}, 0
    while at < len(tokens):
        tree, end = choice(at + 2)
        assert tokens[at + 1] == "="
        assert tokens[end] == ";"
        found[tokens[at]], at = tree, end + 1
    return found


RULES = rules()


def follows(before, token, bars):
    """Whether a token may begin an implicit factor, as the comment of `next` says."""
    after_number = before.isdecimal() and (token[0].isalpha() or token in ("(", "√", "|"))
    return (after_number and not (token == "|" and bars)) or (before == ")" and token == "(")


def sentence(source, name, depth, out, bars=0):
    """Add the tokens of a random sentence of a rule to `out`; whether it can be one."""

    def grow(tree, depth, bars):
        kind, *parts = tree
        if kind == "word":
            out.append(parts[0])
        elif kind == "rule":
            if parts[0] in WORDS:
                out.append(source.choice(WORDS[parts[0]]))
                return True
            place, before = len(out), out[-1] if out else ""
            if not sentence(source, parts[0], depth - 1, out, bars):
                return False
            return parts[0] != "next" or follows(before, out[place], bars)
        elif kind == "any":
            return grow(source.choice(parts), depth, bars)
        elif kind in ("may", "some"):
            while source.random() < (0.35 if depth > 0 else 0.02):
                if not grow(parts[0], depth, bars):
                    return False
                if kind == "may":
                    break
        else:
            inside = any(part == ("word", "|") for part in parts)
            return all(grow(part, depth, bars + inside) for part in parts)
        return True

    if depth < -12 or len(out) > 60:
        return False
    if name == "primary" and depth < 0:
        out.append(source.choice(WORDS["number"] + WORDS["name"]))
        return True
    return grow(RULES[name], depth, bars)


def sentences(seed, count):
    source = random.Random(seed)
    while count:
        out = []
        if sentence(source, "loss", 5, out):
            count -= 1
            yield out, source


def is_sentence(tokens):
    """Whether the tokens are a sentence of the rules."""

    @cache
    def ends(tree, at):
        kind, *parts = tree
        if kind == "word":
            return frozenset({at + 1} if at < len(tokens) and tokens[at] == parts[0] else ())
        if kind == "rule":
            name = parts[0]
            if name in WORDS:
                fits = at < len(tokens) and (
                    tokens[at] in WORDS[name]
                    or (name == "name" and tokens[at] in ("dot", "matmul", "softmax"))
                )
                return frozenset({at + 1} if fits else ())
            if name == "next" and not (
                0 < at < len(tokens) and follows(tokens[at - 1], tokens[at], 0)
            ):
                return frozenset()
            return ends(RULES[name], at)
        if kind == "any":
            return frozenset().union(*(ends(part, at) for part in parts))
        if kind == "may":
            return ends(parts[0], at) | {at}
        if kind == "all":
            reached = {at}
            for part in parts:
                reached = {end for place in reached for end in ends(part, place)}
            return frozenset(reached)
        reached, new = {at}, {at}
        while new:
            new = {end for place in new for end in ends(parts[0], place)} - reached
            reached |= new
        return frozenset(reached)

    return len(tokens) in ends(("rule", "loss"), 0)


def error_of(tokens):
    """The sentence of the error of a text, or None."""
    try:
        Loss(" ".join(tokens), sizes={"n": 4} if "n" in tokens else None)
    except FormulaError as error:
        return error.sentence
    except ArgumentError:  # a size that the text does not have
        pass
    return None


def test_the_rules_are_closed():
    used = set(re.findall(r"\('rule', '(\w+)'\)", repr(RULES)))
    characters = {"character", "letter", "digit", "digits", "comment"}
    assert used - set(RULES) - set(WORDS) <= characters


@pytest.mark.parametrize("seed", range(3))
def test_sentences_of_the_docs_are_no_syntax_error(seed):
    for tokens, _ in sentences(seed, 200):
        assert is_sentence(tokens), tokens
        sentence_ = error_of(tokens)
        assert sentence_ is None or re.search(MEANINGS, sentence_), (" ".join(tokens), sentence_)


@pytest.mark.parametrize("seed", range(3))
def test_what_the_docs_do_not_allow_is_refused(seed):
    alphabet = [
        *"()[],;=|+-*/",
        "..",
        "**",
        "√",
        "not",
        "and",
        "<",
        "==",
        "²",
        "x",
        "2",
        "sin",
        "sum",
    ]
    refused = 0
    for tokens, source in sentences(100 + seed, 200):
        at = source.randrange(len(tokens))
        new = [source.choice(alphabet)]
        changed = tokens[:at] + new[: source.randrange(2)] + tokens[at + source.randrange(2) :]
        if not is_sentence(changed):
            refused += 1
            assert error_of(changed) is not None, " ".join(changed)
    assert refused > 50


EXAMPLES = re.search(r"## Vectors, matrices.*?```\n(.*?)```", PAGE, re.DOTALL).group(1).splitlines()
COLUMNS = {
    **dict.fromkeys(("y", "r", "x", "age", "bmi", "bp", "X1", "X2"), [0.5, 1.0, -2.0]),
    **dict.fromkeys(("label", "user", "item"), [1.0, 2.0, 3.0]),
    "site": ["north", "south", "north"],
}


@pytest.mark.parametrize("line", EXAMPLES)
def test_examples_of_the_docs_are_losses(line):
    text, *words = re.split(r"  +--|  +(?=one element)| --", line)
    given = dict(word.split(" ", 1) for word in words if "=" in word)
    pairs = {option: [part.split("=") for part in parts.split()] for option, parts in given.items()}
    loss = Loss(
        text,
        None if "x[i+1]" in text else COLUMNS,
        sizes={name: min(int(value), 50) for name, value in pairs.get("size", [])},
        shapes={name: value.split(",") for name, value in pairs.get("shape", [])},
        vectors={name: value.split(",") for name, value in pairs.get("vector", [])},
    )
    assert loss.arrays is not None
    assert loss.value(dict.fromkeys(loss.params, 0.1)) == pytest.approx(
        loss.by_elements.value([0.1] * len(loss.by_elements.params)), rel=1e-12
    )
