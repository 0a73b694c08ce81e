// Text -> tokens {kind, text, at}, one at a time. Mirrors formula.tokens, formula.token_stream and
// names; words, limits and hints are Python's own tables (T).
class FormulaError extends Error {
  constructor(text, at, sentence, hint = "") {
    super(sentence);
    Object.assign(this, { text, at: Math.max(0, Math.min(at, text.length)), sentence, hint });
  }

  // The place in characters, as Python counts them.
  get column() { return [...this.text.slice(0, this.at)].length; }
}

const RELATIONS = ["<", "<=", ">", ">=", "==", "!="], LOGIC = ["and", "or", "not"];
const OPERATOR_ALIASES = { "^": "**", "·": "*", "×": "*", "⋅": "*", "−": "-", "÷": "/", "≤": "<=", "≥": ">=", "≠": "!=" };
const GREEK_HEAD = new RegExp(`^([${Object.keys(T.greek).join("")}])(?=$|[0-9_])`, "u");
const SUPERSCRIPT_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const TOKEN = {
  space: /[ \t\r\n]*/y,
  number: /(?:[0-9](?:_?[0-9])*(?:\.(?!\.)(?:[0-9](?:_?[0-9])*)?)?|\.[0-9](?:_?[0-9])*)(?:[eE][+-]?[0-9]+)?/y,
  operator: /\*\*|<=|>=|==|!=|[-+*/^()|,<>√·×⋅−÷≤≥≠]/y,
  superscript: /⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+/y,
  name: /[\p{L}_][\p{L}\p{Mn}\p{Mc}\p{Nd}_]*/uy,
};

const canonical = (name) => name.replace(GREEK_HEAD, (letter) => T.greek[letter]);

// Characters that would be obeyed or hidden, written as escapes. Mirrors names.escape.
function escaped(text) {
  return [...text].map((c) => {
    if (c === " " || !/[\p{C}\p{Z}]/u.test(c)) return c;
    const code = c.codePointAt(0), hex = (digits) => code.toString(16).padStart(digits, "0");
    return { "\n": "\\n", "\t": "\\t", "\r": "\\r" }[c] || (code < 256 ? `\\x${hex(2)}` : code < 65536 ? `\\u${hex(4)}` : `\\U${hex(8)}`);
  }).join("");
}

function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  const found = pattern.exec(text);
  return found ? found[0] : "";
}

// The tokens of a text, with one of lookahead.
class TokenStream {
  constructor(text) {
    if (text.length > T.limits.length) throw new FormulaError(text.slice(0, 80), 0, `${text.length} characters are too many (limit length=${T.limits.length})`);
    Object.assign(this, { text, at: 0, depth: 0 });
    this.token = this.last = this.next();
  }

  next() {
    const { text } = this;
    this.at += matchAt(TOKEN.space, text, this.at).length;
    const { at } = this;
    if (at >= text.length) return { kind: "end", text: "", at: text.length };
    const take = (kind, found, shown = found) => { this.at += found.length; return { kind, text: shown, at }; };
    let found = matchAt(TOKEN.number, text, at);
    if (found) {
      this.checkNumber(at, found);
      return take("number", found);
    }
    if ((found = matchAt(TOKEN.operator, text, at))) return take(OPERATOR_ALIASES[found] || found, found);
    if ((found = matchAt(TOKEN.superscript, text, at))) {
      return take("superscript", found, [...found].map((c) => (c === "⁻" ? "-" : SUPERSCRIPT_DIGITS.indexOf(c))).join(""));
    }
    if (text[at] === "`") {
      found = this.quoted(at);
      return take("quoted", `\`${found}\``, found);
    }
    if ((found = matchAt(TOKEN.name, text, at))) {
      if (LOGIC.includes(found)) return take(found, found);
      const problem = whyNotAName(found);
      if (problem) throw new FormulaError(text, at, problem[0], T.reserved.includes(found) ? T.words[found] || "choose another name" : problem[1]);
      return take("name", found, canonical(found));
    }
    const char = [...text.slice(at, at + 2)][0];
    throw new FormulaError(text, at, `'${escaped(char)}' is not part of a formula`, characterHint(text, at));
  }

  quoted(at) {
    const { text } = this, end = text.indexOf("`", at + 1);
    if (end < 0 || end > at + T.limits.name + 1 || text.slice(at, end).includes("\n")) {
      throw new FormulaError(text, at, "this back quote is never closed", "a column's name stands in two back quotes: `a b`");
    }
    if (end === at + 1) throw new FormulaError(text, at, "there is no name between these back quotes");
    return text.slice(at + 1, end);
  }

  checkNumber(at, found) {
    const { text } = this, end = at + found.length, after = text.slice(end, end + 1);
    if (found.length > T.limits.digits) throw new FormulaError(text, at, `a number of ${found.length} characters is too long (limit digits=${T.limits.digits})`, "17 digits are all that a double keeps");
    if (((after === "." || after === "_") && text.slice(end, end + 2) !== "..") || /\p{Nd}/u.test(after)) {
      throw new FormulaError(text, end, "this number is malformed", "write 1.5, 2e-3 or 123_456");
    }
    const name = /\p{L}/u.test(after) ? matchAt(TOKEN.name, text, end) : "";
    if (/^[eE][eE0-9_]*$/.test(name)) {
      throw new FormulaError(text, end, "this number has an unfinished exponent", `write ${found}e-3 for a power of ten, ${found}*${name} for a product`);
    }
    if (found === "0" && after && "xXbBoO".includes(after)) {
      throw new FormulaError(text, at, `'0${name}' looks like a number in another base`, `numbers are decimal; for a product write 0*${name}`);
    }
  }

  advance() {
    this.last = this.token;
    if (this.token.kind !== "end") this.token = this.next();
    return this.last;
  }

  enter(token) {
    if (++this.depth > T.limits.depth) throw this.error(`the formula is nested too deeply (limit depth=${T.limits.depth})`, "", token);
  }

  close(opening, closing) {
    if (this.token.kind === "end") throw this.error(`'${opening.text}' is never closed`, `add '${closing}'`, opening);
    if (this.token.kind !== closing) throw this.unexpected();
    this.depth--;
    this.advance();
  }

  // Whether the product of the next + and - signs is negative.
  signs() { return this.repeated(["+", "-"], "signs").filter((kind) => kind === "-").length % 2 === 1; }

  repeated(kinds, what) {
    const found = [];
    while (kinds.includes(this.token.kind)) {
      if (found.length === T.limits.depth) throw this.error(`too many ${what} in a row (limit depth=${found.length})`);
      found.push(this.advance().kind);
    }
    return found;
  }

  error(sentence, hint = "", token = this.token) { return new FormulaError(this.text, token.at, sentence, hint); }

  ambiguous(token, one, other) { return this.error("this has two readings", `write it as ${one} or as ${other}`, token); }

  unexpected() {
    const { token, last } = this, { kind } = token;
    if (kind === "end") return this.error("the formula ends too early", "something is missing here");
    if (last !== token && LOGIC.includes(last.kind) && [")", ",", "and", "or"].includes(kind)) return this.error(`'${last.kind}' needs a condition after it`, "for example x > 0 and x < 1");
    if (RELATIONS.includes(kind) || LOGIC.includes(kind)) {
      const what = LOGIC.includes(kind) ? `'${kind}' stands` : "a comparison stands";
      return this.error(`${what} only inside where(...), in its condition`, "write where(condition, a, b)");
    }
    if (kind === ",") return this.error("a comma stands only between the arguments of a function", "a decimal number takes a point: 0.5");
    if (kind === ")" || kind === "|") return this.error(`this '${token.text}' closes nothing`, "delete it or open it");
    if (["name", "quoted", "number", "(", "√", "superscript"].includes(kind)) {
      if (last.kind === "name" && rowOf(last.text)) return this.bareFunction(last);
      const hint = kind === "number" && last.kind === "number" && last !== token ? `write * between them, or ${last.text}_${token.text} for one number` : "write * between them";
      return this.error("two factors without an operator between them", hint);
    }
    if (this.text.slice(0, token.at + 1).endsWith("//")) return this.error("'//' is not part of a formula", "write a/b, or floor(a/b) for the quotient rounded down");
    return this.error(`'${token.text}' has nothing to work on`, "a value is missing before it");
  }

  bareFunction(token) {
    const { text: name } = token, { kind } = this.token;
    let hint = `write ${name}(x)`;
    if (kind === "name") hint = `write ${name}(${escaped(this.token.text)})`;
    else if (kind === "superscript" || kind === "**") {
      const written = /^(?:\*\*|\^)\s*\(?\s*(-?\s*[\p{L}\p{N}_]+)/u.exec(this.text.slice(this.token.at));
      const exponent = written ? written[1] : this.token.text.replace(/^[*^]+/, "") || "2";
      hint = `write ${name}(x)^${escaped(exponent)}`;
      if (exponent === "-1" && rowOf(`a${name}`)) hint = `write a${name}(x) for the inverse function, 1/${name}(x) for the reciprocal`;
    }
    return this.error(`'${name}' is a function and needs its argument`, hint, token);
  }

  unknownFunction(token, more = []) {
    const { text: name } = token, known = [...Object.keys(T.functions), ...Object.keys(T.aliases), ...Object.keys(T.powers), "sum", "mean", ...more];
    const near = name.length > 2 ? suggest(name, known, 0.7) : "";
    const hint = T.otherNames[name] || near || `to multiply, write ${escaped(name)}*(...); \`symgd functions\` lists the functions`;
    return this.error(`'${escaped(name)}' is not a function`, hint, token);
  }
}

// The row of a function that a formula may call, under its name or an alias.
const rowOf = (name) => (has(T.aliases, name) ? T.functions[T.aliases[name]] : has(T.functions, name) ? T.functions[name] : null);

function numberOf(token, text) {
  const value = Number(token.text.replaceAll("_", ""));
  if (value === Infinity) throw new FormulaError(text, token.at, `${token.text} is too large: a double ends at 1.8e308`, "rescale the loss");
  if (value === 0 && /[1-9]/.test(token.text.split(/[eE]/)[0])) throw new FormulaError(text, token.at, `${token.text} is too small: a double ends at 4.9e-324`, "write 0, or rescale the loss");
  return value;
}

// Why a name cannot be a variable, as [sentence, hint], or null. Mirrors names.why_not_a_name.
function whyNotAName(name) {
  const shown = escaped(name), plain = name.normalize("NFKC");
  if (name.length > T.limits.name) return [`a name of ${name.length} characters is too long (limit ${T.limits.name})`, "shorten it"];
  if (T.reserved.includes(name)) return [`'${name}' is a reserved word, not a variable`, "choose another name"];
  if (name.startsWith("__")) return [`'${shown}' is not a variable: names do not begin with '__'`, ""];
  if (/[ªºµ]/.test(name)) return [`'${shown}' looks like '${plain}' but is another character`, `write ${plain}`];
  if (/[\p{L}]π|π[\p{L}]/u.test(name)) {
    const product = name.replaceAll("π", "*π*").replace(/\*+/g, "*").replace(/^\*|\*$/g, ""), single = name.replaceAll("π", "_pi_").replace(/_+/g, "_").replace(/^_|_$/g, "");
    return [`'${shown}' has two readings: a product with π, and one name`, `write ${escaped(product)}, or ${escaped(single)} for the name`];
  }
  const bare = [...name].map((c) => (has(T.greek, c) ? "a" : c)).join("");
  if (bare.normalize("NFKC") !== bare) return [`'${shown}' holds a character that only looks like '${escaped(plain)}'`, `write ${escaped(plain)}`];
  return null;
}

// x2 before x10. Mirrors names.natural.
function byName(a, b) {
  const split = (name) => name.split(/(\d+)/).filter(Boolean).map((part) => (/^\d/.test(part) ? [0, Number(part)] : [1, part]));
  const [p, q] = [split(a), split(b)];
  for (let k = 0; k < Math.min(p.length, q.length); k++) {
    for (const i of [0, 1]) if (p[k][i] !== q[k][i]) return p[k][i] < q[k][i] ? -1 : 1;
  }
  return p.length - q.length;
}

// What to write in place of a character, or "". Mirrors formula.other_notations.
function characterHint(text, at) {
  const char = [...text.slice(at, at + 2)][0], after = text.slice(at + 1), before = text.slice(0, at), digit = "₀₁₂₃₄₅₆₇₈₉".indexOf(char);
  if (char === "%") {
    const number = /([0-9][0-9_.eE]*)\s*$/.exec(before.slice(-40)), next = after.trimStart().slice(0, 1);
    return number && !/[\p{L}\p{N}(_.|√]/u.test(next) ? `a percentage is written as a fraction: ${number[1]}/100` : "there is no remainder operator; write mod(x, n)";
  }
  if (char === "." && after[0] === ".") return "write every term out, or sum(x[i], i=1..9)";
  if (char === "=" && before.split("(").length > before.split(")").length) return "in a condition write ==";
  if (char === "!" && after.slice(0, 1).trim()) return "write not before a condition";
  if (digit >= 0) return `write the number after the name: x${digit}`;
  if (char === "'" && /[\p{L}\p{N}]$/u.test(before)) return "a loss is differentiated for you; another name is x1 or x_new";
  return T.characters[char] || "";
}

// [place, sentence, hint] of a text in the notation of another language, or null.
function knownShape(text) {
  const head = text.slice(0, 500);
  for (const [pattern, sentence, hint] of T.shapes) {
    const found = new RegExp(`^(?:${pattern})`, "dsu").exec(head);
    if (!found) continue;
    const parts = {};
    for (const [name, part] of Object.entries(found.groups)) parts[name] = (part || "").replace(/^[ \t\r\n,:]+|[ \t\r\n,:]+$/g, "");
    parts.at = found.groups.at.trim();
    const put = (template) => template.replace(/\{(\w+)\}/g, (_, name) => parts[name]);
    const short = text.length <= 500 && Object.values(parts).join("").length <= 60;
    let shown = short || !hint.includes("{") ? put(hint) : "write only the expression";
    if (sentence.includes("module")) shown = T.otherNames[parts.body] || shown;
    return [found.indices.groups.at[0], put(sentence), shown];
  }
  return null;
}

// "did you mean 'beta1'?" of the nearest known name, or "". Mirrors difflib's ratio.
function suggest(name, known, cutoff = 0.6) {
  const others = known.filter((k) => k !== name), sorted = (text) => [...text].sort().join("");
  const scores = others.map((k) => [sorted(k) === sorted(name) ? 2 : similarity(k, name), k]).filter(([score]) => score >= cutoff);
  const best = scores.reduce((a, b) => (a && (a[0] > b[0] || (a[0] === b[0] && (a[0] === 2 || a[1] >= b[1]))) ? a : b), null);
  return best ? `did you mean '${escaped(best[1])}'?` : "";
}

function similarity(a, b) {
  const matching = (x, y) => {
    let best = 0, from = 0, to = 0;
    for (let i = 0; i < x.length; i++) for (let j = 0; j < y.length; j++) {
      let k = 0;
      while (i + k < x.length && j + k < y.length && x[i + k] === y[j + k]) k++;
      if (k > best) [best, from, to] = [k, i, j];
    }
    return best && best + matching(x.slice(0, from), y.slice(0, to)) + matching(x.slice(from + best), y.slice(to + best));
  };
  return a.length + b.length > 80 ? 0 : 2 * matching(a, b) / (a.length + b.length);
}
