// What is typed: the loss, the rule, the learning rate; a mistake is shown with a caret.
let typedData = null; // the columns of the loss, if it goes over rows

// Lines with the place of a mistake. Mirrors errors.caret.
function caretLines(error) {
  const line = error.text.slice(0, error.at).split("\n").length - 1, before = error.text.split("\n").slice(0, line).join("\n").length + (line ? 1 : 0);
  const shown = escaped(error.text.split("\n")[line] || ""), at = escaped(error.text.slice(before, error.at)).length, from = Math.max(0, at - 40);
  const text = shown.trim() ? `\n  ${shown.slice(from, from + 72)}\n  ${" ".repeat(at - from)}^` : "";
  return `${error.sentence}${text}${error.hint ? `\n${error.hint}` : ""}`;
}

// Does it; where the text is wrong, says so in the box of that id and returns false.
function trying(which, field, does) {
  try {
    does();
    $(which).textContent = "";
    field.removeAttribute("aria-invalid");
    return true;
  } catch (error) {
    if (!(error instanceof FormulaError)) throw error;
    $(which).textContent = caretLines(error);
    field.setAttribute("aria-invalid", "true");
    return false;
  }
}

// Run on the typed loss. more: settings other than those that stay.
function typeLoss(text, more = {}) {
  return trying("mistake", $("loss"), () => {
    if (more.data !== undefined) typedData = more.data;
    if (text.trim() === DATA.text && (typedData || undefined) === (DATA.whole ? DATA.table : undefined)) {
      if (D !== DATA) open(DATA, FUNCTIONS);
      return;
    }
    const { data, functions } = readLoss(text, typedData);
    open({ ...data, low: null, high: null }, functions, more);
  });
}

// A loss with its functions; settings stay where they fit: those of a parameter of the same name.
function open(data, functions, more = {}) {
  const before = D ? Object.fromEntries(D.params.map((name, k) => [name, S.start[k]])) : {}, rule = D && live() ? RULES[S.rule] : null;
  const rate = S.schedule ? { lr: null, lrText: S.schedule.text } : { lr: S.lr || 0.1, lrText: String(S.lr) }, steps = S.steps ?? 20, pinned = B && D && D.params.join() === data.params.join() ? B.s : null;
  known = null;
  adopt({ start: data.params.map((name) => before[name] ?? 1), steps, ...rate, spans: data.params.map(() => [-2, 2]), ...data }, functions);
  if (data !== DATA) Object.assign(D, { start: data.params.map((name, k) => (more.start ? more.start[k] : before[name] ?? 1)), steps: more.steps ?? steps });
  if (data !== DATA && more.lr) Object.assign(D, typeof more.lr === "string" && !finite(+more.lr) ? { lr: null, lrText: more.lr } : { lr: +more.lr, lrText: String(more.lr) });
  reset();
  const wanted = more.rule ? RULES.findIndex((r) => r.name === more.rule) : rule ? RULES.findIndex((r) => r.text === rule.text && r.name === rule.name) : -1;
  if (rule && wanted < 0 && !more.rule) RULES.unshift(rule);
  S.rule = Math.max(0, wanted);
  S.hyper = hyperOf(ruleOf(S));
  run();
  if (data !== DATA) D.spans = S.spans = spansOf();
  if (pinned) B = keptRun({ ...pinned, rule: Math.min(pinned.rule, RULES.length - 1) });
  present();
  S.k = MOST;
  controls();
  ask(false);
}

// The window of a new loss: path and minimum, the start mirrored at it, with a margin.
function spansOf() {
  return D.params.map((_, k) => {
    const start = S.start[k], size = Math.max(0.5, Math.abs(start)), kept = R.rows.map((r) => r.x[k]).filter((v) => Math.abs(v - start) <= 6 * size);
    if (V.minimum && Math.abs(V.minimum.x[k] - start) <= 20 * size) kept.push(V.minimum.x[k], 2 * V.minimum.x[k] - start);
    const low = Math.min(start, ...kept), high = Math.max(start, ...kept), pad = Math.max(0.35 * (high - low), 0.25 * size);
    return [low - pad, high + pad];
  });
}

// Run by the typed rule, which the menu has as "own rule".
function typeRule(text) {
  return trying("rule-mistake", $("rule-text"), () => {
    const before = Object.fromEntries(ruleOf(S).hyper.map(([name], k) => [name, S.hyper[k]]));
    S.rule = ownRule(text, before);
    S.hyper = hyperOf(ruleOf(S)).map((v, k) => before[ruleOf(S).hyper[k][0]] ?? v);
    settle();
  });
}

// The place in the menu of a rule's text. before: values of hyperparameters.
function ownRule(text, before = {}) {
  const same = RULES.findIndex((r) => squeezed(r.text) === squeezed(text));
  if (same >= 0) return same;
  const rule = new Rule(text, {}, "own rule");
  for (const h of rule.hyper) {
    h[1] = h[1] ?? before[h[0]] ?? usualOf(h[0]);
    [, rule.defaults[h[0]]] = h;
  }
  const place = RULES.findIndex((r, k) => r.name === "own rule" && !(B && B.s.rule === k)), entry = { name: "own rule", text, values: rule.defaults, rule };
  if (place < 0) return RULES.push(entry) - 1;
  RULES[place] = entry;
  return place;
}

// The value that a hyperparameter of this name has in the catalogue.
const usualOf = (name) => (T.rules.find((r) => has(r[3], name)) || [0, 0, 0, { [name]: 0.5 }])[3][name];

// A learning rate that is a number above 0, or 0 and more at every step.
function readRate(text) {
  const schedule = readSchedule(text, D.constants.map((c) => c[0]));
  const rates = schedule.value === null ? Array.from({ length: 50 }, (_, k) => schedule.at(1 + Math.floor(k * S.steps / 50), S.steps, S.constants)) : [];
  if (!rates.every((v) => finite(v) && v >= 0)) throw new FormulaError(text, 0, "the learning rate must be a number, 0 or more, at every step");
  return schedule;
}

function useRate(schedule) {
  Object.assign(S, schedule.value === null ? { lr: null, schedule } : { lr: schedule.value, schedule: null });
  ask();
}

// The rate of a field that is left; a mistake brings back the rate that it had when it was entered.
let rateBefore = null;
function typeRate(text, field) {
  const good = trying("rate-mistake", field, () => useRate(readRate(text)));
  if (!good && rateBefore) {
    Object.assign(S, rateBefore);
    ask();
  }
  return good;
}

function presets() {
  const pick = $("presets");
  pick.append(make("option", { value: "" }, "presets"), ...PRESETS.map(({ name }, k) => make("option", { value: k }, name)));
  pick.addEventListener("change", () => {
    const chosen = PRESETS[pick.value];
    if (!chosen) return;
    B = null;
    typedData = null;
    $("loss").value = chosen.loss;
    typeLoss(chosen.loss, { ...chosen, data: chosen.data || null });
  });
}
