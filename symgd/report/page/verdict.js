// The verdict of a run. Mirrors analysis.verdicts: verdict, measured and without_minimum; its kinds
// and sentences are Python's own table. What Python alone can decide is left open: less is said.
const SLOW = 0.98, SAME = 1e-9;

// {kind, text, limit, minimum}
function judge(s, run) {
  const facts = run.rows.length ? new Facts(s, run) : null, minimum = F.hess && facts && !bounds(s) ? facts.minimum : null;
  const upper = minimum ? facts.linear[1] : null, known = pythonsVerdict(s);
  if (known) return { kind: known.kind, text: known.text, limit: upper, minimum };
  const [outcome, fields] = outcomeOf(facts, run), [kind, template] = T.outcomes[outcome];
  const text = fill(template, fields) + (upper === null || kind === "nonfinite" ? "" : stable(facts, upper, kind));
  return { kind, text, limit: upper, minimum };
}

// Python's verdict on this run, if it is one of those that the page was made of.
function pythonsVerdict(s) {
  const alike = (a, b) => a.length === b.length && a.every((v, k) => v === b[k]);
  const constants = D.constants.map((c) => c[1]);
  return s.steps === D.steps && alike(s.constants, constants) &&
    D.verdicts.find((c) => c.lr === s.lr && c.rule === s.rule && alike(c.start, s.start) && alike(c.hyper, s.hyper));
}

const NEARING = ["converging", "slow", "sublinear", "approaching", "descending"];

// The stable learning rates at the minimum; that a run which gets nearer will not stay.
function stable(facts, upper, kind) {
  if (facts.predicted !== null || facts.atFloor) return part("stable", { limit: upper });
  const noise = 1e-15 * Math.max(...facts.start.map(Math.abs));
  const place = facts.minimum.x.map((v, k) => `${D.params[k]} = ${short(Math.abs(v) > noise ? v : 0, 4)}`).join(", ");
  const above = facts.lr !== null && facts.lr > upper && NEARING.includes(kind);
  return part(P > 3 ? "stable there" : "stable at", { limit: upper, place }) + (above ? part("cannot settle") : "");
}

function outcomeOf(facts, run) {
  if (run.why) return notFinite(facts, run);
  const slope3 = short(facts.slope, 3);
  if (facts.steps === 0 && facts.slope !== 0) return ["no step", { slope: slope3 }];
  if (bounds(facts.s)) return facts.slope === 0 && !facts.moving && facts.held.some(Boolean) ? facts.atBound : undecided(facts);
  if (!F.hess) return undecided(facts);
  if (facts.slope === 0 && !facts.moving) return atRest(facts) || undecided(facts);
  if (!facts.near && facts.trembles) return facts.stationary(part("how stationary", { slope: slope3 })) || undecided(facts);
  return (facts.near && againstMinimum(facts)) || byLoss(facts) || undecided(facts);
}

const undecided = (facts) => ["undecided", { first: facts.first, value: facts.value, slope: short(facts.slope, 3) }];

// A run that left the numbers: too large a number, or no number at all; else it is left open.
function notFinite(facts, { why, rows, next }) {
  if (!rows.length) return ["nonfinite", { why: part("undefined", { step: 0 }) }];
  const step = facts.steps + 1, large = Math.max(...facts.x.map(Math.abs)) > 1e6;
  if (why === "loss") {
    const edge = lastFinite(facts.x, next), there = F.grad(...edge), sizes = there.map(Math.abs), [value] = F.grad(...next);
    if (Math.max(...sizes) > 1e100 && (value === Infinity || value === -Infinity)) return ["overflow", { why: part("too large", { step }) }];
    if (Math.max(...sizes) < 1e100 && value !== value) return ["nonfinite", { why: part("undefined", { step }) }];
  } else if (large && !next.some((v) => v !== v)) return ["overflow", { why: part("too large", { step }) }];
  return ["left", { step }];
}

// Between a point where loss and gradient are finite and one where they are not: the last of the former.
function lastFinite(a, b) {
  for (let k = 0; k < 60; k++) {
    const middle = a.map((v, i) => 0.5 * v + 0.5 * b[i]);
    if (allFinite(F.grad(...middle))) a = middle; else b = middle;
  }
  return a;
}

function atRest(facts) {
  const [predicted, upper] = facts.linear;
  if (facts.x.some((v, k) => v !== facts.start[k]) && facts.atFloor && upper && Math.abs(predicted) > 1) {
    return ["landed", { lr: facts.lr, ratio: short(facts.lr / upper, 3), limit: upper }];
  }
  return facts.stationary(part("how rest"));
}

// The outcome by the error, or null where only loss and gradient can be spoken of.
function againstMinimum(facts) {
  const rounding = ["rounding", { slope: short(facts.slope, 3), how: part("how rounding") }];
  if (facts.atFloor) return rounding;
  if (ranDown(facts) && !fallsYet(facts)) return runDown(facts);
  const near = facts.staysWithin(EPS * facts.distance(facts.start));
  if (!facts.moving) return near ? rounding : null;
  const found = byLaw(facts);
  const falling = found && ["converging", "slow", "sublinear"].includes(kindOf(found[0]));
  if (falling && facts.decays && facts.future(farOf(facts)).length < farOf(facts)) return untilNow(facts);
  const restless = !found || kindOf(found[0]) === "oscillating";
  return near && (restless || facts.linear[0] === null) ? rounding : found;
}

// Whether the error is seen to fall to less than a tenth while the rate falls on.
function fallsYet(facts) {
  const last = facts.future(farOf(facts)).at(-1);
  return Boolean(last) && last[1] < 0.07 * facts.error && facts.rateAt(last[0]) <= facts.rateAt(facts.steps);
}

function byLaw(facts) {
  const law = facts.fall;
  if (facts.observed !== null) return geometric(facts, facts.observed);
  const longer = facts.future(farOf(facts)), on = !longer.length || falls(facts, longer);
  const found = law && law.slope < 0 && on ? (law.law === "power" ? sublinear(facts, law) : constant(facts, law)) : null;
  return found || unsteady(facts);
}

function geometric(facts, rate) {
  const size = Math.abs(rate);
  if (Math.abs(size - 1) <= SAME && (facts.swings || turnsBack(facts.path))) {
    const last = lately(facts).map((p) => p[1]);
    if (rate < 0 && Math.max(...last) <= (1 + 1e-6) * Math.min(...last) && stays(facts)) return ["reversing", { rate }];
    return stays(facts) ? bouncing(facts) : unsteady(facts);
  }
  if (size > 1) return growing(facts, rate);
  if (size === 1) return unsteady(facts);
  const guess = Math.LN10 / -Math.log(size), { predicted } = facts;
  if (!steadyRate(facts, whole(guess))) return unsteady(facts);
  const later = facts.future(whole(1.2 * guess)), longer = predicted === null ? facts.future(farOf(facts)) : [];
  if (later.length && !falls(facts, later)) return unsteady(facts);
  if (longer.length && !falls(facts, longer)) return bursts(facts, longer) || unsteady(facts);
  if (facts.linear[0] !== null && Math.abs(facts.linear[0]) > 1 + SAME && !later.length) return unsteady(facts);
  const digit = digitOf(facts, later, guess);
  if (digit !== null ? !(digit >= 0.7 * guess && digit <= 1.4 * guess) && guess > 20 : predicted === null) return unsteady(facts);
  const swing = rate < 0 && size >= SLOW ? part("sides") : "";
  return [size >= SLOW ? "slow" : "geometric", { rate: factorText(rate), predicted: predictedText(facts), swing, digit: digitText(digit) }];
}

// Whether the learning rate will be about the same for so many steps.
function steadyRate(facts, steps) {
  if (!facts.rateAt) return true;
  const now = facts.rateAt(facts.steps), then = facts.rateAt(facts.steps + steps);
  return 0.8 * now <= then && then <= 1.2 * now;
}

// Of an error that grows by a factor: diverging, unless it is seen to stay bounded.
function growing(facts, rate) {
  if (D.quadratic && facts.predicted !== null && Math.abs(rate) > 1 + SAME) return ["growing", { rate: factorText(rate) }];
  const later = facts.future(farOf(facts)), count = later.length;
  if (count > 32 && !(later.at(-1)[1] > 2 * facts.error)) return unsteady(facts);
  if (!facts.climbed && !count && rate > 0) return null;
  if (count >= 64 && bounded(later.slice(count >> 1))) return bouncing(facts);
  return ["growing", { rate: factorText(rate) }];
}

function sublinear(facts, law) {
  const p = -law.slope;
  if (p < 0.01) return null;
  const times = 10 ** (1 / p), digit = facts.steps * (times - 1), later = facts.future(whole(Math.max(facts.steps, digit)));
  if (later.length && !falls(facts, later)) return null;
  if (later.length >= facts.steps && later.at(-1)[1] > 0) {
    const seen = Math.log(facts.error / later.at(-1)[1]) / Math.log(later.at(-1)[0] / facts.steps);
    if (!(Math.abs(seen - p) <= 0.1 * p)) return null;
  } else if (law.bend > 0.02) return null;
  return ["power", { power: short(p, 3), digit: part("power digit", { times: short(times, 3), more: short(digit, 2) }) }];
}

function constant(facts, law) {
  const step = -law.slope, left = facts.error / step, later = facts.future(whole(2 * left));
  if (left < 3 || (later.length && !falls(facts, later))) return null;
  const digit = digitOf(facts, later, 0.9 * left), last = facts.strides.slice(-8);
  const straight = step >= 0.995 * last.reduce((a, b) => a + b) / last.length;
  if (digit === null || !(digit >= 0.63 * left && digit <= 1.26 * left) || (!straight && !(later.length >= digit))) return null;
  return ["constant", { step: short(step, 3), error: short(facts.error, 3), left: stepsText(left) }];
}

// Of an error that follows no law: bounded, growing or shrinking.
function unsteady(facts) {
  const { error, path } = facts, window = facts.window(facts.steps > 16 ? facts.steps >> 1 : facts.steps);
  if (window.length < 2) return null;
  const later = facts.future(farOf(facts)), turned = turnsBack(path), span = window.at(-1)[0] - window[0][0];
  if (turned && !shrinks(window) && stays(facts)) return bouncing(facts);
  if (!facts.rateAt && rests(facts, later)) {
    if (turned && facts.stridesOn(later.length)) return bouncing(facts);
    if (Math.max(...facts.strides.slice(-8)) <= 1e-6 * error) return ["resting", { error, slope: short(facts.slope, 3) }];
  }
  const onward = !turned && error < (1 - 1e-6) * window[0][1];
  if ((shrinks(window) || onward) && (!later.length || falls(facts, later))) {
    if (later.length && later.at(-1)[1] > 0.3 * error && ranDown(facts, later.at(-1)[0])) return runDown(facts);
    const [before, after] = halves(window), count = part(span > 1 ? "steps" : "step", { count: span });
    const near = crossing(facts, later), fields = { before, error: onward ? error : after, span: count, digit: digitText(near) };
    if (near === null && !facts.rateAt && rests(facts, later)) return ["stopping", { ...fields, left: later.at(-1)[1] }];
    return ["unsteady", fields];
  }
  if (facts.climbed && error > 10 * window[0][1] && (later.length < 64 || later.at(-1)[1] > 2 * error)) return ["leaving", { before: window[0][1], error, span }];
  if (later.length && turned && stays(facts)) return bouncing(facts);
  const longer = facts.future(10 * farOf(facts));
  return detour(facts, later) || bursts(facts, later) || detour(facts, longer) || bursts(facts, longer);
}

// Whether the error ends far from 0: twice the steps change nothing of it, nor of its fall.
function rests(facts, later) {
  const last = later.slice(later.length >> 1).map((p) => p[1]), most = Math.max(...last), least = Math.min(...last);
  if (later.length < Math.max(facts.steps, 64) || !(most > 0.1 * facts.error)) return false;
  return most - least <= Math.min(0.001 * least, 0.1 * Math.abs(facts.distance(facts.start) - last.at(-1)));
}

// Of an error that is seen to be smaller later on.
function detour(facts, later) {
  const now = topOf(lately(facts)), last = later.length ? topOf(lastPart(later)) : Infinity;
  if (!(last < Math.min(0.5 * now, facts.error)) || facts.stridesOn(later.length)) return null;
  const above = later.findLastIndex((p) => p[1] > 0.14 * facts.error), near = crossing(facts, later.slice(above + 1));
  return ["detour", { now, error: last, more: later.length, digit: digitText(near) }];
}

// Of an error that falls far and grows again, as by Adam, whose v fades with the gradient.
function bursts(facts, later) {
  const now = topOf(lately(facts)), tops = later.length ? peaks(later) : [];
  const low = tops.reduce((a, b) => (a && a[1] <= b[1] ? a : b), null);
  if (!low || !(low[1] < 0.1 * Math.min(now, facts.error))) return null;
  const high = topOf(tops.filter((p) => p[0] >= low[0]));
  if (!(high > 10 * low[1])) return null;
  const window = facts.window(facts.steps), before = Math.min(...peaks(window.slice(0, (window.length >> 1) + 1)).map((p) => p[1]));
  const again = before < 0.1 * now || !(facts.error < 0.5 * facts.distance(facts.start));
  return [again ? "bursting" : "leaving again", { low: low[1], high, more: low[0] - facts.steps }];
}

// Of an error that fell, by a rule that may leave the minimum later than the run is seen.
function untilNow(facts) {
  const window = facts.window(facts.steps >> 1), { error } = facts;
  if (window.length < 2 || !(error < window[0][1])) return null;
  return ["until now", { before: window[0][1], error, span: window.at(-1)[0] - window[0][0] }];
}

const runDown = (facts) => ["run down", { lr: facts.rateAt(facts.steps), error: facts.error }];

function bouncing(facts) {
  const errors = lately(facts).map((p) => p[1]), upper = facts.linear[1], { lr } = facts;
  const above = upper !== null && lr !== null && lr >= 0.999 * upper;
  const ratio = above ? short(lr / upper, lr > 1.01 * upper ? 3 : 6) : "";
  const against = above ? part(ratio === "1" ? "at limit" : "against", { lr, ratio, limit: upper }) : "";
  const found = above ? null : beat(facts.future(farOf(facts)));
  if (found) return ["bursting", found];
  return ["bouncing", { low: Math.min(...errors), high: Math.max(...errors), against }];
}

// To what an error falls for a while, and grows again, by a factor 2 at least; or null.
function beat(later) {
  const size = Math.max(later.length >> 5, 8), tops = [];
  for (let k = 0; k < later.length; k += size) tops.push(topOf(later.slice(k, k + size)));
  const low = Math.min(...tops), high = Math.max(...tops.slice(tops.indexOf(low)));
  return high > 2 * low ? { low, high } : null;
}

const predictedText = (facts) => (facts.predicted === null ? "" : part("predicted", { rate: factorText(facts.predicted) }));
const digitText = (digit) => (digit === null ? "" : part("digit", { steps: stepsText(digit) }));
const stepsText = (count) => (count < 1e6 ? count.toFixed(0) : short(count, 3));
const whole = (steps) => Math.ceil(Math.min(steps, 1e9));
const farOf = (facts) => Math.max(10 * facts.steps, 640);
const lastPart = (points, parts = 8, least = 1) => points.slice(-Math.max(least, Math.floor(points.length / parts)));

// With 6 digits, of the difference from 1 where that would leave none.
function factorText(value) {
  const gap = 1 - Math.abs(value);
  return gap && Math.abs(gap) < 1e-5 ? `${value < 0 ? "-" : ""}(1 ${gap > 0 ? "-" : "+"} ${short(Math.abs(gap), 3)})` : short(value);
}

// The last points: of a quarter of the run, at most 48 and at least 3.
function lately(facts) {
  const window = facts.window(Math.min(Math.max(facts.steps >> 2, 2), 47));
  return window.length ? window : [[facts.steps, facts.error]];
}

// Whether neither error nor steps shrink when the run goes on, as far as it can.
function stays(facts) {
  const later = facts.future(farOf(facts));
  if (!later.length) return true;
  const now = topOf(lately(facts)), last = topOf(lastPart(later, 32, 8));
  if (Math.min(...peaks(later).map((p) => p[1])) < 0.2 * now) return false;
  if (last >= 0.3 * now && facts.stridesOn(farOf(facts))) return true;
  const [before, after] = halves(later);
  return last >= 0.6 * now && after >= 0.9 * before;
}

// Whether the error is smaller after the run has gone on.
function falls(facts, later) {
  const last = topOf(lastPart(later)), now = Math.min(facts.error, topOf(lately(facts)));
  return last < now || last <= 1e3 * facts.near.rounding;
}

// How many steps more make the error a tenth: counted, or else extended from the law; or null.
function digitOf(facts, later, guess) {
  const found = crossing(facts, later), law = facts.fall, reach = later.length;
  if (found !== null) return found;
  if (reach >= guess || !law || !(law.bend * guess <= 0.3 * law.span && law.rival >= 10 * law.bend)) return null;
  if (reach && !onTrack(facts, later, guess)) return null;
  return facts.predicted === null && guess > 5 * (law.span + reach) ? null : guess;
}

// Whether the error, as far as it is seen, falls as fast as the law says.
function onTrack(facts, later, guess) {
  const [t, error] = later.at(-1);
  if (!(error > 0)) return false;
  const done = facts.fall.law === "constant" ? (facts.error - error) / (0.9 * facts.error) : Math.log(facts.error / error) / Math.LN10;
  const seen = (t - facts.steps) / guess;
  return Math.abs(done / seen - 1) <= 0.15 * (facts.predicted === null ? Math.min(1, seen) : 1);
}

// After how many more steps the error is a tenth, where that was seen; or null.
function crossing(facts, later) {
  const near = later.filter((p) => p[1] >= 0.07 * facts.error && p[1] <= 0.14 * facts.error), off = (p) => Math.abs(p[1] / facts.error - 0.1);
  return facts.error && near.length ? near.reduce((a, b) => (off(b) < off(a) ? b : a))[0] - facts.steps : null;
}

// Whether the learning rate has fallen so far that what is left of it leads nowhere.
function ranDown(facts, last = facts.steps) {
  if (!facts.rateAt) return false;
  const count = Math.min(last, 200);
  let total = 0;
  for (let k = 0; k < count; k++) total += facts.rateAt(Math.max(1, Math.round(last * (k + 0.5) / count)));
  return facts.rateAt(last) * count <= 0.01 * total;
}

// The outcome of a run near which no minimum is certified: by loss, gradient and steps only.
function byLoss(facts) {
  const { first, value, climbed, strides, near } = facts, slope3 = short(facts.slope, 3), fields = { first, value, slope: slope3 };
  if (!facts.moving) return ["fixed", { slope: slope3 }];
  const ahead = facts.ahead(10 * facts.steps), after = ahead.slice(-8).map((p) => F.grad(...p[1])[0]), later = after.length ? Math.max(...after) : null;
  const losses = spread(facts.rows.slice(1)), high = Math.max(value, ...losses);
  const risesOn = climbed && (later === null || !(later <= high)), grown = risesOn || !climbed ? growth(facts) : null;
  if (grown) return grown;
  const turned = turnsBack(facts.path), swung = turned || turnsBack(facts.path.slice(-9));
  const entries = [...strides.entries()], even = bounded(entries) || bounded(entries.slice(entries.length >> 1));
  if (!near && strides.length > 3 && swung && even && facts.stridesOn(10 * facts.steps)) return swinging(facts);
  const ends = climbed && boundsOf(facts, losses, ahead);
  if (ends) return ["restless", { ...fields, ...ends }];
  if (climbed && risesOn) return ["rising", { ...fields, ever: "" }];
  if (climbed) return [later !== null && later < (turned ? 0.5 * first + 0.5 * value : value) ? "turning" : "risen", { ...fields, later }];
  if (facts.slope <= 1e-6 && facts.curvesDown && facts.fallsAside) return ["saddle", { how: part("how slow", { slope: slope3 }), downhill: facts.downhill }];
  if (ranDown(facts)) return ["faded", { ...fields, lr: facts.rateAt(facts.steps) }];
  if (!D.bounded) return null; // it may fall without bound, which Python looks for along rays
  const how = near ? part("far", { error: facts.error }) : part("none near");
  if (facts.slope <= 1e-6 && first - value <= 1e-6 * Math.max(1, Math.abs(value))) return ["plateau", { ...fields, how }];
  if (later !== null && later > value) {
    const before = Math.max(...lateLosses(facts));
    return later < 0.5 * before && Math.min(...after) < value ? ["swinging down", { ...fields, before, later }] : ["returning", { ...fields, later }];
  }
  fields.last = lastTenth(facts);
  if (near) return ["descending from afar", { ...fields, error: facts.error }];
  return facts.minimum ? ["descending elsewhere", { ...fields, error: dist(facts.x, facts.minimum.x) }] : ["descending", { ...fields, reason: facts.nearBound || part("none") }];
}

// Of steps that grow by a steady factor, on a loss that climbs or far from the start.
function growth(facts) {
  const last = facts.strides.slice(-8), ratios = pairs(last).map(([a, b]) => b / a);
  if (last.length < 2 || !(Math.min(...last) > 0) || !(Math.min(...ratios) > 1 + 1e-6) || !(facts.climbed || facts.far)) return null;
  const rate = (alternates(moves(facts)) ? -1 : 1) * (last.at(-1) / last[0]) ** (1 / (last.length - 1));
  if (facts.climbed) return ["rising", { first: facts.first, value: facts.value, ever: part("ever", { rate }) }];
  return !facts.eigenvalues.length || facts.eigenvalues[0] < 0 ? ["fleeing", { rate }] : null;
}

const moves = (facts) => pairs(facts.path).map(([a, b]) => minus(b, a));

function swinging(facts) {
  const losses = lateLosses(facts);
  if (D.kinks && alternates(moves(facts))) return ["kinked swing", { step: facts.strides.at(-1) }];
  return ["swinging", { low: Math.min(...losses), high: Math.max(...losses) }];
}

const spread = (rows) => rows.filter((_, k) => k % (((rows.length + 1) >> 9) | 1) === 0).map((r) => r.loss);

// Between which losses a run goes up and down; null where they grow or fall.
function boundsOf(facts, losses, ahead) {
  const late = losses.slice(losses.length >> 1), low = Math.min(...late), high = Math.max(...late);
  if (facts.steps < 64 || !allFinite(losses) || high > 1.25 * Math.max(...losses.slice(0, losses.length >> 1))) return null;
  const rises = pairs(late).map(([a, b]) => b > a), after = ahead.filter((_, k) => k % 7 === 0).map((p) => F.grad(...p[1])[0]);
  if (pairs(rises).filter(([a, b]) => a !== b).length < 4) return null;
  const top = after.length ? Math.max(...after) : high;
  return high / 2.5 < top && top <= 1.25 * Math.max(...losses) ? { low, high } : null;
}

const lateLosses = (facts) => facts.rows.slice(-Math.min(Math.max(facts.steps >> 2, 2), facts.tail.length)).map((r) => r.loss);

// How much of the fall of the loss came in the last tenth of the steps.
function lastTenth(facts) {
  const drop = facts.first - facts.value, before = facts.rows[Math.floor(0.9 * facts.steps)].loss;
  if (!(drop > 0) || facts.steps < 10 || before < facts.value) return "";
  return part("last", { percent: short(100 * (before - facts.value) / drop, 2) });
}
