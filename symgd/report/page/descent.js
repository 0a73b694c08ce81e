// The descent and its verdict. Mirrors descent.engine, descent.kernel and the room analysis.
const finite = Number.isFinite;
const P = D.params.length;

// One row per step: t, theta, loss, |g|. why: "" or how it ended early.
function descend(s) {
  const rule = D.rules[s.rule], step = F.rules[s.rule], hyper = s.hyper;
  let x = s.start.slice(), state = Array(rule.states * P).fill(0), why = "";
  const rows = [];
  for (let t = 0; ; t++) {
    const [loss, ...g] = F.grad(...x);
    const norm = P === 1 ? Math.abs(g[0]) : hypot(...g);
    if (!finite(loss) || !finite(norm)) { why = "nonfinite"; break; }
    rows.push({ t, x, loss, norm, g });
    if (t === s.steps) break;
    const rate = F.rate ? F.rate(t + 1, ...s.constants)[0] : s.lr;
    const out = advance(rule, step, x, g, state, t + 1, rate, hyper);
    if (!out[0].every(finite)) { why = "nonfinite"; break; }
    [x, state] = out;
  }
  return { rows, why };
}

function advance(rule, step, x, g, state, t, rate, hyper) {
  if (rule.whole) {
    const out = step(...x, ...g, ...state, t, rate, ...hyper);
    return [out.slice(0, P), out.slice(P)];
  }
  const next = [], after = Array(state.length);
  for (let k = 0; k < P; k++) {
    const mine = [];
    for (let j = 0; j < rule.states; j++) mine.push(state[j * P + k]);
    const out = step(x[k], g[k], ...mine, t, rate, ...hyper);
    next.push(out[0]);
    for (let j = 0; j < rule.states; j++) after[j * P + k] = out[j + 1];
  }
  return [next, after];
}

const dot = (a, b) => a.reduce((sum, v, k) => sum + v * b[k], 0);
const norm2 = (a) => Math.hypot(...a);

// The factor by which the last errors (distances from the goal; without one, steps) shrink, or null.
function observed(rows, goal) {
  const points = rows.slice(-48).map((r) => r.x), steps = [], sizes = [], noise = [];
  for (let k = 1; k < points.length; k++) {
    steps.push(points[k].map((v, i) => v - (goal || points[k - 1])[i]));
    sizes.push(norm2(steps[k - 1]));
    noise.push(16 * 2 ** -52 * norm2(points[k]));
  }
  let last = steps.length;
  while (last && !(sizes[last - 1] > noise[last - 1])) last--;
  let first = last;
  while (first && sizes[first - 1] > noise[first - 1] && finite(sizes[first - 1])) first--;
  if (last - first < 2) return null;
  const unit = [], size = sizes.slice(first, last), grown = [], turn = [];
  for (let k = first; k < last; k++) unit.push(steps[k].map((v) => v / sizes[k]));
  for (let k = 1; k < size.length; k++) {
    grown.push(size[k] / size[k - 1]);
    turn.push(dot(unit[k], unit[k - 1]));
  }
  const late = grown.slice(-8), turns = turn.slice(-8);
  const single = dot(turns, late) / turns.length;
  let misfit = 0;
  late.forEach((r, k) => { misfit += r * r * (1 - turns[k] ** 2) + (turns[k] * r - single) ** 2; });
  if (misfit <= 1e-6 * dot(late, late)) return single;
  const both = size.length >= 4 ? pair(unit, grown) : null;
  if (both !== null) return both;
  const mean = (size.length - 1) / 2;
  let top = 0, bottom = 0, sum = 0, tip;
  size.forEach((v, k) => { sum += tip = Math.log(v); top += (k - mean) * tip; bottom += (k - mean) ** 2; });
  const trend = top / bottom;
  if (trend < 0 && Math.max(...size) === size.at(-1) && tip - sum / size.length - trend * mean > 0.405) return null;
  return Math.max(...turns) < 0 ? -Math.exp(trend) : Math.exp(trend);
}

function pair(unit, grown) {
  let aa = 0, ab = 0, bb = 0, ac = 0, bc = 0, cc = 0;
  const rows = [];
  for (let k = Math.max(0, unit.length - 12); k < unit.length - 2; k++) {
    const m = unit[k + 1], b = unit[k].map((v) => v / grown[k]), n = unit[k + 2].map((v) => v * grown[k + 1]);
    rows.push([m, b, n]);
    aa += dot(m, m); ab += dot(m, b); bb += dot(b, b); ac += dot(m, n); bc += dot(b, n); cc += dot(n, n);
  }
  const det = aa * bb - ab * ab;
  if (!(det > 1e-9 * aa * bb)) return null;
  const p = (ac * bb - bc * ab) / det, q = (ac * ab - bc * aa) / det;
  let misfit = 0;
  for (const [m, b, n] of rows) n.forEach((z, i) => { misfit += (z - p * m[i] + q * b[i]) ** 2; });
  if (misfit > 1e-6 * cc) return null;
  const inner = p * p / 4 - q;
  const root = p / 2 + (p < 0 ? -1 : 1) * Math.sqrt(inner);
  return inner < 0 ? Math.sqrt(q) : Math.abs(root) > 1 ? null : root;
}

// Eigenvalues and vectors of a symmetric matrix: C. G. J. Jacobi, 1846.
function jacobi(rows) {
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
  return { values: a.map((r, i) => r[i]), vectors: v };
}

function hessian(x) {
  const flat = F.hess(...x), rows = x.map(() => Array(P));
  let at = 0;
  for (let i = 0; i < P; i++) for (let j = i; j < P; j++) rows[i][j] = rows[j][i] = flat[at++];
  return flat.every(finite) ? rows : null;
}

// The minimum that Newton's method reaches from x downhill, {x, flat, steep} (its extreme curvatures).
function minimum(x, careful) {
  let [worth, ...g] = F.grad(...x), before = Infinity;
  const origin = norm2(x);
  for (let turn = 0; turn < 60; turn++) {
    if (![worth, ...g].every(finite)) return null;
    const rows = hessian(x);
    if (!rows) return null;
    const { values, vectors } = jacobi(rows), top = Math.max(...values.map(Math.abs));
    const used = careful ? values.map((v) => Math.max(Math.abs(v), 1e-10 * top)) : values;
    if (!(Math.min(...used) > 0)) return null;
    let step = x.map(() => 0);
    used.forEach((v, k) => {
      const along = vectors.reduce((sum, row, i) => sum + row[k] * g[i], 0) / v;
      step = step.map((old, i) => old + along * vectors[i][k]);
    });
    const length = norm2(step);
    if (length === 0 || length <= 1e-9 * Math.max(norm2(x), 1e-9 * origin)) {
      const flat = Math.min(...values);
      return flat > 1e-12 * top && length <= 0.05 * before ? { x, flat, steep: Math.max(...values) } : null;
    }
    let next, down = false;
    for (let k = 0; k < (careful ? 40 : 1) && !down; k++) {
      next = x.map((v, i) => v - step[i]);
      const [there, ...slope] = F.grad(...next);
      down = there <= worth + Math.abs(worth) * 1e-12;
      if (down) { worth = there; g = slope; } else step = step.map((v) => v / 2);
    }
    if (!down) return null;
    x = next;
    before = length;
  }
  return null;
}

// The negative curvature of the loss at x in words, or "".
function downhill(x) {
  const rows = F.hess && hessian(x);
  if (!rows) return "";
  const { values, vectors } = jacobi(rows), low = Math.min(...values);
  if (low >= -1e-9 * Math.max(1, ...values)) return "";
  const way = vectors.map((r) => r[values.indexOf(low)]), top = way.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
  const named = way.map((v, k) => (Math.abs(v) > 1e-12 ? `${D.params[k]} ${v / top > 0 ? "+" : ""}${short(v * Math.sign(top), 3)}` : "")).filter(Boolean).join(", ");
  return `the loss curves downward (smallest curvature ${short(low)})` + (P > 1 ? `; the way out is along ${named} or its opposite` : "");
}

// The largest eigenvalue in magnitude of a small matrix; of more than two rows its size only, from
// the growth of its powers.
function dominant(rows) {
  const n = rows.length;
  if (n === 1) return rows[0][0];
  if (n === 2) {
    const root = (rows[0][0] + rows[1][1]) / 2, inner = root * root - rows[0][0] * rows[1][1] + rows[0][1] * rows[1][0];
    return inner < 0 ? Math.sqrt(root * root - inner) : root + (root < 0 ? -1 : 1) * Math.sqrt(inner);
  }
  let size = 0, m = rows;
  for (let k = 0; k < 40; k++) {
    const top = Math.max(...m.flat().map(Math.abs));
    if (!top) return 0;
    size += Math.log(top) / 2 ** k;
    m = m.map((r) => r.map((v) => v / top));
    m = m.map((r) => r.map((_, j) => dot(r, m.map((q) => q[j]))));
  }
  return Math.exp(size);
}

// The factor per step of the rule at a curvature, from the Jacobian of its equations.
function factor(s, curvature, lr) {
  const size = 1 + D.rules[s.rule].states, flat = F.linear[s.rule](curvature, lr, 1e9, ...s.hyper);
  if (!flat.every(finite)) return NaN;
  return dominant(Array.from({ length: size }, (_, i) => flat.slice(i * size, (i + 1) * size)));
}

function worst(s, m, lr) {
  const a = factor(s, m.flat, lr), b = factor(s, m.steep, lr);
  return Math.abs(b) >= Math.abs(a) ? b : a;
}

// The least upper bound of the stable learning rates at a minimum, or null.
function limit(s, m) {
  let high = 1 / m.steep, low, k;
  for (k = 0; k < 200 && Math.abs(worst(s, m, high)) < 1; k++) high *= 2;
  if (k === 200) return null;
  low = high;
  for (k = 0; k < 200 && !(Math.abs(worst(s, m, low)) < 1); k++) low /= 2;
  if (k === 200) return null;
  for (k = 0; k < 60; k++) {
    const middle = 0.5 * (low + high);
    if (Math.abs(worst(s, m, middle)) < 1) low = middle; else high = middle;
  }
  return 0.5 * (low + high);
}

// The verdict: {kind, text, observed, predicted, limit, minimum}.
function judge(s, run) {
  const rows = run.rows;
  let closest = null, predictedRate = null, upper = null, at = null;
  if (F.hess && rows.length) {
    closest = minimum(rows[rows.length - 1].x, true);
    at = closest || minimum(s.start, true);
    if (at && F.linear[s.rule]) {
      upper = limit(s, at);
      if (closest && !F.rate) predictedRate = worst(s, closest, s.lr);
    }
  }
  const rate = rows.length ? observed(rows, closest && closest.x) : null;
  if (predictedRate !== null && !(Math.abs(Math.abs(rate / predictedRate) - 1) <= 0.01)) predictedRate = null;
  const known = pythonsVerdict(s);
  if (known) return { kind: known.kind, text: known.text, observed: rate, predicted: predictedRate, limit: upper, minimum: at };
  const [kind, text] = sentence(s, run, rate, predictedRate, closest);
  const stable = upper === null ? "" : `; stable for 0 < lr < ${short(upper)}` +
    (predictedRate !== null ? "" : " at the minimum " + at.x.map((v, k) => `${D.shown[k]} = ${short(v, 4)}`).join(", "));
  return { kind, text: text + stable, observed: rate, predicted: predictedRate, limit: upper, minimum: at };
}

// Python's verdict on this run, if it is one of those that the page was made of.
function pythonsVerdict(s) {
  const alike = (a, b) => a.length === b.length && a.every((v, k) => v === b[k]);
  const constants = D.constants.map((c) => c[1]);
  return s.steps === D.steps && alike(s.constants, constants) &&
    D.verdicts.find((c) => c.lr === s.lr && c.rule === s.rule && alike(c.start, s.start) && alike(c.hyper, s.hyper));
}

function sentence(s, { rows, why }, rate, predictedRate, closest) {
  if (!rows.length) return ["nonfinite", "not finite at the start"];
  const last = rows[rows.length - 1], slope = Math.max(...last.g.map(Math.abs));
  const each = (word) => `each step ${word} the error by ${short(rate)}`;
  const grown = last.loss > rows[0].loss;
  if (why === "nonfinite") {
    const large = Math.max(...last.x.map(Math.abs)) > 1e6 || last.loss > 1e100;
    if (large) return ["diverging", `diverging: too large for a number at step ${last.t + 1}`];
    return ["nonfinite", `not finite: it leaves the domain of the loss at step ${last.t + 1}`];
  }
  if (s.steps === 0) return ["flat", `no step was taken: max|g| = ${short(slope, 3)}`];
  const down = slope <= 1e-6 && downhill(last.x);
  if (slope === 0) return [down ? "saddle" : "flat", down ? `at rest: the gradient is exactly 0, but not a minimum: ${down}` : "at rest: the gradient is exactly 0 here"];
  if (down) return ["saddle", `converging: max|g| = ${short(slope, 3)}, but not a minimum: ${down}`];
  const size = Math.abs(rate), predicted = predictedRate === null ? "" : ` (predicted ${short(predictedRate)})`;
  const side = rate < 0 && size >= 0.98 ? ": it jumps from side to side" : "";
  if (rate !== null && size > 1 + 1e-9 && grown) return ["diverging", `diverging: ${closest ? each("multiplies") : `each step is ${short(rate)} times the one before`}`];
  if (!closest || rate === null || size > 1 + 1e-9) return ["descending", `descending: the loss went from ${short(rows[0].loss)} to ${short(last.loss)}; max|g| = ${short(slope, 3)}` + (closest || !F.hess ? "" : "; no minimum found near here")];
  if (size > 1 - 1e-9) return ["oscillating", `oscillating: ${each("multiplies")}${side}`];
  if (size >= 0.98) return ["slow", `slow: each step keeps ${short(rate)} of the error${predicted}${side}; one more digit costs ${Math.round(Math.LN10 / -Math.log(size))} steps`];
  return ["converging", `converging: ${each("multiplies")}${predicted}`];
}

// A number as Python's format(x, ".6g") writes it.
function short(x, digits = 6) {
  if (!finite(x)) return String(x);
  const [m, e] = x.toExponential(digits - 1).split("e"), power = +e;
  const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (power < -4 || power >= digits) return `${trim(m)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  return trim(x.toFixed(Math.max(0, digits - 1 - power)));
}

// A number as Python's repr writes it: every digit, and ".0" behind whole ones.
function repr(x) {
  if (!finite(x)) return x !== x ? "nan" : x > 0 ? "inf" : "-inf";
  const [m, e] = x.toExponential().split("e"), power = +e;
  if (x !== 0 && (power < -4 || power >= 16)) return `${m}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  const plain = Object.is(x, -0) ? "-0" : String(x);
  return /[.e]/.test(plain) ? plain : plain + ".0";
}
