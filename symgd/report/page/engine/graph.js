// The shared graph: nodes {op, args, id} without simplification, equal ones are one object; numbers
// {op: "num", value}, names {op: "name", text, wide}. a - b is add(a, mul(-1, b)) and a/b is
// mul(a, pow(b, -1)). Mirrors formula.graph and formula.nodes.
class Graph {
  constructor() {
    this.nodes = new Map();
    this.count = 0;
  }

  atom(key, fields) {
    if (!this.nodes.has(key)) this.nodes.set(key, { id: this.count++, args: [], ...fields });
    return this.nodes.get(key);
  }

  number(value) {
    const v = value === 0 ? 0 : value;
    return this.atom(`#${v}`, { op: "num", value: v });
  }

  constant(text) { return this.atom(`@${text}`, { op: "const", text, value: text === "pi" ? Math.PI : Math.E }); }

  // wide: of a column, or of what each parameter has
  name(text, wide = false) { return this.atom(`${wide ? "w" : "n"} ${text}`, { op: "name", text, wide }); }

  node(op, ...args) {
    const key = `${op}(${args.map((a) => a.id).join()})`;
    if (!this.nodes.has(key)) this.nodes.set(key, { id: this.count++, op, args, wide: !REDUCED.has(op) && (VARIED.has(op) || args.some((a) => a.wide)) });
    return this.nodes.get(key);
  }

  // The sum; zeros dropped, equal terms counted, numbers folded to the end.
  add(...terms) {
    let constant = 0;
    const counts = new Map();
    for (const term of terms) {
      const value = floatOf(term);
      if (value === null) counts.set(term, (counts.get(term) || 0) + 1); else constant += value;
    }
    const parts = [...counts].map(([term, n]) => (n === 1 ? term : this.mul(this.number(n), term)));
    if (!finite(constant)) return this.node("add", ...terms);
    if (constant || !parts.length) parts.push(this.number(constant));
    return parts.length === 1 ? parts[0] : this.node("add", ...parts);
  }

  // The product; 0 if a factor is 0, ones dropped, signs and numbers merged in front.
  mul(...factors) {
    if (factors.some(isZero)) return this.number(0);
    const numbers = factors.map(leading).filter((v) => v !== null && v !== 1), whole = numbers.reduce((a, b) => a * b, 1);
    if (!finite(whole) || whole === 0) return this.times(factors);
    const merge = numbers.filter((v) => v !== -1).length > 1, parts = [];
    let constant = 1;
    for (const factor of factors) {
      const lead = leading(factor);
      if (floatOf(factor) !== null) constant *= lead;
      else if (lead !== null && (merge || lead === -1)) {
        constant *= lead;
        parts.push(this.times(factor.args.slice(1)));
      } else parts.push(factor);
    }
    if (constant !== 1 || !parts.length) {
      if (constant === -1 && parts.length > 1) return this.node("mul", this.number(-1), this.times(parts));
      parts.unshift(this.number(constant));
    }
    return this.times(parts);
  }

  times(factors) { return factors.length === 1 ? factors[0] : this.node("mul", ...factors); }
  neg(a) { return this.mul(this.number(-1), a); }
  sub(a, b) { return this.add(a, this.neg(b)); }

  div(a, b) {
    const top = floatOf(a), bottom = floatOf(b);
    if (top === 0 || bottom === 1) return a;
    if (top !== null && bottom) return this.number(top / bottom);
    if (isNegation(a)) return this.neg(this.div(this.times(a.args.slice(1)), b));
    if (isNegation(b)) return this.neg(this.div(a, this.times(b.args.slice(1))));
    const inverse = this.node("pow", b, this.number(-1));
    return top === 1 ? inverse : this.node("mul", a, inverse);
  }

  pow(base, exponent) {
    if (exponent === 0) return this.number(1);
    return exponent === 1 ? base : this.node("pow", base, this.number(exponent));
  }

  where(condition, a, b) { return a === b ? a : this.node("where", condition, a, b); }

  // The roots with every node replaced by change(node, its new arguments), leaves first.
  rebuild(roots, change) {
    const done = new Map();
    for (const node of topological(roots)) done.set(node, change(node, node.args.map((a) => done.get(a))));
    return roots.map((root) => done.get(root));
  }

  // The same node of this graph over other arguments.
  same(node, args) {
    if (args.length || !isAtom(node)) return this.node(node.op, ...args);
    return node.op === "num" ? this.number(node.value) : node.op === "const" ? this.constant(node.text) : this.name(node.text, node.wide);
  }

  simplified(node, args) { return node.op === "add" ? this.add(...args) : node.op === "mul" ? this.mul(...args) : this.same(node, args); }

  // The roots, also those of another graph, with leaves replaced. values: Map.
  replace(roots, values) { return this.rebuild(roots, (node, args) => values.get(node) || this.same(node, args)); }

  // Constant sub-expressions replaced by their values, in the order typed.
  fold(roots) {
    const folded = (node) => {
      const value = isAtom(node) ? null : constantValue(node);
      return value !== null && finite(value) ? this.number(value) : node;
    };
    const prefix = (op, given) => {
      let args = op === "add" ? given.map(folded) : given, known = 0;
      while (known < args.length && constantValue(args[known]) !== null) known++;
      const start = known > 1 ? folded(this.node(op, ...args.slice(0, known))) : null;
      if (start && isAtom(start)) args = [start, ...args.slice(known)];
      if (op === "mul" && floatOf(args[0]) === 1 && args.length > 1) args = args.slice(1);
      return args.length === 1 ? args[0] : this.node(op, ...args);
    };
    return this.rebuild(roots, (node, args) => {
      if (!args.length) return this.same(node, args);
      if (node.op === "mul" || node.op === "add") return prefix(node.op, args);
      const next = this.same(node, args.map(folded));
      return isInverse(next) ? next : folded(next);
    }).map(folded);
  }
}

// What has one value for all rows or parameters, and what has one for each.
const REDUCED = new Set(["rowsum", "rowmean", "norm", "total", "peak", "lossat"]);
const VARIED = new Set(["gradat", "hvp", "rademacher", "normal"]);

const isAtom = (node) => node.op === "num" || node.op === "const" || node.op === "name";
const floatOf = (node) => (node.op === "num" || node.op === "const" ? node.value : null);
const isZero = (node) => node.op === "num" && node.value === 0;
const leading = (node) => floatOf(node.op === "mul" ? node.args[0] : node);
const isInverse = (node) => node.op === "pow" && node.args[1].op === "num" && node.args[1].value === -1;
const isNegation = (node) => node.op === "mul" && node.args[0].op === "num" && node.args[0].value === -1;
const isCondition = (node) => RELATIONS.includes(node.op) || LOGIC.includes(node.op);

// Every node below the roots once, arguments first. reads: the nodes that a node depends on.
function topological(roots, reads = (node) => node.args) {
  const order = [], seen = new Set(), stack = [...roots].reverse().map((node) => [node, false]);
  while (stack.length) {
    const [node, ready] = stack.pop();
    if (ready) { order.push(node); continue; }
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push([node, true]);
    for (const arg of [...reads(node)].reverse()) if (!seen.has(arg)) stack.push([arg, false]);
  }
  return order;
}

// Those of the nodes, arguments first, that depend on one of the leaves.
function dependents(order, leaves) {
  const found = new Set(leaves);
  for (const node of order) if (node.args.some((a) => found.has(a))) found.add(node);
  return found;
}

// The value of a number, or of one operation on numbers; null for anything else.
function constantValue(node) {
  if (isAtom(node)) return floatOf(node);
  const leaves = node.args.map((a) => (isInverse(a) ? a.args[0] : a));
  if (node.wide || REDUCED.has(node.op) || leaves.some((a) => floatOf(a) === null)) return null;
  const value = operate(node, (a) => (a.args.length ? operate(a, floatOf) : floatOf(a)));
  return typeof value === "boolean" ? null : value;
}
