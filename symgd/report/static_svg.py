"""A small static SVG of a descent, drawn without any library, for notebooks and <noscript>.

One parameter: the curve and the iterates. Two: contours and the path. More: the loss against the
step. Colors are presentation attributes, because a page may forbid styles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from symgd.analysis.minima import find_minimum
from symgd.formula.printing.plain import show
from symgd.model.loss import Loss
from symgd.model.result import Described, Result
from symgd.report.markup import markup
from symgd.report.viewport import is_inside, linspace, value_range, viewport_of
from symgd.solvers.symmetric import all_finite

WIDTH, HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 630, 10, 364
_GRID, _LEVELS = 28, 8  # points along each side of a map, contours
_COARSE = 10, 2  # the same for a live page, which must be small
_MOST_POINTS = 40  # points of a path
_MOST_OPERATIONS = 20_000  # operations of a loss that is evaluated a thousand times for a sketch
_LINE, _PATH, _START, _FAINT = "#777777", "#D55E00", "#222222", "#9aa7b5"

Span = tuple[float, float]
Row = tuple[float, tuple[float, ...], float]  # t, theta, loss
Points = Sequence[tuple[float, float]]
Evaluator = Callable[..., float]


def descent_svg(result: Result, coarse: bool = False) -> str:
    """The SVG of a descent, `<svg ...>...</svg>`; names are escaped. coarse: a small one."""
    count = len(result.loss.params)
    rows = _thinned([(float(t), x, loss) for t, x, loss, _ in result.history.at_most()])
    if all(math.isnan(loss) for _, _, loss in rows) and count == 1:  # only a gradient is known
        body = _step_chart([(t, x[0]) for t, x, _ in rows], show(result.loss.params[0]))
    elif count == 1:
        [span], _ = viewport_of([result])
        path = [(x[0], loss) for _, x, loss in rows]
        body = _curve(result.loss.params[0], span, 61, _evaluator(result.loss), path)
    elif count == 2:
        body = _map(
            result, [(x[0], x[1]) for _, x, _ in rows], *(_COARSE if coarse else (_GRID, _LEVELS))
        )
    else:
        body = _step_chart([(t, loss) for t, _, loss in rows], "loss")
    return _svg(f"descent: {result.verdict.kind}", body)


def loss_svg(loss: Loss) -> str | None:
    """The SVG of the curve of a loss of one parameter around its minimum; None for others."""
    evaluate = _evaluator(loss)
    if len(loss.params) != 1 or evaluate is None:
        return None
    minimum = find_minimum(loss, [1.0]) or find_minimum(loss, [1.0], globalized=True)
    center = minimum.x[0] if minimum is not None and all_finite(minimum.x) else 0.0
    reach = 2.0 * max(1.0, abs(center))
    body = _curve(loss.params[0], (center - reach, center + reach), 121, evaluate, [])
    return _svg(f"loss: {loss.text[:200]}", body)


def _svg(title: str, body: str) -> str:
    label = markup(title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" aria-label="{label}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>{body}</svg>'
    )


def _thinned(rows: list[Row]) -> list[Row]:
    step = -(-len(rows) // _MOST_POINTS)
    return [row for k, row in enumerate(rows) if k % step == 0 or k == len(rows) - 1]


def _curve(name: str, span: Span, count: int, loss: Evaluator | None, path: Points) -> str:
    """The loss at `count` points of the span, and the path (theta, loss)."""
    samples = [(x, loss(x)) for x in linspace(*span, count)] if loss else []
    seen = [y for x, y in path if is_inside([x], [span])]
    heights = value_range([y for _, y in samples], seen)
    curve = _polyline(samples, span, heights, _LINE)
    return _clip(curve + _path(path, span, heights)) + _axes(span, heights, show(name), "loss")


def _map(result: Result, path: Points, grid: int, levels: int) -> str:
    (x, y), _ = viewport_of([result])
    lines = ""
    if (loss := _evaluator(result.loss)) is not None:
        xs, ys = linspace(*x, grid), linspace(*y, grid)
        rows = [[loss(a, b) for a in xs] for b in ys]
        lines = "".join(_contours(xs, ys, rows, (x, y), levels))
    first, second = result.loss.params
    return _clip(lines + _path(path, x, y)) + _axes(x, y, show(first), show(second))


def _step_chart(path: Points, name: str) -> str:
    points = [(t, v) for t, v in path if math.isfinite(v)]
    positive = all(v > 0 for _, v in points)
    if positive:
        points = [(t, math.log10(v)) for t, v in points]
    x = (0.0, max([1.0, *(t for t, _ in points)]))
    y = value_range([v for _, v in points], [v for _, v in points])
    body = _clip(_polyline(points, x, y, _PATH))
    return body + _axes(x, y, "step", f"log10({name})" if positive else name)


def _evaluator(loss: Described) -> Evaluator | None:
    """The loss as a function of numbers, or None if it is unknown or too expensive."""
    if not isinstance(loss, Loss) or loss.internals.work > _MOST_OPERATIONS:
        return None
    return lambda *x: loss.internals.evaluate_value(*x)[0]


def _contours(
    xs: Sequence[float],
    ys: Sequence[float],
    rows: list[list[float]],
    spans: tuple[Span, Span],
    count: int,
) -> list[str]:
    """Marching squares: one path for each level; the levels are quantiles of the loss."""
    finite = sorted(v for row in rows for v in row if math.isfinite(v))
    quantiles = range(1, count + 1) if finite else ()
    out = []
    for level in sorted({finite[(k * len(finite)) // (count + 1)] for k in quantiles}):
        pieces = []
        for j in range(len(ys) - 1):
            for i in range(len(xs) - 1):
                corners = [
                    (xs[i + a], ys[j + b], rows[j + b][i + a] - level)
                    for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))
                ]
                pieces += _crossings(corners, spans)
        out.append(f'<path d="{"".join(pieces)}" fill="none" stroke="{_FAINT}"/>')
    return out


def _crossings(corners: list[tuple[float, float, float]], spans: tuple[Span, Span]) -> list[str]:
    points = []
    for (ax, ay, a), (bx, by, b) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (a < 0) != (b < 0) and math.isfinite(a) and math.isfinite(b):
            fraction = a / (a - b)
            x, y = ax + fraction * (bx - ax), ay + fraction * (by - ay)
            points.append(_place(x, y, *spans))
    return [
        f"M{p[0]:.0f} {p[1]:.0f}l{q[0] - p[0]:.0f} {q[1] - p[1]:.0f}"
        for p, q in zip(points[::2], points[1::2], strict=False)
    ]


def _place(x: float, y: float, xs: Span, ys: Span) -> tuple[float, float]:
    """The pixel coordinates of a point, clamped far outside the picture."""
    right = (x - xs[0]) / (xs[1] - xs[0]) * (_RIGHT - _LEFT)
    up = (y - ys[0]) / (ys[1] - ys[0]) * (_BOTTOM - _TOP)
    return _LEFT + _clamped(right), _BOTTOM - _clamped(up)


def _clamped(value: float) -> float:
    return min(max(value, -1e4), 1e4)


def _polyline(points: Points, xs: Span, ys: Span, color: str) -> str:
    drawn = [_place(a, b, xs, ys) for a, b in points if math.isfinite(a) and math.isfinite(b)]
    text = " ".join(f"{a:.0f} {b:.0f}" for a, b in drawn)
    return f'<polyline points="{text}" fill="none" stroke="{color}" stroke-width="1.5"/>'


def _path(path: Points, xs: Span, ys: Span) -> str:
    dots = [_place(a, b, xs, ys) for a, b in path if math.isfinite(a) and math.isfinite(b)]
    if not dots:
        return ""
    # a stroke of no length with round ends is a dot
    ends = "".join(f"M{a:.0f} {b:.0f}h0" for a, b in dots)
    marks = f'<path d="{ends}" stroke="{_PATH}" stroke-width="5" stroke-linecap="round"/>'
    a, b = dots[0]  # the start: a run ends at the first point that is not finite
    start = f'<rect x="{a - 4:.1f}" y="{b - 4:.1f}" width="8" height="8" fill="{_START}"/>'
    return _polyline(path, xs, ys, _PATH) + marks + start


def _clip(body: str) -> str:
    """A nested svg shows nothing outside its own rectangle."""
    wide, high = _RIGHT - _LEFT, _BOTTOM - _TOP
    box = f'x="{_LEFT}" y="{_TOP}" width="{wide}" height="{high}"'
    return f'<svg {box} viewBox="{_LEFT} {_TOP} {wide} {high}">{body}</svg>'


def _axes(xs: Span, ys: Span, x_name: str, y_name: str) -> str:
    center, low = (_LEFT + _RIGHT) / 2, _BOTTOM + 14
    texts = [
        (_LEFT, low, "start", f"{xs[0]:.3g}"),
        (_RIGHT, low, "end", f"{xs[1]:.3g}"),
        (center, HEIGHT - 8, "middle", x_name[:24]),
        (_LEFT - 5, _BOTTOM, "end", f"{ys[0]:.3g}"),
        (_LEFT - 5, _TOP + 10, "end", f"{ys[1]:.3g}"),
    ]
    out = [
        f'<text x="{a}" y="{b}" text-anchor="{anchor}">{markup(text)}</text>'
        for a, b, anchor, text in texts
    ]
    turned = f'transform="translate(14 {(_TOP + _BOTTOM) / 2}) rotate(-90)" text-anchor="middle"'
    out.append(f"<text {turned}>{markup(y_name[:24])}</text>")
    frame = f'x="{_LEFT}" y="{_TOP}" width="{_RIGHT - _LEFT}" height="{_BOTTOM - _TOP}"'
    return "".join(out) + f'<rect {frame} fill="none" stroke="#444444"/>'
