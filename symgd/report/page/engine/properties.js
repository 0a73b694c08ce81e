// What algebra says of a loss: a lower bound by ranges, its degree, kinks. Mirrors
// calculus.intervals, calculus.polynomial and analysis.lower_bound, with less of each.

// [low, high] of every node; leaves are unbounded.
function rangeOf(root) {
  const out = new Map();
  for (const node of topological([root])) out.set(node, outward(ownRange(node, node.args.map((a) => out.get(a)))));
  return out.get(root);
}

const ALL = [-Infinity, Infinity];
const outward = ([low, high]) => (low !== low || high !== high ? ALL : [low, high].map((v, k) => (v && finite(v) ? v + (k ? 1 : -1) * Math.abs(v) * 2 ** -48 : v)));

function ownRange(node, args) {
  const { op } = node, row = T.functions[op] || T.derivatives[op];
  if (isAtom(node)) return floatOf(node) === null ? ALL : [node.value, node.value];
  if (op === "add") return args.reduce(([a, b], [c, d]) => [a + c, b + d]);
  if (op === "pow") return powerRange(args[0], floatOf(node.args[1]));
  if (op === "mul") {
    const counts = new Map();
    node.args.forEach((a, k) => counts.set(a, [(counts.get(a) || [0])[0] + 1, args[k]]));
    return [...counts.values()].map(([count, range]) => powerRange(range, count)).reduce((a, b) => {
      const ends = a.flatMap((x) => b.map((y) => (x && y ? x * y : 0)));
      return [Math.min(...ends), Math.max(...ends)];
    });
  }
  if (op === "where") return [Math.min(args[1][0], args[2][0]), Math.max(args[1][1], args[2][1])];
  if (op === "rowmean") return args[0];
  if (op === "rowsum") return [args[0][0] >= 0 ? 0 : -Infinity, args[0][1] <= 0 ? 0 : Infinity];
  if (!row) return ALL;
  const least = row.low ?? -Infinity, most = row.high ?? Infinity;
  if (!row.monotone) return [least, most];
  const ends = [args.map((a) => a[row.monotone > 0 ? 0 : 1]), args.map((a) => a[row.monotone > 0 ? 1 : 0])].map((x) => scalarOf(op)(...x));
  return [ends[0] >= least ? ends[0] : least, ends[1] <= most ? ends[1] : most];
}

function powerRange([low, high], p) {
  if (p === 1) return [low, high];
  if (p === null) return low >= 0 ? [0, Infinity] : ALL;
  if (p < 0) {
    const [a, b] = powerRange([low, high], -p);
    return a < 0 && b > 0 ? ALL : a >= 0 ? [1 / b, a ? 1 / a : Infinity] : [b ? 1 / b : -Infinity, 1 / a];
  }
  const ends = Number.isInteger(p) ? [low, high] : [Math.max(low, 0), Math.max(high, 0)];
  if (Number.isInteger(p) && p % 2) return ends.map((v) => v ** p);
  const sizes = ends.map(Math.abs), near = ends[0] <= 0 && ends[1] >= 0 ? 0 : Math.min(...sizes);
  return [near ** p, Math.max(...sizes) ** p];
}

// The expanded polynomial as a Map from the powers, joined, to coefficients; null for another formula.
function polynomialOf(root, leaves) {
  const done = new Map(), one = leaves.map(() => 0);
  const plus = (a, b) => { const out = new Map(a); for (const [k, c] of b) out.set(k, (out.get(k) || 0) + c); return out; };
  const times = (a, b) => {
    const out = new Map();
    for (const [i, c] of a) for (const [j, d] of b) {
      const q = j.split(","), key = i.split(",").map((p, k) => Number(p) + Number(q[k])).join();
      out.set(key, (out.get(key) || 0) + c * d);
    }
    return out;
  };
  for (const node of topological([root])) {
    const parts = node.args.map((a) => done.get(a)), p = node.op === "pow" ? floatOf(node.args[1]) : null;
    let found = null;
    if (node.op === "name") found = leaves.includes(node) ? new Map([[one.map((_, k) => +(leaves[k] === node)).join(), 1]]) : null;
    else if (isAtom(node)) found = new Map([[one.join(), node.value]]);
    else if (p === -1 && isAtom(node.args[0]) && floatOf(node.args[0])) found = new Map([[one.join(), 1 / node.args[0].value]]);
    else if (Number.isInteger(p) && p >= 0 && p <= 24) for (let k = 0; k < p; k++) found = found ? times(found, parts[0]) : parts[0];
    else if ((node.op === "add" || node.op === "mul") && !parts.includes(null)) found = parts.reduce(node.op === "add" ? plus : times);
    if (found && found.size > 400) return null;
    if (!found && !(isAtom(node) && floatOf(node) !== null)) return null;
    done.set(node, found);
  }
  for (const [k, c] of [...done.get(root)]) if (!c) done.get(root).delete(k);
  return done.get(root);
}

const degreeOf = (key) => key.split(",").reduce((sum, p) => sum + Number(p), 0);

// {bound, bounded, quadratic, kinks, convex} of a loss; hess: its Hessian by entries, or null.
function propertiesOf(graph, root, stable, leaves, hess) {
  const order = topological([root]), moving = dependents(order, leaves), terms = polynomialOf(root, leaves);
  const rough = new Set(["asin", "acos", "acosh", "asec", "acsc", "asech", "lambertw"]);
  const kinks = order.some((n) => moving.has(n) && (n.op === "where" ? moving.has(n.args[0]) : n.op !== "huber" && (rough.has(n.op) || T.functions[n.op]?.kink || (n.op === "pow" && floatOf(n.args[1]) > 0 && floatOf(n.args[1]) < 1))));
  const low = Math.max(rangeOf(root)[0], rangeOf(stable)[0]), degree = terms ? Math.max(0, ...[...terms.keys()].map(degreeOf)) : null;
  const convex = Boolean(hess) && leaves.length === 1 && rangeOf(hess[0])[0] >= 0;
  const found = { bound: finite(low) ? low : null, bounded: finite(low), quadratic: degree !== null && degree <= 2, kinks, convex };
  if (finite(low) || !terms || !hess) return found;
  if (degree === 2) {
    const at = machine(hess, leaves)(leaves.map(() => 0)), rows = leaves.map(() => []);
    let k = 0;
    for (let i = 0; i < leaves.length; i++) for (let j = i; j < leaves.length; j++) rows[i][j] = rows[j][i] = at[k++];
    const { values } = spectrum(rows);
    found.convex = values[0] >= 0;
    found.bounded = values[0] > 0;
  } else if (leaves.length === 1) found.bounded = degree === 0 || (degree % 2 === 0 && terms.get(String(degree)) > 0);
  return found;
}
