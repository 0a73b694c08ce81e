"""Starts of fits: public cases with their right values, and a slice of the library."""

import json
import math
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import symgd
from benchmarks import fit_library
from symgd.cli.app import app

CASES = Path(__file__).parent / "cases"
RECORDS = json.loads((CASES / "cases.json").read_text())


@pytest.mark.parametrize("record", RECORDS, ids=[r["name"] for r in RECORDS])
def test_public_case_ends_at_its_right_value(record, monkeypatch):
    monkeypatch.chdir(CASES)
    command = shlex.split(record["command"])[1:]
    ran = CliRunner().invoke(app, [*command, "--format", "json"])
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    for name, right in record["right"].items():
        if name.startswith("stderr_"):
            value = found["params"][name.removeprefix("stderr_")]["stderr"]
        else:
            value = found["params"][name]["value"] if name in found["params"] else found[name]
        # the sign of a width or of an amplitude with its phase is free
        assert abs(value) == pytest.approx(abs(right), rel=record["tolerance"], abs=1e-9), name
    assert found["status"] == "converged"


def right(case):
    found = symgd.fit(case.model, case.data)
    return found.rss <= fit_library.minimum(case) * (1 + 1e-5), found


LIBRARY = list(fit_library.cases((11, 12, 13)))


@pytest.mark.parametrize("case", LIBRARY[::11], ids=lambda case: case.name)
def test_formula_of_the_library_finds_the_minimum(case):
    assert right(case)[0]


@pytest.mark.parametrize("cycles", [0.7, 31.4, 290.0])
def test_sine_of_any_number_of_cycles_is_found(cycles):
    ended, found = right(fit_library.sine(cycles, 3))
    assert ended
    assert found.theta["A"] > 0
    assert -math.pi < found.theta["p"] <= math.pi


@pytest.mark.parametrize(
    ("model", "f", "k"),
    [
        ("y = A*sin(2*pi*(f*t + k*t^2/2) + p)", 20.0, 60.0),
        ("y = A*cos(p + w*t + b*t^2)", 7.0, -9.0),
    ],
)
def test_chirp_is_followed_from_a_few_rows(model, f, k):
    t = np.linspace(0, 1, 500)
    noise = np.random.default_rng(4).normal(0, 0.1, 500)
    y = 1.5 * np.sin(2 * np.pi * (f * t + k * t**2 / 2) + 0.7)
    found = symgd.fit(model, {"t": t, "y": y + noise})
    assert found.rss < noise @ noise  # the least is below that of the truth
    assert "then more" in found.message


def test_peaks_on_a_background_are_found_and_stand_in_order():
    ended, found = right(fit_library.gaussians(3, 4))
    assert ended
    assert found.theta["c0"] < found.theta["c1"] < found.theta["c2"]
    assert min(found.theta[f"s{k}"] for k in range(3)) > 0


@pytest.mark.parametrize("place", [0.0, 1e3, 1e6])
def test_peak_is_found_wherever_it_lies(place):
    case = fit_library.peak(place, 1, 5)
    ended, found = right(case)
    assert ended
    assert found.theta["c"] == pytest.approx(case.truth["c"], abs=0.1)


@pytest.mark.parametrize("kind", range(4))
def test_step_is_an_interval_between_rows(kind):
    case = fit_library.step(kind, 6)
    ended, found = right(case)
    assert ended
    assert found.status == "converged"
    assert any("anywhere in" in warning for warning in found.warnings)


def test_start_is_the_same_in_other_units():
    generator = np.random.default_rng(3)
    x = np.linspace(0, 10, 60)
    y = 3 / (1 + ((x - 4) / 0.5) ** 2) + 1 + generator.normal(0, 0.05, 60)
    model = "y = A/(1 + ((x - c)/g)^2) + b"
    for scale, shift in ((1.0, 0.0), (2.0**-30, 0.0), (1.0, 2.0**20)):
        found = symgd.fit(model, {"x": x * scale + shift, "y": y * 2.0**10})
        assert (found.theta["c"] - shift) / scale == pytest.approx(3.99, abs=0.05)
        assert found.theta["A"] == pytest.approx(3 * 2.0**10, rel=0.05)


def test_partial_start_is_held_while_the_rest_is_searched_for():
    x = np.linspace(0, 100, 201)
    y = np.exp(-(((x - 20) / 2) ** 2)) + 0.8 * np.exp(-(((x - 70) / 2) ** 2))
    for place, height in ((20, 1.0), (70, 0.8)):
        found = symgd.fit("y = A*exp(-((x-c)/w)^2)", {"x": x, "y": y}, start={"c": place})
        assert found.theta["c"] == pytest.approx(place, abs=0.1)
        assert found.theta["A"] == pytest.approx(height, rel=0.01)


def test_reason_of_a_start_is_told():
    case = fit_library.sine(8.0, 2)
    assert "frequency scan over" in symgd.fit(case.model, case.data).message
    case = fit_library.peak(10.0, 0, 2)
    assert "draws" in symgd.fit(case.model, case.data).message
