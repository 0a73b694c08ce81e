// A typed loss -> the data and functions of the page. data: {name: column} of rows, or null.
const MOST_TYPED = 40;

function readLoss(text, data = null) {
  const columns = data ? Object.keys(data) : null, formula = readTyped(text, columns), { graph, root } = formula;
  const names = [...formula.variables.keys()].sort(byName), leaves = names.map((name) => formula.variables.get(name));
  if (!names.length) throw new FormulaError(text, 0, "the loss has no parameter", "write a formula of one name or more, for example theta^2");
  if (names.length > MOST_TYPED) throw new FormulaError(text, 0, `the loss has ${names.length} parameters, and the page takes ${MOST_TYPED}`, "run it on the command line");
  const read = [...formula.columns], inputs = [...leaves, ...read.map((name) => graph.name(name, true))];
  const rows = read.length ? data[read[0]].length : 1, table = read.map((name) => data[name]);
  const [stable] = stabilize(graph, [root]), slopes = gradientOf(graph, stable, leaves, rows);
  const compiled = (roots) => { const run = machine(roots, inputs, OVER_ROWS); return (...x) => run([...x, ...table], rows); };
  const functions = { value: compiled([stable]), grad: compiled([stable, ...slopes]) };
  let second = null;
  if (names.length <= 6 && graph.count < 6000) {
    try {
      second = slopes.flatMap((slope, i) => gradientOf(graph, slope, leaves, rows).slice(i));
      functions.hess = compiled(second);
    } catch {
      second = null; // a derivative that JavaScript lacks: no minimum is looked for
    }
  }
  const work = rows * topological([stable]).filter((node) => node.args.length && !isInverse(node)).length, shown = (node) => { const words = written(node); return words.length > 400 ? `${words.slice(0, 400)} ...` : words; };
  return {
    data: {
      params: names, shown: names.map(pretty), text, formula: `L(${names.map(pretty).join(", ")}) = ${prettyText(text)}`, why: "", rules: [], rule: 0, constants: [], verdicts: [],
      gradient: slopes.slice(0, 8).map((slope, k) => `dL/d${names[k]} = ${shown(slope)}`).concat(slopes.length > 8 ? [`... and ${slopes.length - 8} more`] : []),
      ahead: Math.floor(200000 / (3 * work + 20)), gridSize: work <= 200 ? [88, 66] : [56, 42], table: data, model: modelOf(formula, read, leaves, data),
      ...(columns && read.length ? { ...propertiesOf(graph, root, stable, leaves, null), quadratic: false } : propertiesOf(graph, root, stable, leaves, second)),
    },
    functions,
  };
}

// The page reads formulas of single names; arrays, ranges and definitions are for the command line.
function readTyped(text, columns) {
  try {
    return parse(text, { columns });
  } catch (error) {
    const at = error instanceof FormulaError ? text.search(/[[\];]|\.\./) : -1;
    throw at < 0 ? error : new FormulaError(text, at, "arrays, ranges and definitions are read on the command line only", "write every term out: x1^2 + x2^2");
  }
}

// The model and what it is fitted to: {x, y, at(theta, columns)} where the loss is a sum or mean over
// rows of a function of y - f or f - y; null for another loss.
function modelOf({ graph, root }, read, leaves, data) {
  if (!read.length) return null;
  for (const node of topological([root])) {
    if (node.op !== "add" || !node.wide) continue;
    const plain = (term) => (term.op === "name" && term.wide ? term : isNegation(term) && term.args.length === 2 && term.args[1].op === "name" && term.args[1].wide ? term.args[1] : null);
    const y = node.args.map(plain).find((term) => term && !node.args.some((other) => plain(other) !== term && topological([other]).includes(term)));
    if (!y) continue;
    const sign = node.args.includes(y) ? -1 : 1, others = node.args.filter((term) => plain(term) !== y), f = others.map((term) => (sign < 0 ? graph.neg(term) : term));
    const root2 = f.length === 1 ? f[0] : graph.add(...f), columns = topological([root2]).filter((n) => n.op === "name" && n.wide), x = columns[0];
    if (!x || !topological([root2]).some((n) => leaves.includes(n))) continue;
    const run = machine([root2], [...leaves, ...columns], OVER_ROWS), only = columns.length === 1;
    return { x: x.text, y: y.text, only, at: (theta, xs) => spreadOut(run([...theta, ...columns.map((c) => (c === x ? xs : data[c.text]))], xs.length)[0], xs.length) };
  }
  return null;
}

const GREEK_LETTERS = Object.fromEntries(Object.entries(T.greek).map(([letter, name]) => [name, letter]).reverse());

// A name in mathematical notation: theta_1 as θ_1.
const pretty = (name) => name.replace(/^([A-Za-z]+)(?=$|[0-9_])/, (word) => (has(GREEK_LETTERS, word) ? GREEK_LETTERS[word] : word));

// A typed formula with powers and products as in print.
const prettyText = (text) => text.replace(/\*\*/g, "^").replace(/\^(\d)(?![\d.])/g, (_, digit) => SUPERSCRIPT_DIGITS[digit]).replace(/\*/g, "·").replace(TOKEN_NAMES, pretty);
const TOKEN_NAMES = /[\p{L}_][\p{L}\p{N}_]*/gu;

// A node as a formula of the language. Mirrors formula.printing.plain.
function written(node, under = 0) {
  const [text, level] = writtenWith(node);
  return level < under ? `(${text})` : text;
}

const LEVELS = { or: 1, and: 2, not: 3, compare: 4, sum: 5, product: 6, unary: 7, power: 8, atom: 9 };

function writtenWith(node) {
  const { op, args } = node, { sum, product, unary, power: high, atom, compare } = LEVELS;
  if (op === "num") return [repr(node.value).replace(/\.0$/, ""), node.value < 0 ? sum : atom];
  if (isAtom(node)) return [node.text, atom];
  const factors = (list) => list.slice(1).reduce((text, f) => text + (isInverse(f) ? `/${written(f.args[0], unary)}` : `*${written(f, unary)}`), written(list[0], list[0].op === "num" && list[0].value < 0 ? sum : product));
  if (op === "add") {
    return [args.slice(1).reduce((text, term) => {
      const words = written(term, sum + (isNegation(term) ? 0 : 0));
      return words.startsWith("-") ? `${text} - ${words.slice(1)}` : `${text} + ${words}`;
    }, written(args[0], sum)), sum];
  }
  if (op === "mul") return isNegation(node) ? [`-${args.length === 2 ? written(args[1], product) : factors(args.slice(1))}`, sum] : [factors(args), product];
  if (op === "pow") {
    if (isInverse(node)) return [`1/${written(args[0], unary)}`, product];
    if (floatOf(args[1]) === 0.5) return [`sqrt(${written(args[0])})`, atom];
    return [`${written(args[0], atom)}**${written(args[1], high)}`, high];
  }
  if (op === "not") return [`not (${written(args[0])})`, LEVELS.not];
  if (isCondition(node)) return [args.map((a) => written(a, LEVELS[op] || sum)).join(` ${op} `), LEVELS[op] || compare];
  const readable = { rowsum: "sum", rowmean: "mean", ratio: null }[op];
  if (readable === null) return [`${written(args[0], product)}/${written(args[1], unary)}`, product];
  return [`${readable || op}(${args.map((a) => written(a)).join(", ")})`, atom];
}
