"""A fit as a JSON file: saved with its data, and loaded to the same numbers without a fit.

Nothing in a file is executed: its model is parsed again as any formula. Floats are exact.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from symgd._numpy import NDArray, np
from symgd.data import Table, read_table
from symgd.data.dates import Origin
from symgd.errors import ArgumentError, DataError, SymgdError
from symgd.fits.curve import FittedCurve
from symgd.fits.fit_result import Estimate, FitResult
from symgd.fits.least_squares_problem import read_problem
from symgd.fits.likelihood import loss_deviance
from symgd.fits.profiles import SquaresDeviance
from symgd.fits.regression_model import is_model
from symgd.fits.settings import Options
from symgd.model.array_options import ArrayOptions
from symgd.model.checks import finite_or_none
from symgd.model.result import Status
from symgd.report.output_files import write_whole

_FORMAT = "symgd fit 1"
_REBUILT = ("params", "table", "curve", "deviance", "options", "status")  # not stored as they are


def save(result: FitResult, path: str | os.PathLike[str]) -> None:
    """Write a fit and its data to a file, whole or not at all."""
    if result.options is None:
        raise ArgumentError("this result does not come from symgd.fit")
    data = {f.name: getattr(result, f.name) for f in fields(result) if f.name not in _REBUILT}
    table, options = result.table, asdict(result.options)
    # a start is only read for the names in it
    named = isinstance(result.options.start, Mapping)
    options["start"] = dict(result.start) if named else None
    document = {
        "format": _FORMAT,
        "result": data | {"status": result.status.value},
        "params": {name: asdict(estimate) for name, estimate in result.params.items()},
        "options": options,
        "columns": {name: values.tolist() for name, values in table.columns.items()},
        "labels": dict(table.labels),
        "origins": {name: list(origin) for name, origin in table.origins.items()},
        "remarks": list(table.remarks),
    }
    text = json.dumps(_listed(document), allow_nan=False)
    write_whole(Path(path), text.encode("ascii") + b"\n")


def load(path: str | os.PathLike[str]) -> FitResult:
    """The fit in a file that `FitResult.save` wrote, with its data: it predicts and draws.

    DataError for any other file. That of a family has no profiles then.
    """
    try:
        document = json.loads(Path(path).read_bytes())
        if document["format"] != _FORMAT:
            raise ValueError
        return _restored(document)
    except OSError as error:
        raise DataError(error.strerror or "it cannot be read", source=os.fspath(path)) from None
    except (ValueError, KeyError, TypeError, IndexError, SymgdError) as error:
        hint = f"write it again with FitResult.save ({error})" if str(error) else ""
        sentence = "this is no fit that symgd has saved"
        raise DataError(sentence, source=os.fspath(path), hint=hint) from None


def _restored(document: Mapping[str, Any]) -> FitResult:
    table = replace(
        read_table({name: _array(values) for name, values in document["columns"].items()}),
        labels={name: tuple(texts) for name, texts in document["labels"].items()},
        origins={name: Origin(*parts) for name, parts in document["origins"].items()},
        remarks=tuple(document["remarks"]),
    )
    given = dict(document["options"])
    arrays = ArrayOptions.of(**given.pop("arrays"))
    given["bounds"] = {name: tuple(ends) for name, ends in given["bounds"].items()}
    options = Options(**given, arrays=arrays)
    data = dict(document["result"])
    for name in ("names", "warnings", "columns"):
        data[name] = tuple(data[name])
    data["covariance"], data["correlation"] = map(_array, (data["covariance"], data["correlation"]))
    data["shapes"] = {name: tuple(shape) for name, shape in data["shapes"].items()}
    data["status"] = Status(data["status"])
    params = {name: Estimate(**parts) for name, parts in document["params"].items()}
    result = FitResult(**data, params=params, table=table, options=options)
    if not is_model(result.text):
        return replace(result, deviance=loss_deviance(result.text, table, options, result))
    return _with_curve(result, options, table)


def _with_curve(result: FitResult, options: Options, table: Table) -> FitResult:
    """The result with the curve, and the deviance where it is of least squares."""
    problem = read_problem(result.text, table, options)
    x = np.array([result.params[name].value for name in result.names])
    curve = FittedCurve.of(problem.model, x, result.covariance)
    variance = 1.0 if result.absolute else result.reduced_chi2
    if not variance or options.loss is not None or options.family is not None:
        return replace(result, curve=curve)
    return replace(result, curve=curve, deviance=SquaresDeviance(problem, variance))


def _listed(value: Any) -> Any:
    """Plain data for JSON: arrays as lists, what is not finite as null."""
    if isinstance(value, np.ndarray):
        return _listed(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _listed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_listed(item) for item in value]
    if isinstance(value, np.generic):
        return _listed(value.item())
    return finite_or_none(value)


def _array(values: Any) -> NDArray[np.float64]:
    """Nested lists as floats, null as nan."""
    if isinstance(values, list) and values and isinstance(values[0], list):
        return np.array([_array(row) for row in values]).reshape(len(values), -1)
    return np.array([math.nan if v is None else float(v) for v in values])
