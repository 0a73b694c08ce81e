// How an error falls from step to step. Mirrors analysis.verdicts.trace; points are [t, error].
const dot = (a, b) => a.reduce((sum, v, k) => sum + v * b[k], 0);
function dist(a, b) {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k] - b[k]) ** 2;
  return sum > 1e-280 && sum < 1e280 ? Math.sqrt(sum) : Math.hypot(...minus(a, b)); // which is slow
}
const minus = (a, b) => a.map((v, k) => v - b[k]);
const topOf = (points) => Math.max(...points.map((p) => p[1]));
const pairs = (list) => list.slice(1).map((b, k) => [list[k], b]);

// law -> its coordinates, of t and of the error
const same = (v) => v;
const LAWS = { geometric: [same, Math.log], power: [Math.log, Math.log], constant: [same, same] };

// The law of the longest of the last halves, quarters, ... of a run that follows one, or null.
function fall(windowOf, steps) {
  const spans = [];
  for (let span = steps >> 1; span >= 7; span >>= 1) spans.push(span);
  for (const span of spans.length ? spans : [Math.min(steps, 7)]) {
    const points = windowOf(span);
    if (points.length < 3) return null;
    const laws = ["geometric", "constant"];
    if (steps >= 16 && points[0][0] > 0 && points[0][0] <= 0.6 * steps) laws.splice(1, 0, "power");
    const [best, second] = laws.map((law) => lawLine(law, points)).sort((a, b) => a.bend - b.bend);
    if (best.bend <= (points.length >= 8 ? 0.05 : 1e-3)) return { ...best, rival: second.bend };
  }
  return null;
}

function lawLine(law, points) {
  const tops = peaks(points), half = tops.length >> 1, span = points.at(-1)[0] - points[0][0];
  if (Math.abs(Math.log(tops.at(-1)[1]) - Math.log(tops[0][1])) <= 64 * EPS) return { law: "geometric", slope: 0, bend: 0, span };
  const parts = [slope(tops.slice(0, half + 1), law), slope(tops.slice(half), law)], steepest = Math.max(...parts.map(Math.abs));
  return { law, slope: slope(tops, law), bend: steepest > 0 ? Math.abs(parts[0] - parts[1]) / steepest : Infinity, span };
}

// The slope of the least-squares line in the coordinates of a law.
function slope(points, law = "geometric") {
  const [along, up] = LAWS[law], xs = points.map((p) => along(p[0])), ys = points.map((p) => up(p[1]));
  const x0 = xs.reduce((a, b) => a + b) / xs.length, y0 = ys.reduce((a, b) => a + b) / ys.length;
  let above = 0, below = 0;
  xs.forEach((x, k) => { above += (x - x0) * (ys[k] - y0); below += (x - x0) ** 2; });
  return above / below;
}

// The largest error of each of 16 parts of a window; all points of a short one.
function peaks(points) {
  const size = Math.max(1, Math.floor(points.length / 16)), found = [];
  for (let k = points.length % size; k < points.length; k += size) found.push(points.slice(k, k + size).reduce((a, b) => (b[1] > a[1] ? b : a)));
  return found;
}

const halves = (points) => [points.slice(0, points.length >> 1), points.slice(points.length >> 1)].map(topOf);
const shrinks = (points) => halves(points)[1] < 0.98 * halves(points)[0];

// Whether the later half of the points reaches as far as the earlier one, and no farther.
function bounded(points) {
  const [before, after] = halves(points);
  return 0.9 * before <= after && after <= 2 * before;
}

const turnsBack = (path) => path.length > 2 && dist(path[0], path.at(-1)) <= 0.5 * pairs(path).reduce((sum, [a, b]) => sum + dist(a, b), 0);

// Whether each of the last errors points against the one before.
function alternates(errors) {
  const last = errors.slice(-9).map((e) => e.map((v) => v / (Math.hypot(...e) || 1)));
  return last.length > 1 && pairs(last).every(([p, q]) => dot(p, q) < 0);
}

// |z| of errors that obey e'' = 2 Re(z) e' - |z|**2 e, as of a heavy ball, or null.
function modulus(errors) {
  const last = errors.slice(-24), rows = [];
  for (let k = 2; k < last.length; k++) {
    const size = Math.hypot(...last[k - 1]);
    if (!(size > 1e-290 && size < 1e290)) return null;
    rows.push([last[k - 2], last[k - 1], last[k]].map((e) => e.map((v) => v / size)));
  }
  if (rows.length < 3) return null;
  const sum = (i, j) => rows.reduce((total, row) => total + dot(row[i], row[j]), 0);
  const aa = sum(1, 1), ab = sum(1, 0), bb = sum(0, 0), ac = sum(1, 2), bc = sum(0, 2), det = aa * bb - ab * ab;
  if (!(det > 1e-9 * aa * bb)) return null;
  const p = (ac * bb - bc * ab) / det, q = (ac * ab - bc * aa) / det;
  let misfit = 0;
  for (const [x, y, z] of rows) z.forEach((v, i) => { misfit += (v - p * y[i] + q * x[i]) ** 2; });
  if (misfit > 1e-6 * sum(2, 2) || p * p >= 4 * q) return null;
  return Math.acos(0.5 * p / Math.sqrt(q)) * rows.length < Math.PI ? null : Math.sqrt(q);
}
