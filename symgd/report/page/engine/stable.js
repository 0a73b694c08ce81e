// Rewrites what cancels or overflows as stable functions of equal value. Mirrors calculus.stabilize
// and exponential_sums; a sum of exponentials is a list of terms {c, u}: c*exp(u), u null: the number c.
function stabilize(graph, roots) {
  const sums = new Map();
  return graph.rebuild(graph.fold(roots), (old, args) => {
    const node = graph.same(old, args);
    if (node.op === "log" || node.op === "log1p") return stableLog(graph, node);
    if (node.op === "add") return stableSum(graph, node);
    if (node.op === "mul") return stableProduct(graph, node, sums);
    return node.op === "pow" ? stablePower(graph, node, sums) : node;
  });
}

const isOne = (node) => node.op === "num" && node.value === 1;
const isSquare = (node) => node.op === "pow" && floatOf(node.args[1]) === 2;

function stableLog(graph, node) {
  const [inner] = node.args;
  if (node.op === "log1p") {
    const term = termOf(graph, inner);
    return term && term.u && term.c > 0 ? logSum(graph, [{ c: 1, u: null }, term]) : node;
  }
  const found = logarithm(graph, inner);
  if (found) return found;
  const others = inner.op === "add" ? inner.args.filter((t) => !isOne(t)) : [];
  return others.length && others.length === inner.args.length - 1 ? graph.node("log1p", graph.add(...others)) : node;
}

// The logarithm of a positive function of exponentials, without them; or null.
function logarithm(graph, node) {
  const direct = { cosh: "logcosh", sinh: "logsinh", ndtr: "log_ndtr", erfc: "log_erfc" }[node.op];
  if (direct) return graph.node(direct, ...node.args);
  const shared = logShare(graph, node);
  if (shared) return shared;
  if (node.op === "pow" && floatOf(node.args[1]) !== null) {
    const inner = logShare(graph, node.args[0]);
    if (inner) return graph.mul(node.args[1], inner);
  }
  const terms = termsOf(graph, node);
  if (terms) return terms.every((t) => t.c > 0) ? logSum(graph, terms) : logDifference(graph, terms);
  if (node.op !== "mul") return null;
  let scale = 1;
  const rest = node.args.filter((factor) => {
    const number = floatOf(isInverse(factor) ? factor.args[0] : factor);
    if (number) scale = isInverse(factor) ? scale / number : scale * number;
    return !number;
  });
  if (scale === 0.5 && rest.length === 1 && rest[0].op === "erfc") return graph.node("log_ndtr", graph.mul(graph.number(-Math.SQRT2), rest[0].args[0]));
  const found = scale > 0 && rest.length === 1 ? logarithm(graph, rest[0]) : null;
  return found && graph.add(found, graph.number(Math.log(scale)));
}

// exp(x) - 1, 1 - cos(x), cosh(x) - 1, 1 - sigmoid(x), 1 - tanh(x)**2, 1 + erf(x), ...
function stableSum(graph, node) {
  if (node.args.length !== 2) return node;
  const versine = (x) => graph.mul(graph.number(2), graph.pow(graph.node("sin", graph.mul(graph.number(0.5), x)), 2));
  for (const [one, other] of [node.args, [...node.args].reverse()]) {
    const inner = isNegation(other) && other.args.length === 2 ? other.args[1] : null;
    if (floatOf(one) === -1) {
      if (other.op === "exp") return graph.node("expm1", ...other.args);
      if (other.op === "cos") return graph.neg(versine(other.args[0]));
      if (other.op === "cosh") return graph.mul(graph.number(2), graph.pow(graph.node("sinh", graph.mul(graph.number(0.5), other.args[0])), 2));
    }
    if (isOne(one) && inner) {
      const [x] = inner.args;
      if (inner.op === "exp") return graph.neg(graph.node("expm1", x));
      if (inner.op === "cos") return versine(x);
      if (isSquare(inner) && x.op === "tanh") return graph.pow(graph.node("sech", ...x.args), 2);
      if (inner.op === "sigmoid" || inner.op === "ndtr") return graph.node(inner.op, graph.neg(x));
      if (inner.op === "softmax2") return graph.node("softmax2", ...[...inner.args].reverse());
      if (inner.op === "softmax") return graph.node("softmax_complement", ...inner.args);
    }
    const number = floatOf(one), scaled = other.op === "mul" && other.args.length === 2 ? other.args : [graph.number(1), other], scale = floatOf(scaled[0]);
    if (number !== null && scale !== null && scaled[1].op === "erf" && Math.abs(scale) === Math.abs(number)) {
      const [x] = scaled[1].args;
      return graph.mul(one, graph.node("erfc", scale === number ? graph.neg(x) : x));
    }
  }
  return node;
}

// exp(x)/(1 + exp(x)), y*exp(x)/(exp(x) + 2)**2: shares of a sum.
function stableProduct(graph, node, sums) {
  for (const factor of node.args) {
    const found = reciprocal(graph, factor, sums);
    if (!found) continue;
    const { terms, copies } = found, others = node.args.filter((a) => a !== factor), exps = others.map((a) => [a, termOf(graph, a)]).filter(([, t]) => t && t.u);
    const used = exps.find(([, t]) => terms.some((s) => s.u === t.u)), taken = used ? [used] : exps;
    if (!taken.length) continue;
    const top = graph.add(...taken.map(([, t]) => t.u)), scale = graph.number(taken.reduce((a, [, t]) => a * t.c, 1));
    const kept = others.filter((a) => !taken.some(([b]) => a === b)), product = graph.mul(scale, ...shareFactors(graph, top, terms, copies, sums), ...kept);
    return product.op === "mul" ? stableProduct(graph, product, sums) : product;
  }
  return node;
}

function shareFactors(graph, top, terms, copies, sums) {
  if (top && copies > 1 && terms.some((t) => t.u === top)) return [shareOf(graph, top, terms), ...shareFactors(graph, null, terms, copies - 1, sums)];
  const result = shareOf(graph, top, terms, copies);
  if (!top) sums.set(result, { terms, copies });
  return [result];
}

// The sum and k of a factor that is 1/sum**k; sigmoid(x) is 1/(1 + exp(-x)).
function reciprocal(graph, factor, sums) {
  if (sums.has(factor)) return sums.get(factor);
  let base = factor, copies = 1;
  if (factor.op === "pow" && floatOf(factor.args[1]) !== null) {
    copies = floatOf(factor.args[1]);
    if (!Number.isInteger(copies) || copies < 1) return null;
    [base] = factor.args;
  }
  return base.op === "sigmoid" ? { terms: [{ c: 1, u: null }, { c: 1, u: graph.neg(base.args[0]) }], copies } : null;
}

// 1/(1 + exp(x)), (2 + exp(x))**-2, sqrt(x**2 + y**2) of bare squares, sqrt(x**2).
function stablePower(graph, node, sums) {
  let [base] = node.args, value = floatOf(node.args[1]);
  if (value === null) return node;
  if (value === 0.5 && isSquare(base)) return graph.node("abs", base.args[0]);
  if (value === -1 && base.op === "pow" && floatOf(base.args[1]) !== null) [base, value] = [base.args[0], -floatOf(base.args[1])];
  const terms = value < 0 && base.op === "add" ? termsOf(graph, base) : null;
  if (terms && terms.length > 1 && terms.every((t) => t.c > 0)) {
    if (Number.isInteger(value)) return shareFactors(graph, null, terms, -value, sums)[0];
    return graph.node("exp", graph.mul(graph.number(value), logSum(graph, terms)));
  }
  if (value === 0.5 && base.op === "add" && base.args.every(isSquare)) return graph.node("hypot", ...base.args.map((t) => t.args[0]));
  return node;
}

// A product of exponentials, their powers and numbers as one term, or null.
function termOf(graph, node) {
  const value = floatOf(node), checked = (c, u) => (finite(c) && c ? { c, u } : null);
  if (value !== null) return { c: value, u: null };
  if (node.op === "exp") return { c: 1, u: node.args[0] };
  if (node.op === "pow") {
    const inner = termOf(graph, node.args[0]), exponent = floatOf(node.args[1]);
    return inner && inner.u && exponent !== null && inner.c > 0 ? checked(inner.c ** exponent, graph.mul(graph.number(exponent), inner.u)) : null;
  }
  if (node.op !== "mul") return null;
  const parts = node.args.map((factor) => termOf(graph, factor));
  if (parts.includes(null)) return null;
  const powers = parts.filter((part) => part.u).map((part) => part.u);
  return powers.length ? checked(parts.reduce((c, part) => c * part.c, 1), graph.add(...powers)) : null;
}

// The terms of a sum of at least one exponential, equal powers merged; null for others.
function termsOf(graph, node) {
  if (node.op === "expm1") return [{ c: 1, u: node.args[0] }, { c: -1, u: null }];
  if (isNegation(node) && node.args.length === 2) {
    const inner = termsOf(graph, node.args[1]);
    return inner && inner.map(({ c, u }) => ({ c: -c, u }));
  }
  const merged = new Map();
  for (const part of node.op === "add" ? node.args : [node]) {
    const term = termOf(graph, part);
    if (!term) return null;
    merged.set(term.u, { c: term.c + (merged.has(term.u) ? merged.get(term.u).c : 0), u: term.u });
  }
  const found = [...merged.values()].filter((t) => t.c);
  return found.some((t) => t.u) ? found : null;
}

function logTerm(graph, { c, u }) {
  if (!u) return graph.number(Math.log(c));
  return c === 1 ? u : graph.add(u, graph.number(Math.log(c)));
}

function logSum(graph, terms) {
  const powers = terms.map((t) => logTerm(graph, t));
  if (powers.length === 1) return powers[0];
  if (terms.length === 2 && terms.some((t) => t.c === 1 && !t.u)) return graph.node("softplus", powers[terms[1].u ? 1 : 0]);
  return graph.node("logsumexp", ...powers);
}

// exp(u) over the copies-th power of a positive sum; u null: 1 over it.
function shareOf(graph, u, terms, copies = 1) {
  const multiple = (part) => (u && part ? graph.mul(graph.number(copies), part) === u : u === part);
  for (const term of terms) {
    if (!multiple(term.u)) continue;
    const scale = term.u ? term.c : 1, own = logTerm(graph, { c: term.c / scale, u: term.u });
    const others = terms.filter((t) => t !== term).map((t) => logTerm(graph, { c: t.c / scale, u: t.u }));
    return graph.pow(graph.mul(graph.number(1 / term.c), softmaxOf(graph, own, others)), copies);
  }
  const powers = terms.map((t) => logTerm(graph, t)), own = u ? graph.div(u, graph.number(copies)) : graph.number(0);
  return graph.pow(graph.node("softmax_term", own, graph.node("largest", ...powers), graph.node("exp_sum", ...powers)), copies);
}

function softmaxOf(graph, u, others) {
  if (others.length > 1) return graph.node("softmax", u, ...others);
  if (floatOf(others[0]) === 0) return graph.node("sigmoid", u);
  if (floatOf(u) === 0) return graph.node("sigmoid", graph.neg(others[0]));
  return graph.node("softmax2", u, others[0]);
}

// The logarithm of a share, or null.
function logShare(graph, node) {
  const [u, ...others] = node.args, minusSoftplus = (x) => graph.neg(graph.node("softplus", x));
  if (node.op === "sigmoid") return minusSoftplus(graph.neg(u));
  if (node.op === "softmax2" || node.op === "softmax") return minusSoftplus(graph.sub(others.length === 1 ? others[0] : graph.node("logsumexp", ...others), u));
  if (node.op === "softmax_term" && node.args[2].op === "exp_sum") return graph.sub(u, graph.node("logsumexp", ...node.args[2].args));
  return null;
}

// log(c*exp(u) - d*exp(v)): each of two forms is accurate on its side of 1/2 (Maechler 2012).
function logDifference(graph, terms) {
  if (terms.length !== 2 || terms[0].c * terms[1].c >= 0) return null;
  const [plus, minus] = terms[0].c > 0 ? terms : [terms[1], terms[0]];
  const u = logTerm(graph, plus), v = logTerm(graph, { c: -minus.c, u: minus.u }), gap = graph.sub(u, v), down = graph.neg(gap);
  const near = graph.node("log", graph.neg(graph.node("expm1", down))), far = graph.node("log1p", graph.neg(graph.node("exp", down)));
  return graph.add(u, graph.where(graph.node("<", gap, graph.number(Math.LN2)), near, far));
}
