// The loss, and the descent on it. Mirrors descent.engine and descent.kernel.
// D: data of the loss and of Python's runs; F: its functions; P: the number of parameters; RULES: the menu.
let D = null, F = null, P = 0, RULES = [];

// A loss: what is known of it, and its functions value, grad, hess of the parameters.
function adopt(data, functions) {
  [D, F, P] = [data, functions, data.params.length];
  const own = (D.rules || []).map(({ name, text, values }) => ({ name, text, values })), taken = own.map((entry) => entry.name);
  RULES = [...own, ...T.rules.filter(([name, kind, text]) => kind === "rule" && !taken.includes(name) && !/\breport\b/.test(text)).map(([name, , text, values]) => ({ name, text, values }))];
}

// The rule of the settings, read when it is first used.
function ruleOf(s) {
  const entry = RULES[s.rule];
  entry.rule = entry.rule || new Rule(entry.text, entry.values || {}, entry.name);
  return entry.rule;
}

const hyperOf = (rule) => rule.hyper.map(([, usual]) => usual ?? 0);

// The hyperparameters as the rule reads them: n is the planned number of steps.
const given = (s) => s.hyper.map((v, k) => (k === ruleOf(s).planned ? s.steps : v));

// The learning rate of step t.
const rateAt = (s, t) => (s.schedule ? s.schedule.at(t, s.steps, s.constants) : s.lr);

// One row per step: t, theta, loss, |g|. why: "" or what was not finite, of which point `next`.
function descend(s) {
  const rows = [], rule = ruleOf(s);
  let x = D.low ? intoBox(s.start, D.low, D.high) : s.start.slice(), state = rule.one.map((one) => (one ? 0 : Array(P).fill(0)));
  for (let t = 0; ; t++) {
    const [loss, ...g] = F.grad(...x);
    const slopes = projected(s, x, g), norm = P === 1 ? Math.abs(slopes[0]) : hypot(...slopes);
    if (!finite(loss) || !finite(norm)) return { rows, why: "loss", next: x };
    rows.push({ t, x, loss, norm, g: slopes, pull: g });
    if (t === s.steps) return { rows, why: "", state };
    const [next, after] = advance(s, x, g, state, t + 1, loss);
    if (!next.every(finite)) return { rows, why: "step", next };
    [x, state] = [next, after];
  }
}

// The next point and state: the rule's step number t from x.
function advance(s, x, g, state, t, loss = NaN) {
  const rule = ruleOf(s), value = loss !== loss && rule.usesLoss ? F.value(...x)[0] : loss;
  const [next, after] = rule.step(x, g, state, t, rateAt(s, t), given(s), value, ELSEWHERE);
  return [inside(s, next), after];
}

// The loss at other points, for rules that ask.
const ELSEWHERE = {
  value: (x) => F.value(...x)[0],
  grad: (x) => F.grad(...x).slice(1),
  product: (x, v) => (hessian(x) || x.map(() => v.map(() => NaN))).map((row) => row.reduce((sum, h, k) => sum + h * v[k], 0)),
};

// The bounds of the parameters, [low, high] of each or null: those given, and those of the rule box.
function bounds(s) {
  const { box } = ruleOf(s), [lower, upper] = box ? box.map((k) => s.hyper[k]) : [-Infinity, Infinity];
  if (!box && !D.low) return null;
  const ends = (one, end, pick) => D.params.map((_, k) => pick(end, one && one[k] !== null ? one[k] : end));
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
