// What a verdict is drawn from. Mirrors analysis.verdicts.facts and stationary.
class Facts {
  constructor(s, run) {
    const last = run.rows.at(-1);
    Object.assign(this, { s, run, rows: run.rows, x: last.x, value: last.loss, steps: last.t, start: s.start, first: run.rows[0].loss, kept: {} });
    this.slope = Math.max(...last.g.map(Math.abs));
    this.lr = s.schedule ? null : s.lr;
    this.rateAt = s.schedule ? (t) => rateAt(s, t) : null;
    this.state = ruleOf(s).states > 0;
    this.tail = run.rows.slice(-48).map((r) => [r.t, r.x]);
    this.path = this.tail.map((p) => p[1]);
    this.strides = pairs(this.path).map(([a, b]) => dist(a, b));
    this.climbed = this.value > this.first;
    this.far = Math.max(...minus(this.x, s.start).map(Math.abs)) > 100 * (1 + Math.max(...s.start.map(Math.abs)));
    this.moving = this.path.slice(-4).some((x) => x.some((v, k) => v !== this.x[k]));
    this.held = held(s, this.x, last.pull);
  }

  once(name, make) {
    if (!(name in this.kept)) this.kept[name] = make();
    return this.kept[name];
  }

  get eigenvalues() { return this.once("eigenvalues", () => eigenvalues(this.x)); }
  get near() { return this.once("near", () => certifiedMinimum(this.x)); }
  get minimum() { return this.once("minimum", () => this.near || certifiedMinimum(this.start)); }
  distance(x) { return dist(x, this.near.x); }
  get error() { return this.distance(this.x); }
  get atFloor() { return Boolean(this.near) && this.staysWithin(16 * this.near.rounding); }
  staysWithin(most) { return this.tail.slice(this.state ? -3 : -1).every((p) => this.distance(p[1]) <= most); }

  // [t, error] over the last so many steps, at most 128 of them, an odd number of rows apart.
  window(span) {
    let kept = this.tail.filter((p) => this.steps - p[0] <= span);
    if (span >= this.tail.length) {
      const first = Math.max(0, this.rows.length - 1 - span), apart = Math.ceil((this.rows.length - first) / 128) | 1;
      kept = [];
      for (let k = this.rows.length - 1; k >= first; k -= apart) kept.unshift([this.rows[k].t, this.rows[k].x]);
    }
    return kept.map(([t, x]) => [t, this.distance(x)]).filter((p) => p[1] > 0 && p[1] < Infinity);
  }

  get fall() { return this.once("fall", () => fall((span) => this.window(span), this.steps)); }
  get errors() { return this.once("errors", () => this.path.map((x) => minus(x, this.near.x))); }
  get swings() { return alternates(this.errors); }

  // The factor of the error per step, negative where it changes sides; null if unsteady.
  get observed() {
    return this.once("observed", () => {
      if (!this.near) return null;
      const found = this.lr === null ? null : modulus(this.errors);
      if (found !== null) return found;
      if (this.fall && this.fall.law === "geometric") return Math.exp(this.fall.slope) * (this.swings ? -1 : 1);
      return this.lr === null ? null : this.envelope();
    });
  }

  // The factor of errors that swing about a geometric law, where it is the predicted one.
  envelope() {
    const [predicted] = this.linear, window = this.window(this.steps >> 1);
    if (predicted === null || !(Math.abs(predicted) < 1) || window.length < 24) return null;
    const found = Math.exp(slope(peaks(window)));
    return agree(found, predicted) ? found : null;
  }

  // At the minimum: the factor per step at the given lr, the limit of the stable lr; or nulls.
  get linear() {
    return this.once("linear", () => {
      const { s, minimum, near, lr } = this;
      if (!minimum || !linearizes(s, minimum.values.at(-1))) return [null, null];
      return [lr === null || !near ? null : factor(s, minimum.values, lr), limit(s, minimum.values)];
    });
  }

  // Whether the rule's weight decay moves theta away from the minimum again.
  get decays() { return ruleOf(this.s).decays(given(this.s)) && this.near.x.some(Boolean); }

  // The predicted factor, where the observed one agrees: in the linear regime.
  get predicted() {
    const [predicted] = this.linear, { observed } = this;
    return predicted && observed && agree(observed, predicted) && this.alike() ? predicted : null;
  }

  // Whether the curvatures at the end and at the minimum agree to a quarter.
  alike() {
    const there = this.near.values, scale = Math.max(...there.map(Math.abs));
    return this.eigenvalues.length > 0 && this.eigenvalues.every((v, k) => Math.abs(v - there[k]) <= 0.25 * scale);
  }

  // [t, point] after each of up to so many steps more.
  ahead(steps) {
    const { run, s } = this;
    if (run.why) return [];
    this.later = this.later || { points: [], errors: [], x: this.x, g: this.rows.at(-1).g, state: run.state, over: false };
    const later = this.later, most = Math.min(steps, D.ahead);
    while (later.points.length < most && !later.over) {
      const t = this.steps + later.points.length;
      const [x, state] = advance(s, later.x, later.g, later.state, t + 1), [value, ...g] = F.grad(...x);
      if (allFinite(x) && finite(value) && allFinite(g)) {
        Object.assign(later, { x, g, state });
        later.points.push([t + 1, later.x]);
      } else later.over = true;
    }
    return later.points.slice(0, most);
  }

  // [t, error] after each of up to so many steps more.
  future(steps) {
    if (steps < 1 || this.run.why) return [];
    const points = this.ahead(steps), { errors } = this.later;
    while (errors.length < points.length) {
      const [t, x] = points[errors.length];
      errors.push([t, this.distance(x)]);
    }
    return errors.slice(0, points.length);
  }

  // Whether, so many steps later, the steps are as long as now; true where it is not seen.
  stridesOn(steps) {
    const later = this.ahead(steps), kept = later.slice(-Math.max(9, Math.min(33, later.length >> 2)));
    const last = pairs(kept.map((p) => p[1])).map(([a, b]) => dist(a, b));
    return !last.length || Math.max(...last) >= 0.9 * Math.max(0, ...this.strides.slice(-8));
  }

  get curvesDown() {
    const { eigenvalues: values } = this;
    return values.length > 0 && values[0] < -1e-9 * Math.max(1, Math.abs(values.at(-1)));
  }

  // Whether the gradient jumps here: those on both sides do not approach each other.
  get atKink() {
    return this.once("atKink", () => D.kinks && this.x.some((_, k) => {
      const size = 1 + Math.max(...this.x.map(Math.abs));
      const slopeAt = (h) => F.grad(...this.x.map((v, j) => v + h * size * (j === k)))[1 + k];
      const around = Math.max(Math.abs(slopeAt(1e-2)), Math.abs(slopeAt(-1e-2)));
      const [wide, near] = [1e-6, 1e-8].map((h) => Math.abs(slopeAt(h) - slopeAt(-h)));
      return (near > 0.3 * wide && near > 1e-6 * around) || !allFinite([wide, near]);
    }));
  }

  // Value and gradient so far along a direction, in parts of the point's size.
  beside(way, part) { return F.grad(...plus(this.x, way, part * Math.max(1, ...this.x.map(Math.abs)))); }

  get way() { return P === 1 ? [1] : lowest(hessian(this.x)); }

  // Whether the loss falls, ever steeper, to a side along the smallest curvature.
  get fallsAside() {
    const { way } = this;
    return [1, -1].some((sign) => [1e-4, 1e-3, 1e-2].some((part) => {
      const [value, ...g] = this.beside(way, sign * part);
      return value < this.value - 4 * EPS * Math.abs(this.value) && sign * dot(way, g) < -2 * this.slope;
    }));
  }

  // How the loss is beside the point along the axes: the name of a part.
  get around() {
    const parts = [1e-4, 1e-3, 1e-2, -1e-4, -1e-3, -1e-2];
    const least = Math.min(...this.x.flatMap((_, k) => parts.map((part) => this.beside(this.x.map((_, j) => +(j === k)), part)[0])));
    return least < this.value ? "some sides" : least > this.value ? "every side" : "no side";
  }

  // Whether the gradient is exactly 0 some way to every side.
  get level() {
    return this.x.every((_, k) => [1e-2, -1e-2].every((part) => this.beside(this.x.map((_, j) => +(j === k)), part).slice(1).every((g) => !g)));
  }

  // The outcome at a point without a gradient.
  stationary(how) {
    if (this.atKink) return ["kink", { how, around: part(this.around) }];
    const { eigenvalues: values } = this;
    if (!values.length) return null;
    if (this.near && (this.atFloor || values[0] > 0)) return ["exact", {}];
    if (this.fallsAside) return this.curvesDown ? ["saddle", { how, downhill: this.downhill }] : ["inflection", { how }];
    if (this.level) return ["level", { how }];
    const reason = this.reason();
    if (reason) return ["within tol", { slope: short(this.slope, 3), each: "", reason }];
    return ["flat", { how, along: this.wayText && part("along", { way: this.wayText }) }];
  }

  get downhill() {
    return part("curves", { curvature: this.eigenvalues[0] }) + (this.wayText && part("way out", { way: this.wayText }));
  }

  // The outcome where bounds hold some parameters, and the gradient in the others vanishes.
  get atBound() {
    const names = this.x.flatMap((v, k) => (this.held[k] ? [`${D.params[k]} = ${short(v)}`] : []));
    const out = this.rows.at(-1).pull.filter((_, k) => this.held[k]).map((g) => short(g, 3)), few = names.length <= 4;
    const rest = this.held.every(Boolean) ? "" : part("in others", { slope: short(this.slope, 3) });
    return ["bound", { where: few ? names.join(", ") : part("held", { count: names.length }), pull: few ? ` (${out.join(", ")})` : "", rest }];
  }

  get wayText() {
    const signed = (v) => (v > 0 ? "+" : "") + short(v, 3);
    return P === 1 ? "" : this.way.map((v, k) => (v ? `${D.params[k]} ${signed(v)}` : "")).filter(Boolean).join(", ");
  }

  // Whether gradient and steps are rounding errors: at one of many minima, they never end.
  get trembles() {
    const size = 16 * EPS * Math.hypot(...this.x), sizes = this.eigenvalues.map(Math.abs);
    return Math.max(0, ...this.strides.slice(-4)) <= size && sizes.length > 0 && this.slope <= size * Math.max(...sizes);
  }

  // An exact reason why there is no lower value near this point, or "".
  reason() { return this.nearBound || (D.convex ? part("convex") : ""); }

  get nearBound() {
    const gap = this.value - D.bound;
    if (D.bound === null || !(gap <= 1e-6 * (this.first - D.bound))) return "";
    return gap ? part("near bound", { gap: short(gap, 3), bound: D.bound }) : part("at its bound", { bound: D.bound });
  }
}

// Whether two factors agree to 1 %, and so do the steps that a digit costs to 20 %.
function agree(seen, predicted) {
  const ratio = Math.abs(seen / predicted);
  return Math.abs(ratio - 1) <= 0.01 && Math.abs(Math.log(ratio)) <= 0.2 * Math.abs(Math.log(Math.abs(predicted))) + 1e-9;
}

// Sentences of Python's one table; numbers are written with 6 digits.
const fill = (template, fields) => template.replace(/\{(\w+)\}/g, (_, name) => (typeof fields[name] === "number" ? short(fields[name]) : fields[name]));
const part = (name, fields = {}) => fill(T.parts[name], fields);
const kindOf = (outcome) => T.outcomes[outcome][0];
