// A rule's text -> its steps, and its linear map near a minimum. Mirrors model.rule_text, model.rules
// and analysis.stability.
const GIVEN = ["theta", "g", "t", "lr"];

class Rule {
  // defaults: the usual values of hyperparameters. name: for display.
  constructor(text, defaults = {}, name = "custom") {
    Object.assign(this, { text: text.trim().replace(/ +/g, " "), defaults, name, graph: new Graph(), names: new Map() });
    this.read();
    this.alike = this.findAlike();
    this.one = this.state.map((name) => this.alike.has(name));
    const targets = new Set([...this.lines, ...this.initial.values()].map((line) => line.target)), fixed = this.usesLoss ? [...GIVEN, "L"] : GIVEN;
    this.hyper = [...this.names.keys()].filter((name) => !targets.has(name) && !fixed.includes(name)).map((name) => [name, has(defaults, name) ? defaults[name] : name === "n" || name === "seed" ? 0 : null]);
    const ends = ["lower", "upper"].map((end) => this.hyper.findIndex(([name]) => name === end)), suffix = squeezed(T.rules.find(([name]) => name === "box")[2]);
    this.box = this.text.endsWith(`\n${suffix}`) ? ends : null;
    this.unboxed = this.box ? this.text.slice(0, -suffix.length) : this.text;
    this.planned = this.hyper.findIndex(([name]) => name === "n");
    this.steps = new Map();
  }

  get states() { return this.state.length; }

  // The lines, the initial values `v0 = ...`, what lives from step to step.
  read() {
    const pieces = piecesOf(this.text).filter((piece) => piece.trim()), isReport = (piece) => /^\s*report(?![\p{L}\p{N}_])(?!\s*=)/u.test(piece);
    const assigning = pieces.filter((piece) => !isReport(piece)), targets = assigning.map(targetOf);
    if (assigning.length < pieces.length) throw new FormulaError(pieces.find(isReport), 0, "a rule that reports another point is run by Python only", "leave this line out");
    let calls = 0;
    const found = assigning.map((piece, k) => {
      const line = { target: targets[k], piece, ...readLine(piece, piece.indexOf("=") + 1, { graph: this.graph, variables: this.names, declared: targets, rule: true, calls }) };
      ({ calls } = line);
      line.order = topological([line.root]);
      line.reads = new Set(line.order.filter((n) => n.op === "name").map((n) => n.text));
      return line;
    });
    this.random = calls > 0;
    if (!targets.includes("theta")) throw new FormulaError(pieces[0] || "", 0, "the rule never assigns theta", "a rule says how: theta = theta - lr*g");
    const mayBeInitial = (line) => {
      const others = found.filter((one) => one !== line).map((one) => one.target), base = line.target.slice(0, -1);
      return line.target.endsWith("0") && others.includes(base) && !others.includes(line.target) && !line.reads.has(line.target);
    };
    const candidates = found.filter(mayBeInitial), lasting = this.lasting(found.filter((line) => !candidates.includes(line)));
    const initial = candidates.filter((line) => lasting.includes(line.target.slice(0, -1)));
    this.lines = found.filter((line) => !initial.includes(line));
    this.initial = new Map(initial.map((line) => [line.target.slice(0, -1), line]));
    if (this.names.has("theta0") && !targets.includes("theta0")) {
      const { root } = parse("theta", { graph: this.graph, variables: this.names });
      this.initial.set("theta", { target: "theta0", root, order: [root], reads: new Set(["theta"]) });
    }
    const all = [...this.lines, ...this.initial.values()], reads = new Set(all.flatMap((line) => [...line.reads]));
    this.held = [...this.initial.values()].map((line) => line.target).filter((name) => reads.has(name));
    this.state = [...this.lasting(this.lines), ...this.held];
    const own = new Set([...Object.keys(this.defaults), ...all.map((line) => line.target)]), ops = new Set(all.flatMap((line) => line.order.map((n) => n.op)));
    this.usesLoss = this.names.has("L") && !own.has("L");
    this.evaluates = ["lossat", "gradat", "hvp"].some((op) => ops.has(op));
  }

  // The names that are read before they are assigned.
  lasting(lines) {
    const targets = lines.map((line) => line.target), assigned = new Set(), state = [];
    for (const line of lines) {
      for (const name of this.names.keys()) if (line.reads.has(name) && targets.includes(name) && !assigned.has(name) && !state.includes(name) && name !== "theta") state.push(name);
      assigned.add(line.target);
    }
    return state.filter((name) => name !== "g");
  }

  // The names that have one value for all parameters: lr, t, norms, ...
  findAlike() {
    const alike = new Set([...this.names.keys()].filter((name) => name !== "theta" && name !== "g"));
    const roots = [...this.lines, ...this.initial.values()].map((line) => [line.target, line]).concat([...this.initial].map(([state, line]) => [state, line]));
    for (;;) {
      const apart = roots.filter(([target, line]) => alike.has(target) && !oneFor(line, alike)).map(([target]) => target);
      if (!apart.length) return alike;
      apart.forEach((name) => alike.delete(name));
    }
  }

  // One step as nodes of a graph from the nodes of theta, g and every other name: [theta, state...].
  nodes(graph, given) {
    const now = new Map(Object.entries(given)), one = graph.number(1);
    const value = (line) => graph.rebuild([line.root], (node, args) => {
      if (node.op === "name") return now.get(node.text);
      if (node.op === "total" && !args[0].wide && given.count) return graph.mul(given.count, args[0]);
      return node.op === "peak" && !args[0].wide ? args[0] : graph.same(node, args);
    })[0];
    for (const [name, line] of this.initial) {
      const first = graph.node("==", now.get("t"), one);
      let node = value(line);
      if (this.held.includes(line.target)) {
        node = graph.where(first, node, now.get(line.target));
        now.set(line.target, node);
      }
      if (name !== "theta") now.set(name, graph.where(first, node, now.get(name)));
    }
    for (const line of this.lines) now.set(line.target, value(line));
    return [now.get("theta"), ...this.state.map((name) => now.get(name))];
  }

  // (theta, g, state, t, lr, hyperparameters, loss, at) -> [theta, state]; at: the loss at other points.
  step(theta, g, state, t, lr, hyper, loss, at) {
    const width = theta.length;
    if (!this.steps.has(width)) this.steps.set(width, this.compile(width));
    const { run, around, single } = this.steps.get(width);
    if (single) return this.each(run, theta, g, state, [t, lr, loss, ...hyper]);
    Object.assign(around, { at, theta });
    const [next, ...after] = run([theta, g, ...state, t, lr, loss, ...hyper], width);
    return [spreadOut(next, width), after.map((v, k) => (this.one[k] ? v : spreadOut(v, width)))];
  }

  // A step of each parameter by itself.
  each(run, theta, g, state, shared) {
    const next = theta.slice(), after = state.map((v, j) => (this.one[j] ? v : v.slice()));
    for (let k = 0; k < theta.length; k++) {
      const out = run([theta[k], g[k], ...state.map((v, j) => (this.one[j] ? v : v[k])), ...shared]);
      [next[k]] = out;
      for (let j = 0; j < state.length; j++) if (this.one[j]) after[j] = out[j + 1]; else after[j][k] = out[j + 1];
    }
    return [next, after];
  }

  // single: no number of the step depends on other parameters.
  compile(width) {
    const lines = [...this.lines, ...this.initial.values()], single = !lines.some((line) => line.order.some((n) => REDUCED.has(n.op) || VARIED.has(n.op)));
    const graph = new Graph(), wide = (name) => !single && (name === "theta" || name === "g" || (this.state.includes(name) && !this.one[this.state.indexOf(name)]));
    const names = ["theta", "g", ...this.state, "t", "lr", "L", ...this.hyper.map(([name]) => name)], given = {}, around = { at: null, theta: null };
    for (const name of new Set(names)) given[name] = graph.name(name, wide(name));
    given.count = graph.number(width);
    const whole = {
      ...DRAWS, norm: ([x]) => (width === 1 ? Math.abs(x[0]) : hypot(...x)),
      total: ([x], w) => (Array.isArray(x) ? x.reduce((a, b) => a + b) : w * x), peak: ([x]) => (Array.isArray(x) ? x.reduce((a, b) => max(a, b)) : x),
      lossat: ([x]) => around.at.value(spreadOut(x, width)), gradat: ([x]) => around.at.grad(spreadOut(x, width)), hvp: ([x]) => around.at.product(around.theta, spreadOut(x, width)),
    };
    const inputs = names.map((name, k) => (names.indexOf(name) === k ? given[name] : null));
    return { around, single, run: machine(this.nodes(graph, given), inputs, whole) };
  }

  // The Jacobian of a step on the error along an eigenvector, by rows, with g = curvature*error and
  // state, at these values; null where the rule does not begin at rest. Mirrors LinearRule.
  jacobian(curvature, lr, t, away, hyper) {
    if (!this.map.run) return null;
    const flat = this.map.run([away, curvature, lr, t, ...hyper]), size = 1 + this.states;
    return Array.from({ length: size }, (_, i) => flat.slice(i * size, (i + 1) * size));
  }

  // {run, smooth}: its entries, and whether no kink depends on the error or the state.
  get map() { return (this.linear = this.linear || this.linearize()); }

  linearize() {
    if (this.box) return this.withoutBox().linearize();
    const graph = new Graph(), one = new Rule(this.text, this.defaults), leaf = (name) => graph.name(name), given = {};
    for (const name of [...this.state, "t", "lr", ...this.hyper.map(([n]) => n)]) given[name] = leaf(name);
    const error = leaf(" error"), curvature = leaf(" curvature"), slope = (x) => graph.mul(curvature, x), half = (x) => graph.mul(graph.number(0.5), curvature, graph.pow(x, 2));
    Object.assign(given, { theta: error, g: slope(error), L: half(error) });
    const moving = [error, ...this.state.map((name) => given[name])];
    const replaced = (node, args) => ({ norm: args[0] && graph.node("abs", args[0]), total: args[0], peak: args[0], lossat: args[0] && half(args[0]), gradat: args[0] && slope(args[0]), hvp: args[0] && slope(args[0]) }[node.op] || graph.same(node, args));
    let results = graph.rebuild(one.nodes(graph, given), replaced);
    results = graph.rebuild(results, (node, args) => {
      if (node.op !== "where" || dependents(topological([args[0]]), [...moving, curvature, given.lr]).has(args[0])) return graph.same(node, args);
      const decide = (t) => this.decided(args[0], graph, t), late = decide(1e9);
      return late === decide(1e6) ? args[late ? 1 : 2] : graph.same(node, args);
    });
    const order = topological(results), active = dependents(order, moving);
    const rough = order.some((n) => active.has(n) && n.args.some((a) => active.has(a)) && (n.op === "where" || n.op === "norm" || T.functions[n.op]?.kink));
    const smooth = !rough && !this.random;
    if (this.held.length || ![...this.initial.values()].every((line) => [...line.reads].every((n) => n === "theta" || n === "g"))) return { run: null, smooth };
    const far = leaf(" away"), places = new Map(moving.map((m) => [m, far]));
    try {
      const entries = results.flatMap((result) => gradientOf(graph, result, moving));
      return { run: machine(graph.replace(entries, places), [far, curvature, given.lr, given.t, ...this.hyper.map(([n]) => given[n])]), smooth };
    } catch {
      return { run: null, smooth }; // a derivative that JavaScript lacks
    }
  }

  // A condition on t and hyperparameters, at their usual values.
  decided(condition, graph, t) {
    const leaves = topological([condition]).filter((n) => n.op === "name");
    return machine([condition], leaves)(leaves.map((n) => (n.text === "t" ? t : has(this.defaults, n.text) ? this.defaults[n.text] : 0)))[0];
  }

  withoutBox() { return new Rule(this.unboxed, this.defaults, this.name); }

  // Whether a step without a gradient shrinks theta: no minimum but 0 is a fixed point.
  decays(hyper) {
    const rest = this.jacobian(0, 0.1, 1e9, 1, hyper);
    return rest !== null && rest[0][0] > 0 && rest[0][0] < 1;
  }
}

const squeezed = (text) => text.trim().replace(/ +/g, " ");
const piecesOf = (text) => text.split(/[;\n]/).map((piece) => piece.replace(/#.*/, ""));

// Whether a line has one value for all parameters, given the names that have one.
function oneFor(line, alike) {
  const one = new Map();
  for (const node of line.order) {
    const whole = REDUCED.has(node.op), varied = VARIED.has(node.op);
    one.set(node, whole || (!varied && (node.op === "name" ? alike.has(node.text) : node.args.every((a) => one.get(a)))));
  }
  return one.get(line.root);
}

// The formula behind an =; its errors stand in the whole line.
function readLine(piece, from, context) {
  try {
    return parse(" ".repeat(from) + piece.slice(from), context);
  } catch (error) {
    if (error instanceof FormulaError) throw new FormulaError(piece, Math.max(error.at, from), error.sentence, error.hint);
    throw error;
  }
}

function targetOf(piece) {
  const at = piece.indexOf("="), left = at < 0 ? piece : piece.slice(0, at), right = at < 0 ? "" : piece.slice(at + 1);
  const changed = /^(\s*[\p{L}_][\p{L}\p{N}_]*\s*)(\*\*|\/\/|[-+*/^:])=(?!=)(.+)/u.exec(piece);
  if (changed) {
    const [name, operator, rest] = changed.slice(1).map((part) => part.trim());
    throw new FormulaError(piece, changed[1].length, `'${operator}=' is not an assignment of a rule`, `write ${name} = ${operator === ":" ? rest : `${name} ${operator} (${rest})`}`);
  }
  if (at < 0 || right.startsWith("=") || /[<>!=]$/.test(left)) throw new FormulaError(piece, 0, "a line of a rule is name = expression");
  if (!right.trim()) throw new FormulaError(piece, piece.length, "nothing is assigned here");
  const stream = new TokenStream(left.trim()), { token } = stream;
  if (token.kind !== "name" || (stream.advance() && stream.token.kind !== "end")) throw new FormulaError(piece, 0, `'${escaped(left)}' is not a name`, "use letters and digits");
  if (token.text === "t" || token.text === "lr") throw new FormulaError(piece, piece.indexOf(left.trim()), `'${token.text}' is given and cannot be assigned`, "choose another name");
  return token.text;
}

// A rule by its catalogue name, by names joined with +, or by its text.
function findRule(text) {
  if (text.includes("=")) return new Rule(text, {}, "own rule");
  const parts = text.split("+").map((part) => part.trim()), kinds = ["prefix", "rule", "suffix"];
  const entries = parts.map((part) => {
    const entry = T.rules.find(([name]) => name === part);
    if (!entry) throw new FormulaError(text, text.indexOf(part), `there is no rule '${escaped(part)}'`, suggest(part, T.rules.map(([name]) => name)) || "write one: theta = theta - lr*g");
    return entry;
  });
  const places = entries.map(([, kind]) => kinds.indexOf(kind));
  if (places.filter((k) => k === 1).length !== 1 || places.some((k, i) => i && k < places[i - 1])) throw new FormulaError(text, 0, `'${escaped(text)}' is out of order: prefixes, one rule, suffixes`, "for example clip_norm+adam");
  const ordered = [...entries].sort((a, b) => (a[1] === "rule") - (b[1] === "rule"));
  return new Rule(entries.map((entry) => entry[2]).join("\n"), Object.assign({}, ...ordered.map((entry) => entry[3])), parts.join("+"));
}

// A learning rate: {value} of a number, {at(t, n)} of a formula of t and n. Mirrors model.schedule.
function readSchedule(text, names = []) {
  const typed = text.trim(), number = Number(typed.replace("−", "-"));
  if (typed && finite(number)) {
    if (!(number > 0)) throw new FormulaError(text, 0, "the learning rate must be a number above 0", "for example 0.1");
    return { text: typed, value: number };
  }
  const formula = expandedSchedule(typed), { root, graph, variables } = parse(formula), unknown = [...variables.keys()].filter((n) => n !== "t" && n !== "n" && !names.includes(n));
  if (unknown.length) throw new FormulaError(formula, formula.indexOf(unknown[0]), `unknown name '${escaped(unknown[0])}' in the learning rate`, "it is a formula of the step t and the planned steps n");
  const run = machine(graph.fold([root]), ["t", "n", ...names].map((name) => variables.get(name)));
  return variables.size ? { text: typed, value: null, at: (t, n, values = []) => run([t, n, ...values])[0] } : readSchedule(String(run([1, 1, ...names])[0]));
}

// The formula of a call such as cosine(0.1) or step(0.1, every=50); another text as it is.
function expandedSchedule(text) {
  const match = /^\s*([a-z_]+)\s*(?:\((.*)\))?\s*$/s.exec(text);
  if (!match || !has(T.schedules, match[1])) return text;
  const [formula, constants] = T.schedules[match[1]], values = { ...constants }, call = `${match[1]}(${Object.entries(constants).map(([n, v]) => (v === null ? n : `${n}=${short(v)}`)).join(", ")})`;
  (match[2] || "").split(",").filter((piece) => piece.trim()).forEach((piece, place) => {
    const [name, value] = piece.includes("=") ? piece.split("=") : [Object.keys(values)[place] || piece, piece], key = name.trim();
    if (!has(values, key)) throw new FormulaError(text, text.indexOf(piece), `the schedule ${match[1]} has no constant '${escaped(key)}'`, `write ${call}`);
    if (!value.trim() || !finite(Number(value))) throw new FormulaError(text, text.indexOf(piece), `'${escaped(value.trim())}' is no number in the schedule ${match[1]}`, `write ${call}`);
    values[key] = Number(value);
  });
  const missing = Object.keys(values).find((key) => values[key] === null);
  if (missing) throw new FormulaError(text, 0, `the schedule ${match[1]} needs its ${missing}: write ${match[1]}(0.1)`, `all of it: ${call}`);
  return formula.replace(/[a-z_]\w*/g, (name) => (has(values, name) ? repr(values[name]) : name));
}
