// Evaluation of nodes: one operation on numbers, or a compiled list of steps. Mirrors
// formula.evaluate and backends.lowering, in their order of operations.
const sumOf = (...args) => args.reduce((a, b) => a + b);
const sqrtOf = (x) => Math.sqrt(x);
const plus2 = (a, b) => a + b, minus2 = (a, b) => a - b, times2 = (a, b) => a * b, divide = (a, b) => a / b, negated = (a) => -a;
const constantPower = (a, b) => (b === 2 ? a * a : b >= 2 && b <= 8 && b === Math.floor(b) ? whole_power(a, b) : power(a, b));
const COMPARE = {
  "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b, "==": (a, b) => a === b, "!=": (a, b) => a !== b,
  and: (...args) => args.every(Boolean), or: (...args) => args.some(Boolean), not: (a) => !a,
  where: (condition, a, b) => (condition ? a : b),
};

// The function of an operation by name: written in JavaScript, or made of its formula in the table.
const scalars = new Map();
function scalarOf(op) {
  if (!scalars.has(op)) scalars.set(op, COMPARE[op] || LIBRARY[op] || fromFormula(op));
  return scalars.get(op);
}

function fromFormula(op) {
  const row = has(T.functions, op) ? T.functions[op] : has(T.derivatives, op) ? T.derivatives[op] : null;
  if (!row || !row.formula) throw new Error(`JavaScript has no ${op}`);
  let run = null;
  return (...args) => {
    run = run || machine([tableFormula(row.formula).root], ["x", "y", "z", "w"].slice(0, row.arity[1] || 1).map((letter) => tableFormula(row.formula).variables.get(letter)));
    return run(args)[0];
  };
}

// One node's value from its arguments' values get(argument).
function operate(node, get) {
  if (node.op === "mul") {
    return node.args.slice(1).reduce((product, factor) => (isInverse(factor) ? product / get(factor.args[0]) : product * get(factor)), get(node.args[0]));
  }
  const args = node.args.map(get);
  if (node.op === "add") return sumOf(...args);
  if (node.op !== "pow") return scalarOf(node.op)(...args);
  const exponent = floatOf(node.args[1]);
  if (exponent === null) return power(...args);
  return exponent === -1 ? 1 / args[0] : exponent === 0.5 ? Math.sqrt(args[0]) : constantPower(...args);
}

// (values of the inputs, width) -> the values of the roots. A wide input is an array of that width, and
// so is what depends on it: rows of data, or parameters. missing: inputs that nothing reads are undefined.
function machine(roots, inputs, around = {}) {
  const slots = new Map(), steps = [], outputs = new Set(roots), slotOf = (node) => slots.get(node);
  const divides = (factor) => isInverse(factor) && !outputs.has(factor);
  const reads = (node) => (node.op === "mul" ? [node.args[0], ...node.args.slice(1).map((a) => (divides(a) ? a.args[0] : a))] : node.args);
  const values = [], wide = [];
  const place = (value, isWide = false) => { wide.push(isWide); return values.push(value) - 1; };
  const put = (f, ...args) => {
    const out = place(0, args.some((a) => wide[a]));
    steps.push({ f, out, args, wide: wide[out] });
    return out;
  };
  const factors = (product, rest) => rest.reduce((total, factor) => (divides(factor) ? put(divide, total, slotOf(factor.args[0])) : put(times2, total, slotOf(factor))), product);
  const lower = (node) => {
    const { op, args } = node;
    if (op === "num" || op === "const") return place(node.value);
    if (op === "name") throw new Error(`${node.text} has no value`);
    if (op === "mul" && isNegation(node)) return put(negated, divides(args[1]) ? factors(place(1), args.slice(1)) : factors(slotOf(args[1]), args.slice(2)));
    if (op === "mul") return factors(slotOf(args[0]), args.slice(1));
    if (op === "add") {
      return args.slice(1).reduce((total, term) => {
        if (isNegation(term)) return put(minus2, total, lowered(term));
        return term.op === "num" && term.value < 0 ? put(minus2, total, place(-term.value)) : put(plus2, total, slotOf(term));
      }, slotOf(args[0]));
    }
    if (op === "pow") {
      const exponent = floatOf(args[1]), base = slotOf(args[0]);
      if (exponent === -1) return put(divide, place(1), base);
      if (exponent === 0.5) return put(sqrtOf, base);
      if (exponent === 2) return put(square, base);
      return put(exponent === null ? power : constantPower, base, slotOf(args[1]));
    }
    if (has(around, op)) {
      const out = place(0, !REDUCED.has(op));
      steps.push({ whole: around[op], out, args: args.map(slotOf) });
      return out;
    }
    return put(scalarOf(op), ...args.map(slotOf));
  };
  // b*c of the product -1*b*c
  const lowered = (term) => (divides(term.args[1]) ? factors(place(1), term.args.slice(1)) : factors(slotOf(term.args[1]), term.args.slice(2)));
  const given = inputs.map((node) => {
    const slot = place(0, Boolean(node && node.wide));
    if (node) slots.set(node, slot);
    return slot;
  });
  for (const node of topological(roots, reads)) if (!slots.has(node)) slots.set(node, lower(node));
  const results = roots.map(slotOf);
  return wide.includes(true) || steps.some((step) => step.whole) ? laneMachine(steps, values, wide, given, results) : scalarMachine(steps, values, given, results);
}

const INLINED = new Map([plus2, minus2, times2, divide, negated, square, sqrtOf].map((f, k) => [f, k]));

// Numbers only: conditions are 1 and 0.
function scalarMachine(steps, values, given, results) {
  const cell = Float64Array.from(values), count = steps.length, code = new Int32Array(4 * count), calls = steps.map((step) => step.f), lists = steps.map((step) => step.args);
  steps.forEach(({ f, out, args }, k) => code.set([INLINED.get(f) ?? 6 + Math.min(3, args.length), out, args[0], args[1] ?? args[0]], 4 * k));
  return (numbers) => {
    for (let k = 0; k < given.length; k++) cell[given[k]] = numbers[k];
    for (let k = 0, at = 0; k < count; k++, at += 4) {
      const out = code[at + 1], a = cell[code[at + 2]], b = cell[code[at + 3]];
      switch (code[at]) {
        case 0: cell[out] = a + b; break;
        case 1: cell[out] = a - b; break;
        case 2: cell[out] = a * b; break;
        case 3: cell[out] = a / b; break;
        case 4: cell[out] = -a; break;
        case 5: cell[out] = a * a; break;
        case 6: cell[out] = Math.sqrt(a); break;
        case 7: cell[out] = calls[k](a); break;
        case 8: cell[out] = calls[k](a, b); break;
        default: cell[out] = calls[k](...lists[k].map((place) => cell[place]));
      }
    }
    return results.map((slot) => cell[slot]);
  };
}

// Arrays of rows or parameters among the values.
function laneMachine(steps, values, wide, given, results) {
  return (numbers, width = 1) => {
    for (let k = 0; k < given.length; k++) values[given[k]] = numbers[k];
    for (const { f, args, whole, out, wide: isWide } of steps) {
      if (whole) values[out] = whole(args.map((a) => values[a]), width);
      else if (isWide) values[out] = lanes(f, args, values, wide, width);
      else if (args.length === 2) values[out] = f(values[args[0]], values[args[1]]);
      else values[out] = args.length === 1 ? f(values[args[0]]) : f(...args.map((a) => values[a]));
    }
    return results.map((slot) => values[slot]);
  };
}

function lanes(f, args, values, wide, width) {
  const out = new Array(width), [a, b] = args, x = values[a], y = values[b];
  if (args.length === 1) for (let i = 0; i < width; i++) out[i] = f(x[i]);
  else if (args.length === 2) {
    if (wide[a] && wide[b]) for (let i = 0; i < width; i++) out[i] = f(x[i], y[i]);
    else if (wide[a]) for (let i = 0; i < width; i++) out[i] = f(x[i], y);
    else for (let i = 0; i < width; i++) out[i] = f(x, y[i]);
  } else for (let i = 0; i < width; i++) out[i] = f(...args.map((k) => (wide[k] ? values[k][i] : values[k])));
  return out;
}

// A term that is one number for all rows or parameters, as often as there are.
const spreadOut = (value, width) => (Array.isArray(value) ? value : Array(width).fill(value));
const OVER_ROWS = {
  rowsum: ([term], width) => spreadOut(term, width).reduce((a, b) => a + b, 0),
  rowmean: ([term], width) => spreadOut(term, width).reduce((a, b) => a + b, 0) / width,
};
