// Tokens -> nodes: recursive descent with one token of lookahead. Mirrors formula.parser, builder
// and symbol_table.

// {root, variables, columns} of a text, or FormulaError. declared: names that are variables even if a
// constant has the same name. columns: those of the data, if any. rule: with the functions of rules.
// table: a formula of the function table. wide: names with a value for each parameter.
function parse(text, { graph = new Graph(), variables = new Map(), declared = [], columns = null, rule = false, table = false, wide = [], calls = 0 } = {}) {
  try {
    const parser = new Parser(text, { graph, variables, declared, columns, rule, table, wide, calls });
    return { root: parser.formula(), graph, variables, columns: parser.read, calls: parser.calls };
  } catch (error) {
    if (error instanceof RangeError) throw new FormulaError(text, 0, "the formula is nested too deeply");
    const shape = error instanceof FormulaError && !table ? knownShape(text) : null;
    if (!shape) throw error;
    throw new FormulaError(text, ...shape);
  }
}

class Parser {
  constructor(text, context) {
    Object.assign(this, context, { text, stream: new TokenStream(text), constants: new Map(), read: new Set() });
    this.rowDepth = 0;
    this.openBars = 0;
    this.preceding = "";
    this.conditionAllowed = false;
  }

  formula() {
    const { stream } = this;
    if (stream.token.kind === "end") throw stream.error("there is no formula", 'write one, for example "theta**2"');
    const root = this.expression();
    if (stream.token.kind !== "end") throw stream.unexpected();
    return root;
  }

  // term { ("+" | "-") term }, where a term is factors joined by * / or next to another.
  expression() {
    const { stream } = this, terms = [], allowed = this.conditionAllowed;
    let minus = false;
    this.conditionAllowed = false;
    for (;;) {
      this.conditionAllowed = allowed && !terms.length && stream.token.kind === "(";
      const negative = stream.signs() !== minus;
      this.preceding = negative ? "-" : "";
      const factors = [this.operand()];
      if (allowed && isCondition(factors[0])) return factors[0];
      for (;;) {
        if (stream.token.kind === "*" || stream.token.kind === "/") {
          const operator = stream.advance(), flip = stream.signs();
          this.preceding = operator.kind;
          let factor = this.operand();
          if (flip) factor = this.negate(factor);
          factors.push(operator.kind === "/" ? this.build("pow", [factor, this.number(-1)], operator) : factor);
        } else if (this.juxtaposed()) {
          this.preceding = "next to";
          factors.push(this.operand());
        } else break;
      }
      const term = factors.length === 1 ? factors[0] : this.build("mul", factors);
      terms.push(negative ? this.negate(term) : term);
      if (stream.token.kind !== "+" && stream.token.kind !== "-") return terms.length === 1 ? terms[0] : this.build("add", terms);
      minus = stream.advance().kind === "-";
    }
  }

  // number | name | call | "(" ... ")" | "|" ... "|" | "√" operand, then powers.
  operand(powers = true) {
    const { stream, preceding } = this, { last } = stream, start = stream.advance(), allowed = this.conditionAllowed;
    let base;
    this.conditionAllowed = false;
    if (start.kind === "number") base = this.number(numberOf(start, stream.text));
    else if (start.kind === "name" && stream.token.kind === "(") base = this.call(start);
    else if (start.kind === "name" || start.kind === "quoted") base = this.name(start);
    else if (start.kind === "(" || start.kind === "|") {
      const outer = this.openBars;
      this.openBars = +(start.kind === "|");
      stream.enter(start);
      if (start.kind === "(" && stream.token.kind === ")") throw stream.error("there is nothing between '(' and ')'");
      base = allowed ? this.condition(true) : this.expression();
      stream.close(start, start.kind === "(" ? ")" : "|");
      this.openBars = outer;
      if (start.kind === "|") base = this.build("abs", [base], start);
    } else if (start.kind === "√") base = this.root(start);
    else {
      Object.assign(stream, { last, token: start });
      throw stream.unexpected();
    }
    this.preceding = preceding;
    if (!powers || (allowed && isCondition(base)) || (stream.token.kind !== "superscript" && stream.token.kind !== "**")) return base;
    if (start.kind === "√") throw stream.ambiguous(start, "√(x^2)", "(√x)^2");
    const operator = stream.advance();
    if (operator.kind === "superscript") {
      if (stream.token.kind === "**" || stream.token.kind === "superscript") throw stream.ambiguous(operator, "x^(2^3)", "(x^2)^3");
      return this.power(base, this.number(Number(operator.text)), operator);
    }
    stream.enter(operator);
    const negative = stream.signs();
    this.preceding = "**";
    const exponent = this.operand();
    stream.depth--;
    return this.power(base, negative ? this.negate(exponent) : exponent, operator);
  }

  // A name that is not called: a column, a variable, a constant.
  name(token) {
    const { text: name } = token, { stream } = this, shown = escaped(name);
    if (token.kind === "quoted" || (this.columns && this.columns.includes(name))) {
      if (!this.columns) throw stream.error(`there is no column '${shown}'`, "names in back quotes are for data columns, and there are no data", token);
      if (!this.columns.includes(name)) throw stream.error(`the data have no column '${shown}'`, suggest(name, this.columns) || `the data have ${escaped(this.columns.join(", "))}`, token);
      if (!this.rowDepth) throw stream.error(`'${shown}' is a column of the data: it has a value in every row`, `put it inside sum(...) or mean(...): mean(${shown})`, token);
      this.read.add(name);
      return this.graph.name(name, true);
    }
    const known = this.variables.has(name) || this.declared.includes(name), only = !T.variables.includes(name) && (rowOf(name) || ["sqrt", "sum", "mean", "norm"].includes(name) || T.missing.includes(name));
    if (!known && only) throw stream.bareFunction(token);
    if (!known && (name === "pi" || name === "e")) {
      const node = this.graph.constant(name);
      this.constants.set(node, node.value);
      return node;
    }
    return this.symbol(name);
  }

  symbol(name) {
    if (!this.variables.has(name)) this.variables.set(name, this.graph.name(name, this.wide.includes(name)));
    return this.variables.get(name);
  }

  root(sign) {
    const { stream } = this;
    if (stream.token.kind === "√") throw stream.error("two roots in a row", "write √(√(x))");
    if (!["number", "name", "(", "|"].includes(stream.token.kind)) throw stream.unexpected();
    const number = stream.token.kind === "number", radicand = this.operand(false);
    if (number && (stream.token.kind === "name" || stream.token.kind === "(")) throw stream.ambiguous(sign, "√(2*x)", "(√2)*x");
    return this.build("pow", [radicand, this.number(0.5)], sign);
  }

  // name "(" arguments ")": a function of the table, a power, of rules, or a sum over rows.
  call(token) {
    const { stream } = this, { text: name } = token, ofRule = this.rule && has(T.ruleFunctions, name), overRows = (name === "sum" || name === "mean") && !ofRule;
    const row = rowOf(name) || (this.table && has(T.derivatives, name) ? T.derivatives[name] : null), power = has(T.powers, name);
    if (!row && !power && !overRows && !ofRule) {
      if (T.missing.includes(name)) throw stream.error(`'${name}' is computed by Python only`, "use it on the command line, or another function here", token);
      throw stream.unknownFunction(token, this.rule ? Object.keys(T.ruleFunctions) : []);
    }
    stream.advance();
    stream.enter(token);
    if (overRows && !this.columns) throw stream.error(`${name}(...) goes over the rows of a data file, and there is none`, `give the data (--data FILE), or an index: ${name}(x[i], i=1..n)`, token);
    this.rowDepth += +overRows;
    const outer = this.openBars, args = [];
    this.openBars = 0;
    while (stream.token.kind !== ")" || args.length) {
      if (name === "where" && !args.length) args.push(this.condition());
      else args.push(ofRule && name === "count" ? this.condition(true) : this.expression());
      if (stream.token.kind !== ",") break;
      stream.advance();
    }
    stream.close(token, ")");
    this.openBars = outer;
    if (ofRule && ((name !== "max" && name !== "min") || args.length === 1)) return this.ofRule(name, args, token);
    if (row) return this.apply(row, args, token);
    if (power) return this.callOfPower(name, args, token);
    if (args.length !== 1) throw stream.error(`${name} takes 1 argument, not ${args.length}`, `write ${name}(x)`, token);
    this.rowDepth--;
    return this.graph.node(name === "sum" ? "rowsum" : "rowmean", args[0]);
  }

  ofRule(name, args, token) {
    const { graph } = this, wanted = T.ruleFunctions[name], count = wanted ? wanted.split(",").length : 0, [x] = args;
    if (args.length !== count) throw this.stream.error(`${name} takes ${count} argument${count === 1 ? "" : "s"}, not ${args.length}`, `write ${name}(${wanted})`, token);
    const total = (term) => graph.node("total", term), one = graph.number(1);
    if (name === "mean") return graph.div(total(x), total(one));
    if (name === "dot") return total(graph.mul(...args));
    if (name === "min") return graph.neg(graph.node("peak", graph.neg(x)));
    if (name === "count") return total(graph.where(isCondition(x) ? x : graph.node("!=", x, graph.number(0)), one, graph.number(0)));
    if (name === "rademacher" || name === "normal") return graph.node(name, this.symbol("seed"), this.symbol("t"), graph.number(++this.calls));
    return graph.node({ norm: "norm", sum: "total", max: "peak", loss: "lossat", grad: "gradat", hvp: "hvp" }[name], x);
  }

  // Comparisons joined by not, and, or; after an opening parenthesis also a value.
  condition(opening = false) {
    const { stream, graph } = this, either = [];
    let both = [];
    for (;;) {
      const count = stream.repeated(["not"], "'not'").length;
      this.conditionAllowed = true;
      let part = this.expression();
      if (isCondition(part)) {
        if (![...LOGIC, ")", ",", "end"].includes(stream.token.kind)) throw stream.error("a condition is no number", "where(condition, 1, 0) is one");
      } else if (RELATIONS.includes(stream.token.kind)) {
        const operator = stream.advance();
        part = graph.node(operator.kind, part, this.expression());
        if (RELATIONS.includes(stream.token.kind)) throw stream.error("one comparison per condition", "join two with and: a < x and x < b");
      } else {
        if (opening && !count && !either.length && !both.length && !LOGIC.includes(stream.token.kind)) return part;
        throw stream.error("a condition needs a comparison", "for example where(x > 0, x, -x)");
      }
      both.push(count % 2 ? graph.node("not", part) : part);
      if (stream.token.kind !== "and") {
        either.push(both.length === 1 ? both[0] : graph.node("and", ...both));
        both = [];
        if (stream.token.kind !== "or") return either.length === 1 ? either[0] : graph.node("or", ...either);
      }
      stream.advance();
    }
  }

  // Whether the next token is an implicit factor: 2x, (a)(b).
  juxtaposed() {
    const { stream } = this, { token, last } = stream, { kind } = token;
    const afterNumber = last.kind === "number" && last !== token && ["name", "(", "√", "|"].includes(kind);
    if (kind === "|" && this.openBars) return false;
    if (!afterNumber && !(last.kind === ")" && kind === "(")) {
      if ((last.kind === ")" || last.kind === "|") && kind === "name" && rowOf(token.text)) throw stream.error("two factors without an operator between them", `write * before ${token.text}`);
      return false;
    }
    if (this.preceding === "/" || this.preceding === "**") {
      const left = stream.text.slice(0, token.at).trimEnd().slice(-12), operator = this.preceding === "/" ? "/" : "^";
      throw stream.error(`'${escaped(left)}' next to '${escaped(token.text)}' has two readings`, `write a${operator}(b*c) or (a${operator}b)*c`);
    }
    if (afterNumber && kind === "name" && /^pi\p{L}$/u.test(token.text) && !this.variables.has(token.text) && !this.declared.includes(token.text)) {
      throw stream.ambiguous(token, `${last.text}*pi*${token.text[2]}`, `${last.text}*${token.text}`);
    }
    return true;
  }

  // A node; one of constants alone must have a finite value.
  build(op, args, at) {
    const node = this.graph.node(op, ...args), { constants } = this;
    if (this.graph.count > T.limits.nodes) throw this.stream.error(`the formula has too many parts (limit nodes=${T.limits.nodes})`, "", at);
    if (this.table || constants.has(node) || !args.every((a) => constants.has(a))) return node;
    const value = operate(node, (a) => constants.get(a));
    if (!finite(value)) throw this.badConstant(node, value, at);
    constants.set(node, value);
    return node;
  }

  badConstant(node, value, at) {
    const sizes = node.args.map((a) => Math.abs(this.constants.get(a))), { stream } = this;
    if (isInverse(node)) return stream.error("this divides by zero", "", at);
    if (value !== value) return stream.error("this constant is not a real number", "", at);
    if (node.op === "pow" && sizes[0] === 0) return stream.error("this divides by zero", "", at);
    if (has(T.functions, node.op) && Math.max(...sizes) < 100) return stream.error(`${node.op} is infinite there`, "", at);
    return stream.error("this constant is too large for a double (1.8e308)", "", at);
  }

  number(value) {
    const node = this.graph.number(value);
    this.constants.set(node, value);
    return node;
  }

  negate(node) {
    if (node.op === "num") return this.number(-node.value);
    if (node.op === "mul" && node.args[0].op === "num") {
      const first = this.number(-node.args[0].value), rest = node.args.slice(1);
      return first.value === 1 ? (rest.length === 1 ? rest[0] : this.build("mul", rest)) : this.build("mul", [first, ...rest]);
    }
    return this.build("mul", [this.number(-1), node]);
  }

  power(base, exponent, at) {
    const value = this.constants.get(exponent), limit = T.limits.exponent;
    if (Math.abs(value) > limit) throw this.stream.error(`the exponent ${short(value)} is too large (limit exponent=${short(limit)})`, "", at);
    if (base.op === "const" && base.text === "e") return this.build("exp", [exponent], at);
    return this.build("pow", [base, exponent], at);
  }

  callOfPower(name, args, token) {
    const exponent = T.powers[name], count = exponent === null ? 2 : 1;
    if (args.length !== count) throw this.stream.error(`${name} takes ${count} argument${count === 1 ? "" : "s"}, not ${args.length}`, `write ${name}(${exponent === null ? "x, y" : "x"})`, token);
    return exponent === null ? this.power(...args, token) : this.build("pow", [args[0], this.number(exponent)], token);
  }

  apply(row, given, token) {
    const [low, high] = row.arity, count = given.length;
    if (count < low || (high !== null && count > high)) {
      const wanted = high === null ? `at least ${low}` : low === high ? `${low}` : `${low} to ${high}`;
      throw this.stream.error(`${row.name} takes ${wanted} argument${/^(at least )?1$/.test(wanted) ? "" : "s"}, not ${count}`, `write ${signature(row)}`, token);
    }
    const args = [...given, ...(row.defaults || []).slice(Math.max(0, count - low)).map((v) => this.number(v))];
    if (row.pairwise) return args.reduce((a, b) => this.build(row.name, [a, b], token));
    return this.build(row.name, args, token);
  }
}

// A formula of the function table, parsed once.
const tableFormulas = new Map();
function tableFormula(text) {
  if (!tableFormulas.has(text)) tableFormulas.set(text, parse(text, { table: true }));
  return tableFormulas.get(text);
}

// The formula with x, y, z, w and other letters replaced, in a graph.
function substituted(graph, text, places, how = (node, args) => graph.same(node, args)) {
  const { root, variables } = tableFormula(text), values = new Map();
  for (const [name, leaf] of variables) values.set(leaf, places[name]);
  return graph.rebuild([root], (node, args) => values.get(node) || how(node, args))[0];
}
