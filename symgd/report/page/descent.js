// The descent. Mirrors descent.engine and descent.kernel.
const finite = Number.isFinite;
const P = D.params.length;

// One row per step: t, theta, loss, |g|. why: "" or what was not finite, of which point `next`.
function descend(s) {
  let x = s.start.slice(), state = Array(D.rules[s.rule].states * P).fill(0);
  const rows = [];
  for (let t = 0; ; t++) {
    const [loss, ...g] = F.grad(...x);
    const norm = P === 1 ? Math.abs(g[0]) : hypot(...g);
    if (!finite(loss) || !finite(norm)) return { rows, why: "loss", next: x };
    rows.push({ t, x, loss, norm, g });
    if (t === s.steps) return { rows, why: "", state };
    const out = advance(s, x, g, state, t + 1);
    if (!out[0].every(finite)) return { rows, why: "step", next: out[0] };
    [x, state] = out;
  }
}

// The next point and state: the rule's step number t from x.
function advance(s, x, g, state, t) {
  const rule = D.rules[s.rule], step = F.rules[s.rule], shared = [t, F.rate ? F.rate(t, ...s.constants)[0] : s.lr, ...s.hyper];
  if (rule.whole) {
    const out = step(...x, ...g, ...state, ...shared);
    return [out.slice(0, P), out.slice(P)];
  }
  const next = [], after = Array(state.length);
  for (let k = 0; k < P; k++) {
    const mine = [];
    for (let j = 0; j < rule.states; j++) mine.push(state[j * P + k]);
    const out = step(x[k], g[k], ...mine, ...shared);
    next.push(out[0]);
    for (let j = 0; j < rule.states; j++) after[j * P + k] = out[j + 1];
  }
  return [next, after];
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
