"""A small reader of the LaTeX that symgd writes: a tree as in `tests.formula.random_formulas`.

It knows mathematical notation only: precedence, fractions, roots, cases, sums with an index.
"""

import re

_TOKEN = re.compile(
    r"\s*(\\left\s*\\lfloor|\\right\s*\\rfloor|\\left\s*\\lceil|\\right\s*\\rceil|\\left[(|]"
    r"|\\right[)|]|\\begin\{cases\}|\\end\{cases\}|\\operatorname\{[^}]*\}|\\text\{[^}]*\}"
    r"|\\mathrm\{(?:\\_|[^}])*\}|\\[a-zA-Z]+|\\\\|\d+\.?\d*(?:e-?\d+)?|[a-zA-Z]|[-+^_{}<>=&,])"
)
_POWER_OF_TEN = re.compile(r"(\d+\.?\d*) \\cdot 10\^\{(-?\d+)\}")
_PLAIN = "exp log sin cos tan cot sec csc sinh cosh tanh coth max min"
_FUNCTIONS = {"\\arcsin": "asin", "\\arccos": "acos", "\\arctan": "atan"}
_FUNCTIONS |= {f"\\{f}": f for f in _PLAIN.split()}
_RELATIONS = {"<": "<", ">": ">", "=": "==", "\\le": "<=", "\\ge": ">=", "\\ne": "!="}
_BRACKETS = {
    "\\left(": ("\\right)", ""),
    "\\left|": ("\\right|", "abs"),
    "\\left\\lfloor": ("\\right\\rfloor", "floor"),
    "\\left\\lceil": ("\\right\\rceil", "ceil"),
}
_ENDS = {"+", "-", "}", "&", ",", "\\\\", "\\end{cases}", "", "\\wedge", "\\vee", *_RELATIONS}
_ENDS |= {closing for closing, _ in _BRACKETS.values()}


class Reader:
    """names: LaTeX -> the name that it stands for, columns with their index left out."""

    def __init__(self, text, names):
        text = _POWER_OF_TEN.sub(r"\1e\2", text).strip()
        self.tokens = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            assert found, text[at : at + 30]
            self.tokens.append(re.sub(r"\s+(?=\\)", "", found.group(1)))
            at = found.end()
        self.names, self.at = {"index": None} | names, 0

    def formula(self):
        tree = self.sum()
        assert self.next == "", self.tokens[self.at :]
        return tree

    @property
    def next(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *wanted):
        token = self.next
        assert not wanted or token in wanted, (wanted, self.tokens[self.at :])
        self.at += 1
        return token

    def sum(self):
        tree = self.signed()
        while self.next in ("+", "-"):
            tree = (self.take(), tree, self.product())
        return tree

    def signed(self):
        if self.next == "-":
            self.take()
            return ("-", self.product())
        return self.product()

    def product(self):
        tree = self.factor()
        while self.next not in _ENDS:
            if self.next == "\\cdot":
                self.take()
                assert self.next not in _ENDS
            tree = ("*", tree, self.factor())
        return tree

    def factor(self):
        if self.next == "\\sum":
            return self.rows()
        base = self.base()
        if self.next == "^":
            self.take()
            return ("^", base, self.group())
        return base

    def group(self):
        self.take("{")
        tree = self.sum()
        self.take("}")
        return tree

    def rows(self):
        for token in ("\\sum", "_", "{"):
            self.take(token)
        index = self.take()
        for token in ("=", "1", "}", "^", "{"):
            self.take(token)
        count = self.take()
        self.take("}")
        outside = self.names
        self.names = outside | {count: ("count",), "index": index}
        tree = ("sum", self.product())
        self.names = outside
        return tree

    def base(self):
        token = self.take()
        if token[0].isdigit():
            return ("number", token)
        if token in _BRACKETS:
            closing, called = _BRACKETS[token]
            tree = self.sum()
            self.take(closing)
            return (called, tree) if called else tree
        if token == "\\frac":
            return ("/", self.group(), self.group())
        if token == "\\sqrt":
            return ("sqrt", self.group())
        if token == "\\begin{cases}":
            return self.cases()
        called = _FUNCTIONS.get(token) or re.sub(r"\\operatorname\{(.*)\}", r"\1", token)
        if token in _FUNCTIONS or token.startswith("\\operatorname"):
            return self.call(called)
        return self.name(token)

    def call(self, called):
        self.take("\\left(")
        args = [self.sum()]
        while self.next == ",":
            self.take()
            args.append(self.sum())
        self.take("\\right)")
        return (called, *args)

    def name(self, token):
        under = []
        if self.next == "_":
            self.take()
            self.take("{")
            while self.next != "}":
                under.append(self.take())
            self.take("}")
        spelled = token + (f"_{{{''.join(under)}}}" if under else "")
        if spelled in self.names:
            return self.names[spelled]
        assert under[-1:] == [self.names["index"]], spelled  # that of the sum around it
        rest = "".join(under[:-1]).rstrip(",")
        return self.names[(token + (f"_{{{rest}}}" if rest else ""), "column")]

    def cases(self):
        yes = self.sum()
        self.take("&")
        self.take("\\text{if }")
        test = self.condition()
        self.take("\\\\")
        no = self.sum()
        self.take("&")
        self.take("\\text{otherwise}")
        self.take("\\end{cases}")
        return ("where", test, yes, no)

    def condition(self):
        tree = self.conjunction()
        while self.next == "\\vee":
            self.take()
            tree = ("or", tree, self.conjunction())
        return tree

    def conjunction(self):
        tree = self.comparison()
        while self.next == "\\wedge":
            self.take()
            tree = ("and", tree, self.comparison())
        return tree

    def comparison(self):
        if self.next == "\\neg":
            self.take()
            return ("not", self.comparison())
        begin = self.at
        try:
            left = self.sum()
            kind = _RELATIONS[self.take(*_RELATIONS)]
            return (kind, left, self.sum())
        except AssertionError:  # then it is a condition in parentheses
            self.at = begin
        self.take("\\left(")
        tree = self.condition()
        self.take("\\right)")
        return tree
