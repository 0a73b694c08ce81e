"""The command line: what is printed where, and with which exit code."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import symgd
from symgd.cli.app import app
from symgd.report import export
from tests.outcome import Outcome

GOLDEN = Path(__file__).parents[1] / "files"
END = "3.656158440062973e-05"  # theta of the exercise after 20 steps of the plain Python loop
SYMGD = [sys.executable, "-m", "symgd"]

posix = pytest.mark.skipif(os.name == "nt", reason="signals and pipes of POSIX")


def exercise(lr: float = 0.2, steps: int = 20, theta: float = 1.0) -> list[float]:
    thetas = [theta]
    for _ in range(steps):
        theta = theta - lr * (2 * theta)
        thetas.append(theta)
    return thetas


def process(
    *args: str, stdin: bytes = b"", env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*SYMGD, *args],
        input=stdin,
        capture_output=True,
        env={**os.environ, **(env or {})},
        check=False,
    )


# The exercise


def test_exercise_prints_the_golden_text():
    outcome = Outcome()
    assert outcome.code == 0
    assert outcome.err == ""
    assert outcome.out == (GOLDEN / "exercise.txt").read_text(encoding="utf-8")


def test_exercise_prints_every_theta_bit_for_bit():
    lines = Outcome("theta**2", "--lr", "0.2").out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.split()[:1] == ["0"])
    shown = [float(line.split()[1]) for line in lines[first : first + 21]]
    assert shown == exercise()
    assert f"theta after 20 steps: {END}" in lines


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["run"],
        ["theta**2"],
        ["run", "theta**2"],
        ["θ²"],
        ["--lr", "0.2"],
        ["-l", "0.2", "theta**2", "-n", "20"],
        ["-l0.2", "-n20", "-s1", "-rgd"],
        ["-n", "2e1"],
        ["--", "theta**2"],
        ["--start", "theta=1"],
        ["--rule", "theta = theta - lr*g"],
        ["--every", "7"],
    ],
)
def test_ways_to_say_the_exercise(args):
    outcome = Outcome(*args)
    assert outcome.code == 0, outcome.err
    assert f"theta after 20 steps: {END}\n" in outcome.out
    assert outcome.err == ""


@pytest.mark.parametrize(
    ("lr", "kind"), [("0.001", "slow"), ("10", "diverging"), ("1", "oscillating")]
)
def test_verdicts_of_the_exercise(lr, kind):
    outcome = Outcome("theta**2", "--lr", lr, "--format", "json")
    run = json.loads(outcome.out)
    assert run["verdict"]["kind"] == kind
    assert run["verdict"]["sentence"] in Outcome("theta**2", "--lr", lr).out.splitlines()


# Which word is the formula


@pytest.mark.parametrize(
    ("args", "name", "value"),
    [
        (["-x**2", "-l", "0.1", "-n", "1"], "x", 1.2),
        (["-l", "0.1", "-n", "1", "-x**2"], "x", 1.2),
        (["-l", "0.1", "-x**2", "-n1"], "x", 1.2),
        (["run", "-x**2", "-l", "0.1", "-n", "1"], "x", 1.2),
        (["-s**2", "-l", "0.1", "-n", "1"], "s", 1.2),
        (["-q**2", "-l", "0.1", "-n", "1"], "q", 1.2),
        (["-l**2", "-l", "0.1", "-n", "1"], "l", 1.2),
        (["-s", "-1", "-n", "1", "x**2"], "x", -0.6),
        (["x**2", "--start", "-1", "-n", "1"], "x", -0.6),
        (["-(x**2)", "-n", "1", "-l", "0.1"], "x", 1.2),
        (["-2*x", "-n", "1", "-l", "0.1"], "x", 1.2),
        (["-sqrt(x)", "-n", "1", "-l", "0.2"], "x", 1.1),
        (["-x", "-n", "1"], "x", 1.2),
        (["2*rules", "-n", "1"], "rules", 0.6),
        (["run", "rules", "-n", "1"], "rules", 0.8),
        (["-n", "1", "rules"], "rules", 0.8),
    ],
)
def test_a_formula_is_found_among_the_options(args, name, value):
    outcome = Outcome(*args, "--format", "json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["theta"] == {name: value}


def test_a_formula_may_stand_behind_a_double_dash():
    assert Outcome("-q", "-n", "1", "-l", "0.1", "--", "-x**2").out == "x after 1 step: 1.2\n"


@pytest.mark.parametrize("text", ["x^2+y^2", "x^2+y^2\n", "x^2+y^2\r\n", "\ufeffx^2+y^2\n"])
def test_a_dash_reads_standard_input(text):
    outcome = Outcome("-", "-n", "1", "--format", "json", stdin=text.encode())
    assert json.loads(outcome.out)["theta"] == {"x": 0.6, "y": 0.6}


def test_standard_input_cannot_be_loss_and_data():
    outcome = Outcome("-", "--data", "-", stdin="mean(a*x)")
    assert (outcome.code, outcome.out) == (2, "")
    assert "cannot both come from standard input" in outcome.err


def test_standard_input_is_left_alone_without_a_dash():
    assert Outcome("-q", stdin="nonsense (").out == f"theta after 20 steps: {END}\n"


@pytest.mark.parametrize(
    ("args", "remark"),
    [
        (["rule"], "did you mean 'rules'?"),
        (["function"], "did you mean 'functions'?"),
        (["help"], "--help"),
        (["-n", "1", "rules"], "symgd rules"),
        (["-W"], "--help"),
    ],
)
def test_a_formula_that_may_be_a_slip_earns_a_remark(args, remark):
    outcome = Outcome(*args)
    assert outcome.code == 0
    assert remark in outcome.err
    assert Outcome(*args, "-q").err == ""


# What is refused


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["theta**"], "^"),
        (["theta**2)"], "^"),
        (["x @ y"], "^"),
        ([""], ""),
        (["   "], ""),
        (["2 +* x"], "^"),
        (["9**9**9"], ""),
        (["1/2x"], "^"),
        (["__import__('os')"], "^"),
        (["-"], ""),
        (["x", "+", "y"], 'symgd "x + y"'),
        (["x**2", "rules"], "quotes"),
        (["--lr", "abc"], "abc"),
        (["--lr", "nan"], "nan"),
        (["--lr", "inf"], "inf"),
        (["--lr", "0"], "0"),
        (["--lr", "-0.1"], "-0.1"),
        (["--lr", ""], ""),
        (["--lr", "0.1*u"], "u"),
        (["--steps", "abc"], "--steps: 'abc' is not a whole number"),
        (["--steps", "1.5"], "--steps: '1.5' is not a whole number"),
        (["--steps", "-1"], "--steps"),
        (["--steps", "inf"], "--steps"),
        (["--steps", "nan"], "--steps"),
        (["--steps", "1e30"], "--steps"),
        (["--steps", "9" * 5000], "--steps"),
        (["--steps", ""], "--steps"),
        (["--every", "0"], "--every"),
        (["--every", "x"], "--every"),
        (["--tol", "x"], "--tol"),
        (["--tol", "nan"], "--tol"),
        (["--tol", "-1"], "--tol"),
        (["--tol", "inf"], "--tol"),
        (["--start", "abc"], "abc"),
        (["--start", "nan"], "nan"),
        (["--start", "inf"], "inf"),
        (["--start", "x=1"], "x"),
        (["--start", "theta=1,theta=2"], "theta"),
        (["--start", "theta="], "theta"),
        (["--rule", "adm"], "adam"),
        (["--rule", "theta = theta - lr*gg"], "gg"),
        (["--rule", "m = g"], ""),
        (["--rule", ""], ""),
        (["--rule", "adam", "--set", "bta1=0.5"], "beta1"),
        (["--set", "beta1"], "beta1"),
        (["--rule", "adam", "--set", "beta1=abc"], "abc"),
        (["--rule", "adam", "--set", "beta1=nan"], "nan"),
        (["--backend", "quantum"], "quantum"),
        (["--format", "xml"], "--format"),
        (["--frobnicate"], "--frobnicate"),
        (["--lr"], "--lr"),
        (["rules", "adm"], "adam"),
        (["rules", "adam", "gd"], "gd"),
        (["rules", "--format", "xml"], "--format"),
        (["functions", "x"], "x"),
    ],
)
def test_mistakes_are_told_on_stderr_alone(args, said):
    outcome = Outcome(*args, stdin="")
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.strip()
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_a_mistake_says_where_with_a_caret():
    lines = Outcome("theta + @").err.splitlines()
    place = next(i for i, line in enumerate(lines) if line.strip() == "^")
    assert lines[place].index("^") == lines[place - 1].index("@")


def test_standard_input_that_is_no_text_is_refused():
    outcome = Outcome("-", stdin=b"x\xff")
    assert (outcome.code, outcome.out) == (2, "")
    assert "byte 1 is 0xff" in outcome.err


@pytest.mark.parametrize("text", ["x\x1b[31m", "x\u202ey", "x\x07"])
def test_a_message_obeys_no_control_character(text):
    outcome = Outcome(text)
    assert outcome.code == 2
    assert not any(c in outcome.err for c in "\x1b\u202e\x07")


# Formats

ROSENBROCK = ["(1-x)**2 + 100*(y-x**2)**2", "-s", "x=-1.2,y=1", "-l", "0.001"]


def test_table_of_a_long_run_shows_both_ends():
    lines = Outcome("theta**2", "-n", "1000").out.splitlines()
    assert len(lines) < 60
    assert any("steps left out (--every 20 shows each 20th)" in line for line in lines)
    assert any(line.split()[:1] == ["1000"] for line in lines)


def test_table_of_every_nth_step_has_the_first_and_the_last():
    lines = Outcome("theta**2", "--every", "8").out.splitlines()
    assert [line.split()[0] for line in lines if line[:2].strip().isdigit()] == [
        *["0", "8", "16", "20"]
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_table_fits_80_columns(count):
    loss = "+".join(f"{i + 1}.1*x{i}**2" for i in range(count))
    outcome = Outcome(loss, "-l", "0.01", "-n", "3")
    table = outcome.out.split("\n\n")[1].splitlines()
    assert max(map(len, table)) <= 80
    assert ("left out" in table[-1]) == (count > 2)
    end = json.loads(Outcome(loss, "-l", "0.01", "-n", "3", "--format", "json").out)["theta"]
    assert all(repr(value) in outcome.out for value in end.values())


def test_quiet_prints_the_last_theta_only():
    assert Outcome("-q").out == f"theta after 20 steps: {END}\n"
    assert Outcome("-q", "--format", "plain").out == f"{END}\n"
    assert Outcome("-q", "-n1").out == "theta after 1 step: 0.6\n"
    assert Outcome("-q", "-n0").out == "theta after 0 steps: 1.0\n"


def test_table_shows_the_rule_that_runs():
    assert "gd with lr = 0.2: theta = theta - lr*g" in Outcome().out.splitlines()
    lines = Outcome("--rule", "adam", "--set", "beta1=0.8", "-l", "0.1/(1+t)").out.splitlines()
    assert "adam with lr = 0.1/(1+t), beta1 = 0.8, beta2 = 0.999, eps = 1e-08:" in lines
    assert "  m     = beta1*m + (1 - beta1)*g" in lines


def test_final_line_of_two_parameters():
    assert Outcome("x**2+y**2", "-q", "-n1").out == "x, y after 1 step: 0.6, 0.6\n"


def test_plain_is_one_theta_in_each_line():
    assert [float(line) for line in Outcome("--format", "plain").out.splitlines()] == exercise()
    lines = Outcome(*ROSENBROCK, "--format", "plain").out.splitlines()
    assert lines[0] == "-1.2 1.0"
    assert {len(line.split(" ")) for line in lines} == {2}


def test_json_is_the_result():
    outcome = Outcome(*ROSENBROCK, "--format", "json", "--every", "6")
    run = json.loads(outcome.out)
    assert outcome.err == ""
    assert set(run) >= {
        *("loss", "rule", "lr", "steps", "start", "theta", "value", "grad_norm"),
        *("status", "message", "verdict", "history"),
    }
    assert set(run["loss"]) == {"text", "params", "gradient"}
    assert set(run["verdict"]) == {
        "kind",
        "sentence",
        "rate_predicted",
        "rate_observed",
        "lr_max",
        "distance",
        "digit_steps",
        "advice",
    }
    assert [row["t"] for row in run["history"]] == [0, 6, 12, 18, 20]
    assert run["history"][-1]["theta"] == run["theta"]
    assert run["start"] == {"x": -1.2, "y": 1.0}


def test_jsonl_is_a_row_for_each_step_and_a_summary():
    *rows, summary = map(json.loads, Outcome(*ROSENBROCK, "--format", "jsonl").out.splitlines())
    assert [row["t"] for row in rows] == list(range(21))
    assert all(set(row) == {"t", "theta", "loss", "grad_norm"} for row in rows)
    assert summary["theta"] == rows[-1]["theta"]
    assert "history" not in summary


def test_csv_reads_back():
    rows = list(csv.reader(io.StringIO(Outcome("--format", "csv").out)))
    assert rows[0] == ["t", "theta", "loss", "grad_norm"]
    assert [float(row[1]) for row in rows[1:]] == exercise()


def test_csv_header_has_no_name_twice():
    out = Outcome("t**2 + loss**2", "--format", "csv", "-n", "0").out
    header = out.splitlines()[0].split(",")
    assert sorted(header) == ["grad_norm", "loss", "t", "theta.loss", "theta.t"]


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (["a", "b"], "a,b"),
        (["a,b", 'say "x"', "two\nlines"], '"a,b","say ""x""","two\nlines"'),
        (["=1+1", "+1", "-1", "@x", "\tx"], "'=1+1,'+1,'-1,'@x,'\tx"),
    ],
)
def test_csv_quotes_and_disarms(cells, line):
    assert export.record(cells) == line


def test_json_has_no_infinity():
    inf, nan = float("inf"), float("nan")
    assert export.dump({"a": [inf, nan, 1.5], "b": (-inf,)}) == (
        '{"a": [null, null, 1.5], "b": [null]}'
    )


@pytest.mark.parametrize("form", ["table", "plain", "json", "jsonl", "csv"])
def test_every_format_survives_divergence(form):
    outcome = Outcome("theta**2", "-l", "10", "-n", "5000", "--format", form)
    assert outcome.code == 0
    assert "NaN" not in outcome.out
    assert "Infinity" not in outcome.out
    lines = outcome.err.splitlines()  # the advice; where no verdict is printed, the message too
    assert len(lines) == (1 if form == "table" else 2)
    assert lines[-1].startswith("symgd: lr = 0.5 works: symgd 'theta**2' --lr 0.5")


@pytest.mark.parametrize("form", ["table", "plain", "json", "jsonl", "csv"])
def test_every_format_survives_a_start_outside_the_domain(form):
    outcome = Outcome("log(x)", "-s", "-1", "--format", form)
    assert outcome.code == 0
    assert "log" in outcome.out + outcome.err


# --check


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--tol", "1e-3", "-n", "5"], 3),
        (["--tol", "1e-3"], 0),
        ([], 3),
        (["--tol", "1e-3", "-l", "10"], 4),
        (["--tol", "1e-3", "-l", "10", "-n", "5000"], 4),
        (["log(x)", "-s", "-1"], 4),
    ],
)
def test_check_turns_the_outcome_into_an_exit_code(args, code):
    assert Outcome(*args, "--check").code == code
    assert Outcome(*args).code == 0


# Other commands


def test_rules_lists_the_catalogue():
    outcome = Outcome("rules")
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= 80
    names = Outcome("rules", "--format", "plain").out.split()
    assert {"gd", "momentum", "adam", "clip_norm"} <= set(names)
    for name in names:
        assert f"  {name} " in outcome.out
        shown = Outcome("rules", name)
        assert shown.code == 0
        assert " = " in shown.out


def test_functions_lists_the_table():
    outcome = Outcome("functions")
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= 80
    names = Outcome("functions", "--format", "plain").out.split()
    assert {"exp", "log", "sqrt", "where"} <= set(names)


@pytest.mark.parametrize("command", ["rules", "functions", "schedules"])
def test_tables_of_symgd_itself_export(command):
    names = Outcome(command, "--format", "plain").out.split()
    rows = json.loads(Outcome(command, "--format", "json").out)
    assert [row["name"] for row in rows] == names
    lines = Outcome(command, "--format", "jsonl").out.splitlines()
    assert list(map(json.loads, lines)) == rows
    records = list(csv.reader(io.StringIO(Outcome(command, "--format", "csv").out)))
    assert [record[0] for record in records] == ["name", *names]


def test_version():
    outcome = Outcome("--version")
    assert (outcome.code, outcome.out) == (0, f"symgd {symgd.__version__}\n")


@pytest.mark.parametrize("args", [["--help"], ["-h"]])
def test_help_shows_options_commands_and_examples(args):
    outcome = Outcome(*args)
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= 80
    for part in ("--lr", "--rule", "--version", "functions", 'symgd "theta**2" --lr 10'):
        assert part in outcome.out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("symgd ru", {"rules", "run"}),
        ("symgd --l", {"--lr"}),
        ("symgd x**2 --st", {"--steps", "--start"}),
        ("symgd --rule adam", {"adam", "adamw", "adamax"}),
        ("symgd --rule clip_norm+adamw", {"clip_norm+adamw"}),
        ("symgd --format j", {"json", "jsonl"}),
    ],
)
def test_completion(words, found):
    env = {"_SYMGD_COMPLETE": "complete_bash", "COMP_WORDS": words}
    env["COMP_CWORD"] = str(len(words.split()) - 1)
    result = CliRunner().invoke(app, [], prog_name="symgd", env=env)
    assert found <= set(result.stdout.split())
    assert all(word.startswith(words.split()[-1]) for word in result.stdout.split())


# Real processes


def test_version_loads_neither_sympy_nor_numpy():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "symgd", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in loaded
    assert not loaded & {"sympy", "numpy", "mpmath"}


def test_ascii_output_gets_escapes():
    done = process("größe**2", "-n", "1", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert rb"gr\xf6\xdfe after 1 step: 0.6" in done.stdout
    done = process("größe**2", "--format", "json", env={"PYTHONIOENCODING": "ascii"})
    assert "größe" in json.loads(done.stdout)["theta"]


def test_windows_code_page_survives_greek():
    done = process("θ*ω**2", env={"PYTHONIOENCODING": "cp1252"})
    assert done.returncode == 0
    assert done.stderr == b""


def test_no_escape_codes_in_a_pipe():
    assert b"\x1b" not in process("theta**2").stdout


@posix
@pytest.mark.parametrize("args", [["-n", "20000", "--format", "csv"], ["--help"], ["--version"]])
def test_closed_pipe_ends_quietly_with_141(args):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as out:
        done = subprocess.run([*SYMGD, *args], stdout=out, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_disk_is_told_and_the_result_is_kept():
    with open("/dev/full", "wb") as out:
        done = subprocess.run(SYMGD, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert f"theta after 20 steps: {END}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    ("words", "code"),
    [(["--nosuch"], 2), (["x**"], 2), (["theta**2", "-q"], 0), (["theta**2", "-v"], 0)],
)
def test_messages_that_nobody_can_read_change_no_exit_code(words, code):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*SYMGD, *words], stdout=subprocess.PIPE, stderr=full, check=False)
    assert done.returncode == code
    assert (END.encode() in done.stdout) == (code == 0)


@pytest.mark.parametrize(("words", "told"), [("()", b""), ("('no 9 GB')", b": no 9 GB")])
def test_too_little_memory_is_a_message(words, told):
    code = (
        "import symgd.cli.app\n"
        "from symgd.__main__ import main\n"
        f"def app(prog_name): raise MemoryError{words}\n"
        "symgd.cli.app.app = app\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    message = b"symgd: there is not enough memory" + told + os.linesep.encode()
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", message)


def test_no_command_imports_pydantic():
    code = (
        "import sys\nfrom symgd.cli.app import app\n"
        "for words in ([], ['explain', '--format', 'json'], ['compare'], ['rules']):\n"
        "    app(words, standalone_mode=False)\n"
        "assert 'pydantic' not in sys.modules\n"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout


def test_unknown_format_is_refused_with_the_known_ones():
    outcome = Outcome("theta**2", "--format", "yaml")
    assert outcome.code == 2
    assert "jsonl" in outcome.err


LONG = "(first_long_parameter - 1)^2 + 100*(second_long_parameter - first_long_parameter^2)^2"


@pytest.mark.parametrize("width", [60, 40])
def test_words_are_broken_between_and_never_lost_in_a_narrow_window(width):
    from symgd.report import compare, explain, table
    from symgd.report.wrap import wrap_lines

    run = symgd.descend(LONG, start=0, steps=3)
    reports = [
        table.report(run, width=width),
        explain.report(symgd.explain(LONG, seconds=0), width=width),
        compare.report(symgd.compare("x^2", lr="1e-3..10:30"), width=width),
        compare.report(symgd.compare(LONG, rule=["gd", "momentum"]), width=width),
    ]
    reports = [list(wrap_lines(lines, width)) for lines in reports]
    for lines in reports:
        sentences = [line for line in lines if len(line.split()) > 6 and not line[0].isdigit()]
        assert all(len(line) <= width for line in sentences)
        wide = " ".join(" ".join(lines).split())
        assert "..." not in wide or width == 40
    told = " ".join(" ".join(reports[0]).split())
    assert run.verdict.sentence in told
    assert (
        f"dL/dsecond_long_parameter = {run.loss.gradient_text()['second_long_parameter']}" in told
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["x^2", "-r", "gd+adam"], "'gd+adam' joins more than one rule: gd and adam"),
        (["x^2", "-l", ""], "no learning rate was given"),
        (["compare", "x^2", "-l", ","], "no learning rate was given"),
        (["x^2", "--html", ""], "'': a page ends in .html or .htm"),
        (["", "-n", "1"], 'there is no formula\nwrite one, for example "theta**2"'),
        (["ecplain", "x^2"], "'ecplain' was read as a formula; did you mean 'explain'?"),
    ],
)
def test_what_is_wrong_is_said_by_its_name(words, sentence):
    outcome = Outcome(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert sentence in outcome.err


@posix
@pytest.mark.parametrize(
    ("words", "closed", "code"),
    [(["--nosuch"], 2, 2), (["x**"], 2, 2), (["-"], 0, 2), (["theta**2", "-q"], 2, 0)],
)
def test_closed_streams_are_no_trouble_and_keep_messages_apart(words, closed, code):
    command = ["bash", "-c", f'exec "$0" "$@" {closed}<&-', *SYMGD, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stdout == ("" if code else f"theta after 20 steps: {END}\n")
    assert "Traceback" not in done.stderr
    assert closed or "standard input is closed" in done.stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["x^2", "--learning_rate=0.1"], "--lr"),
        (["explain", "x^2", "--x0", "3"], "--start"),
        (["x^2", "--epochs", "10"], "--steps"),
    ],
)
def test_option_of_another_program_is_told_by_meaning(words, meant):
    outcome = Outcome(*words)
    assert outcome.code == 2
    assert f"write {meant}" in outcome.err
