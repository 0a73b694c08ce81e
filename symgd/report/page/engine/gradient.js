// The gradient by one reverse sweep over the shared graph; local derivatives are the formulas of the
// function table. Mirrors calculus.gradient, local_pullback and masks.

// The derivatives of a node in each leaf, as nodes. rows: how many rows a sum goes over.
function gradientOf(graph, output, leaves, rows = 1) {
  const order = topological([output]), active = dependents(order, leaves), singular = singularOf(order), found = new Map();
  // what all rows give to a node that is one number is summed
  const accumulate = (node, term, condition, from = node) => {
    let flow = term, when = condition;
    if (from.wide && !node.wide) {
      flow = term.wide ? graph.node("rowsum", term) : graph.mul(graph.number(rows), term);
      when = null;
    }
    if (!found.has(node)) found.set(node, { terms: [], conditions: [] });
    found.get(node).terms.push(flow);
    found.get(node).conditions.push(when);
  };
  accumulate(output, graph.number(1), null);
  for (const node of order.reverse()) {
    if (!found.has(node) || !active.has(node) || !node.args.length) continue;
    const { terms, conditions } = found.get(node), adjoint = graph.add(...terms), condition = anyOf(graph, conditions);
    for (const [arg, term, selected] of pullback(graph, node, adjoint, active, rows)) {
      const kept = condition && singular.has(node) ? masked(graph, condition, term) : term;
      accumulate(arg, kept, bothOf(graph, condition, arg.args.length ? selected : null), node);
    }
  }
  return leaves.map((leaf) => (found.has(leaf) ? graph.add(...found.get(leaf).terms) : graph.number(0)));
}

// [argument, its contribution to the adjoint, the condition under which it counts] of one node.
function pullback(graph, node, adjoint, active, rows) {
  const { op, args } = node, out = [];
  if (isZero(adjoint) || isCondition(node)) return out;
  const give = (arg, term, condition = null) => { if (active.has(arg)) out.push([arg, term, condition]); };
  if (op === "add") args.forEach((a) => give(a, adjoint));
  else if (op === "rowsum") give(args[0], args[0].wide ? adjoint : graph.mul(graph.number(rows), adjoint));
  else if (op === "rowmean") give(args[0], args[0].wide ? graph.div(adjoint, graph.number(rows)) : adjoint);
  else if (op === "where") {
    give(args[1], graph.where(args[0], adjoint, graph.number(0)), args[0]);
    give(args[2], graph.where(args[0], graph.number(0), adjoint), graph.node("not", args[0]));
  } else if (op === "mul") ofProduct(graph, node, adjoint, active, give);
  else if (op === "pow") ofPower(graph, node, adjoint, give);
  else ofFunction(graph, node, adjoint, active, give);
  return out;
}

// d(a*b/c): a gets adjoint*b/c, c gets -adjoint*node/c; linear in the number of factors.
function ofProduct(graph, node, adjoint, active, give) {
  const { args } = node, before = [[]], after = [[]], seen = new Set();
  for (const factor of args.slice(0, -1)) before.push([over(graph, [...before.at(-1), factor])]);
  for (const factor of args.slice(1).reverse()) after.push([over(graph, [factor, ...after.at(-1)])]);
  after.reverse();
  args.forEach((factor, k) => {
    const inner = isInverse(factor) ? factor.args[0] : factor;
    if (seen.has(factor) || !active.has(inner)) return;
    seen.add(factor);
    const count = graph.number(args.filter((a) => a === factor).length);
    if (inner !== factor) give(inner, graph.div(graph.mul(graph.neg(count), scaledAdjoint(graph, adjoint, node)), inner));
    else give(inner, graph.mul(count, scaledAdjoint(graph, adjoint, over(graph, [...before[k], ...after[k]]))));
  });
}

// The product of factors, those that are inverses as divisions.
function over(graph, factors) {
  const top = factors.filter((f) => !isInverse(f)), start = top.length ? graph.mul(...top) : graph.number(1);
  return factors.filter(isInverse).reduce((product, factor) => graph.div(product, factor.args[0]), start);
}

function ofPower(graph, node, adjoint, give) {
  const [base, exponent] = node.args, value = floatOf(exponent);
  if (value === -1) give(base, graph.div(graph.mul(graph.number(-1), scaledAdjoint(graph, adjoint, node)), base));
  else if (value === 2) give(base, scaledAdjoint(graph, adjoint, graph.mul(graph.number(2), base)));
  else if (value === 0.5) give(base, graph.div(graph.mul(graph.number(0.5), adjoint), node));
  else if (value === null) {
    let derivative = graph.mul(exponent, graph.node("pow", base, graph.sub(exponent, graph.number(1))));
    if (floatOf(base) === null) { // x**0 is 1 also at 0
      const atZero = [exponent, base].map((arg) => graph.node("==", arg, graph.number(0)));
      derivative = graph.where(graph.node("and", ...atZero), graph.number(0), derivative);
    }
    give(base, graph.mul(adjoint, derivative));
  } else if (value) give(base, graph.mul(adjoint, graph.mul(exponent, graph.pow(base, value - 1))));
  const safe = floatOf(base) > 0 ? graph.number(Math.log(floatOf(base))) : graph.node("log", graph.where(graph.node("==", base, graph.number(0)), graph.number(1), base));
  give(exponent, graph.mul(adjoint, graph.mul(node, safe)));
}

function ofFunction(graph, node, adjoint, active, give) {
  const { op, args } = node, row = has(T.functions, op) ? T.functions[op] : T.derivatives[op];
  if (!row) throw new Error(`there is no derivative of ${op}`);
  if (op === "softmax_term" && args[2].op === "exp_sum" && args[2].args.includes(args[0])) {
    const others = args[2].args.filter((score) => score !== args[0]), shares = others.map((score) => graph.node(op, score, args[1], args[2]));
    const parts = [[args[0], graph.add(...shares)], ...others.map((score, k) => [score, graph.neg(shares[k])])];
    parts.forEach(([score, part]) => give(score, scaledAdjoint(graph, adjoint, graph.mul(node, part))));
    return;
  }
  const pair = row.two && args.length === 2, texts = pair ? row.two : row.derivative, variadic = row.arity[1] === null && !row.pairwise && !pair;
  args.forEach((arg, k) => {
    if (!active.has(arg)) return;
    const text = texts[Math.min(k, texts.length - 1)], places = { f: node, a: adjoint };
    (variadic ? [arg] : args).forEach((a, j) => { places["xyzw"[j]] = a; });
    for (const [letter, called] of Object.entries(row.shared || {})) places[letter] = graph.node(called, ...args);
    const term = graph.fold([substituted(graph, text, places, (n, given) => (given.length ? graph.simplified(n, given) : graph.same(n, given)))])[0];
    if (isZero(term)) return;
    const whole = tableFormula(text).variables.has("a");
    give(arg, whole ? term : scaledAdjoint(graph, adjoint, term), selection(graph, row, args, k));
  });
}

// The condition under which a function selects its argument k, or null.
function selection(graph, row, args, k) {
  if (!row.selects) return null;
  const places = {};
  args.forEach((a, j) => { places["xyzw"[j]] = a; });
  return substituted(graph, `where(${row.selects[Math.min(k, row.selects.length - 1)]}, 1, 0)`, places).args[0];
}

// a*b, an adjoint times a derivative, with one division if b is 1/c.
function scaledAdjoint(graph, a, b) {
  if (isInverse(b)) return graph.div(a, b.args[0]);
  if (a.op === "num" && a.value === 1) return b;
  const [outer, rest] = numberAndRest(graph, a), [inner, derivative] = numberAndRest(graph, b), moderate = (v) => Math.abs(v) !== 1 && Math.abs(v) > 2 ** -64 && Math.abs(v) < 2 ** 64;
  if (moderate(outer) && moderate(inner)) return graph.mul(graph.number(outer * inner), derivative, rest);
  const fraction = b.op === "mul" && b.args.length === 2 && isInverse(b.args[1]);
  if (fraction && floatOf(a) === null && floatOf(b.args[0]) !== null) return graph.div(graph.mul(b.args[0], a), b.args[1].args[0]);
  return graph.mul(a, b);
}

function numberAndRest(graph, node) {
  let scale = 1, rest = node;
  while (rest.op === "mul" && floatOf(rest.args[0]) !== null) {
    scale *= rest.args[0].value;
    rest = graph.times(rest.args.slice(1));
  }
  return [scale, rest];
}

function bothOf(graph, outer, inner) {
  if (!outer || !inner || outer === inner) return outer || inner;
  return graph.node("and", outer, inner);
}

// The condition that at least one holds; null: always.
function anyOf(graph, conditions) {
  const distinct = [...new Set(conditions)];
  if (distinct.includes(null)) return null;
  return distinct.length === 1 ? distinct[0] : graph.node("or", ...distinct);
}

const masked = (graph, condition, term) => (condition.op === "not" ? graph.where(condition.args[0], graph.number(0), term) : graph.where(condition, term, graph.number(0)));

// The nodes whose derivatives may be infinite or undefined where the leaves are finite.
function singularOf(order) {
  const smooth = (node) => {
    if (node.op === "pow") return floatOf(node.args[1]) >= 0 && Number.isInteger(floatOf(node.args[1]));
    const row = T.functions[node.op] || T.derivatives[node.op];
    return !row || node.op === "where" || row.finite;
  };
  const above = dependents(order, order.filter((node) => !smooth(node)));
  return new Set(order.filter((node) => above.has(node) && node.op !== "add" && node.op !== "where"));
}
