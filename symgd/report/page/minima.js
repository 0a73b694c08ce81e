// Certified minima, and a rule near one as a linear map. Mirrors solvers.newton, analysis.minima
// and analysis.stability.
const EPS = 2 ** -52;

const allFinite = (values) => values.every(finite);
const plus = (x, step, part = 1) => x.map((v, k) => v + part * step[k]);

// Eigenvalues, ascending, and unit eigenvectors of a symmetric matrix: C. G. J. Jacobi, 1846.
function spectrum(rows) {
  const n = rows.length, a = rows.map((r) => r.slice()), v = a.map((r, i) => r.map((_, j) => +(i === j)));
  for (let sweep = 0; sweep < 40; sweep++) {
    let off = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) off += a[i][j] ** 2;
    if (off === 0) break;
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) {
      if (a[i][j] === 0) continue;
      const angle = 0.5 * Math.atan2(2 * a[i][j], a[j][j] - a[i][i]), c = Math.cos(angle), s = Math.sin(angle);
      for (const m of [a, v]) for (const row of m) [row[i], row[j]] = [c * row[i] - s * row[j], s * row[i] + c * row[j]];
      for (let k = 0; k < n; k++) [a[i][k], a[j][k]] = [c * a[i][k] - s * a[j][k], s * a[i][k] + c * a[j][k]];
      a[i][j] = a[j][i] = 0;
    }
  }
  const order = rows.map((_, k) => k).sort((i, j) => a[i][i] - a[j][j]);
  return { values: order.map((k) => a[k][k]), vectors: order.map((k) => v.map((row) => row[k])) };
}

// The unit eigenvector of the smallest eigenvalue; its largest entry is positive.
function lowest(rows) {
  const way = spectrum(rows).vectors[0], largest = way.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
  return way.map((v) => (Math.abs(v) > 1e-12 ? v * Math.sign(largest) : 0));
}

// The Hessian at x, or null where it is not finite.
function hessian(x) {
  const flat = F.hess(...x), rows = x.map(() => Array(P));
  let at = 0;
  for (let i = 0; i < P; i++) for (let j = i; j < P; j++) rows[i][j] = rows[j][i] = flat[at++];
  return allFinite(flat) ? rows : null;
}

const eigenvalues = (x) => { const rows = hessian(x); return rows ? spectrum(rows).values : []; };

// A point with Newton's step from there; null where something is not finite. The Hessian is scaled
// to a unit diagonal; if it is not positive definite, its eigenvalues are taken by magnitude.
function newtonStep(x, known) {
  const [value, ...g] = known || F.grad(...x), h = hessian(x);
  if (!h || !allFinite([value, ...g])) return null;
  const scale = h.map((row, k) => Math.sqrt(Math.abs(row[k])) || 1);
  const { values, vectors } = spectrum(h.map((row, i) => row.map((v, j) => v / scale[i] / scale[j]))), sizes = values.map(Math.abs);
  const largest = Math.max(...sizes), definite = values[0] > 16 * P * EPS * largest, floor = definite ? 0 : Math.max(1e-8 * largest, 1e-300);
  const step = x.map(() => 0);
  if (h.every((row) => row.every((v) => !v))) { // a slope without curvature: go far
    const length = (1 + Math.hypot(...x)) / (Math.hypot(...g) || 1);
    return { x, value, g, h, step: g.map((v) => -length * v), definite, decrease: length * dot(g, g), norm: () => 0 };
  }
  vectors.forEach((v, k) => {
    const along = v.reduce((sum, c, i) => sum - c * g[i] / scale[i], 0) / Math.max(sizes[k], floor);
    v.forEach((c, i) => { step[i] += along * c / scale[i]; });
  });
  return { x, value, g, h, step, definite, decrease: -dot(g, step), norm: (s) => Math.hypot(...s.map((v, k) => Math.sqrt(Math.abs(h[k][k])) * v)) };
}

// The full step, where values are rounding (of exp(x - 1) - x at 1), but the slope is halved.
function bySlope(at) {
  const x = plus(at.x, at.step, 1), next = at.definite && x.some((v, i) => v !== at.x[i]) ? newtonStep(x) : null;
  return next && next.definite && next.value <= at.value + 1e-8 * (1 + Math.abs(at.value)) && Math.hypot(...next.g) <= 0.5 * Math.hypot(...at.g) ? next : null;
}

const isClose = (at, start) => Math.hypot(...at.step) <= 1e-9 * Math.max(Math.hypot(...at.x), 1e-9 * Math.hypot(...start));

// Where damped Newton steps downhill end, or null if they did not become ever shorter.
function newton(start) {
  let at = newtonStep(start), last = null;
  for (let k = 0; at && k < 60 && !isClose(at, start); k++) {
    const negligible = at.decrease <= 1e-12 * (Math.abs(at.value) + 1e-300);
    let x = null, found;
    for (let part = 1, tries = 0; tries < 60 && !x; part /= 2, tries++) {
      const trial = plus(at.x, at.step, part);
      found = F.grad(...trial);
      if (negligible || (found[0] > -Infinity && found[0] <= at.value - 1e-4 * part * at.decrease)) x = trial;
    }
    const next = !x || x.every((v, i) => v === at.x[i]) ? bySlope(at) : newtonStep(x, found);
    if (!next) break;
    last = at.x;
    at = next;
  }
  const moved = at && last ? at.norm(minus(at.x, last)) : Infinity;
  return at && isClose(at, start) && at.norm(at.step) <= 0.05 * moved ? at : null;
}

// The minimum downhill of a point, its gradient 0 to rounding: {x, values, rounding}, or null.
function certifiedMinimum(start) {
  const found = newton(start), below = found ? spectrum(found.h).values : [0];
  if (!found || !(below[0] > 1e-12 * Math.abs(below.at(-1)))) return null;
  const again = newtonStep(plus(found.x, found.step));
  if (!again || !again.definite) return null;
  const size = Math.hypot(...again.x), error = Math.hypot(...again.step), origin = Math.hypot(...start);
  if (size > 1e8 * (1 + origin) || !(error <= 1e-9 * Math.max(size, origin))) return null;
  const { values } = spectrum(again.h), way = lowest(again.h);
  if (jumps(again.x, 1e-6 * (Math.max(size, origin) || 1), values.at(-1))) return null;
  for (const part of [1e-6 * size, -1e-6 * size]) {
    const there = eigenvalues(plus(again.x, way, part));
    if (!there.length || !(there[0] > 0.1 * values[0])) return null;
  }
  return { x: again.x, values, rounding: error + 4 * EPS * size };
}

// Whether the gradient changes by more beside x than the curvature lets it: x is on a kink.
function jumps(x, far, curvature) {
  const move = x.map((_, k) => far * (1 + (k % 7) / 8)), [low, high] = [-1, 1].map((sign) => F.grad(...plus(x, move, sign)).slice(1));
  return !(dist(low, high) <= 4 * curvature * Math.hypot(...move));
}

// The eigenvalue of largest magnitude of a small matrix, signed where it is real; of a pair its
// modulus. Of three rows and more by repeated squaring.
function dominant(rows) {
  if (rows.length === 1 || !allFinite(rows.flat())) return rows[0][0];
  if (rows.length === 2) {
    const [[a, b], [c, d]] = rows, half = 0.5 * (a + d), inner = 0.25 * (a - d) ** 2 + b * c;
    if (inner < -1e-24 * Math.max(1, half * half)) return Math.sqrt(a * d - b * c);
    return half + (half < 0 ? -1 : 1) * Math.sqrt(Math.max(inner, 0));
  }
  let size = 0, m = rows;
  for (let k = 0; k < 50; k++) {
    const largest = Math.max(...m.flat().map(Math.abs));
    if (!largest) return 0;
    size += Math.log(largest) / 2 ** k;
    m = m.map((r) => r.map((v) => v / largest));
    m = m.map((r) => r.map((_, j) => dot(r, m.map((q) => q[j]))));
  }
  const column = rows.map((_, j) => m.map((q) => q[j])).reduce((a, b) => (Math.hypot(...b) > Math.hypot(...a) ? b : a));
  const value = dot(rows.map((r) => dot(r, column)), column) / dot(column, column);
  return Math.abs(Math.abs(value) / Math.exp(size) - 1) < 1e-6 ? value : Math.exp(size);
}

// The step of a rule on the error along an eigenvector: its Jacobian, by rows.
const jacobian = (s, curvature, lr, t = 1e9, away = 0) => ruleOf(s).jacobian(curvature, lr, t, away, given(s));

// Whether this linear map says how the rule behaves near a minimum of that curvature.
function linearizes(s, curvature) {
  const lr = 0.1 / curvature;
  if (!ruleOf(s).map.smooth || !jacobian(s, 0, lr)) return false;
  const rest = jacobian(s, 0, lr), here = jacobian(s, curvature, lr).flat();
  if (rest.some((row, k) => row[0] !== +(k === 0)) || !allFinite(here)) return false;
  const near = (others, tolerance) => others.flat().every((v, k) => Math.abs(v - here[k]) <= tolerance * (1e-3 + Math.abs(here[k])));
  return near(jacobian(s, curvature, lr, 1e6), 1e-9) && near(jacobian(s, curvature, lr, 1e9, 1e-3), 0.05);
}

// The factor per step of largest magnitude over some curvatures.
const factor = (s, values, lr) => values.map((v) => dominant(jacobian(s, v, lr))).reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));

// The least upper bound of the stable learning rates at a minimum, or null.
function limit(s, values) {
  const ends = [values[0], values.at(-1)], stable = (lr) => Math.abs(factor(s, ends, lr)) < 1;
  let high = 1 / Math.max(...ends.map(Math.abs)), low, k;
  for (k = 0; k < 200 && stable(high); k++) high *= 2;
  if (k === 200) return null;
  low = high;
  for (k = 0; k < 200 && (k === 0 || !stable(low)); k++) low /= 2;
  if (k === 200) return null;
  for (k = 0; k < 60; k++) {
    const middle = 0.5 * (low + high);
    if (stable(middle)) low = middle; else high = middle;
  }
  return 0.5 * (low + high);
}

// The largest curvature at a point, and the rate above which gradient descent is not stable there.
function sharpness(x) {
  const most = F.hess ? eigenvalues(x).at(-1) : undefined;
  if (most === undefined) return "";
  return `; sharpness ${short(most, 4)}` + (most > 0 ? `, 2/sharpness = ${short(2 / most, 4)}` : "");
}
