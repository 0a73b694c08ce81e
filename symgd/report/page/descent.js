// The descent. Mirrors descent.engine and descent.kernel.
const finite = Number.isFinite;
const P = D.params.length;

// One row per step: t, theta, loss, |g|. why: "" or what was not finite, of which point `next`.
function descend(s) {
  const start = D.low ? intoBox(s.start, D.low, D.high) : s.start.slice();
  let x = start, state = Array(D.rules[s.rule].width ?? D.rules[s.rule].states * P).fill(0);
  const rows = [];
  for (let t = 0; ; t++) {
    const [loss, ...g] = F.grad(...x);
    const slopes = projected(s, x, g), norm = P === 1 ? Math.abs(slopes[0]) : hypot(...slopes);
    if (!finite(loss) || !finite(norm)) return { rows, why: "loss", next: x };
    rows.push({ t, x, loss, norm, g: slopes, pull: g });
    if (t === s.steps) return { rows, why: "", state };
    const out = advance(s, x, g, state, t + 1);
    if (!out[0].every(finite)) return { rows, why: "step", next: out[0] };
    [x, state] = out;
  }
}

// The next point and state: the rule's step number t from x.
function advance(s, x, g, state, t) {
  const rule = D.rules[s.rule], step = F.rules[s.rule], hyper = s.hyper.map((v, k) => (k === rule.planned ? s.steps : v));
  const shared = [t, F.rate ? F.rate(t, ...s.constants)[0] : s.lr, ...hyper];
  if (rule.whole) {
    const out = step(...x, ...g, ...state, ...shared);
    return [inside(s, out.slice(0, P)), out.slice(P)];
  }
  const next = [], after = Array(state.length);
  for (let k = 0; k < P; k++) {
    const mine = [];
    for (let j = 0; j < rule.states; j++) mine.push(state[j * P + k]);
    const out = step(x[k], g[k], ...mine, ...shared);
    next.push(out[0]);
    for (let j = 0; j < rule.states; j++) after[j * P + k] = out[j + 1];
  }
  return [inside(s, next), after];
}

// The bounds of the parameters, [low, high] of each or null: those given, and those of the rule box.
function bounds(s) {
  const { box } = D.rules[s.rule], [lower, upper] = box ? box.map((k) => s.hyper[k]) : [-Infinity, Infinity];
  if (!box && !D.low) return null;
  const ends = (given, end, pick) => D.params.map((_, k) => pick(end, given && given[k] !== null ? given[k] : end));
  return [ends(D.low, lower, Math.max), ends(D.high, upper, Math.min)];
}

const intoBox = (x, low, high) => x.map((v, k) => Math.min(Math.max(v, low[k] ?? -Infinity), high[k] ?? Infinity));
const inside = (s, x) => (bounds(s) ? intoBox(x, ...bounds(s)) : x);

// Whether each parameter is at a bound and the gradient points out of the box.
function held(s, x, g) {
  const box = bounds(s);
  return x.map((v, k) => box !== null && ((v === box[0][k] && g[k] > 0) || (v === box[1][k] && g[k] < 0)));
}

// The gradient with 0 for the parameters that are held.
function projected(s, x, g) {
  const at = held(s, x, g);
  return g.map((v, k) => (at[k] ? 0 : v));
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
