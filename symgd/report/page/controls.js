// The settings of the run, the fields that change them, and what is drawn and told after a change.
const $ = (which) => document.getElementById(which);
const MOST = 10000, SHOWN = 21;
const S = {};
let R = { rows: [], why: "" }, V = {}, B = null, asked = false, all = false, playing = 0, waiting = 0;
const live = () => Boolean(F.grad);

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [key, worth] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), worth); else element.setAttribute(key, worth);
  }
  element.append(...children);
  return element;
}

// The settings that the page begins with.
function reset() {
  const rule = live() ? D.rule : 0;
  Object.assign(S, {
    start: D.start.slice(), lr: D.lr, schedule: D.lr === null && live() ? readSchedule(D.lrText, D.constants.map((c) => c[0])) : null, steps: Math.min(D.steps, MOST), rule, k: MOST,
    constants: D.constants.map((c) => c[1]), spans: D.spans.map((s) => s.slice()), axes: P > 1 ? [0, 1] : [0], which: 0,
  });
  S.hyper = live() ? hyperOf(ruleOf(S)) : [];
  B = null;
}

const stored = (run) => run.rows.map(([t, x, loss, norm]) => ({ t, x: x.map(Number), loss: Number(loss), norm: Number(norm), g: [] }));
const copied = (s) => ({ ...s, start: s.start.slice(), hyper: s.hyper.slice(), constants: s.constants.slice() });
const rateText = (s) => (s.schedule ? s.schedule.text : short(s.lr));
const rateOf = (s) => (s.schedule ? s.schedule.text : s.lr);
const labelOf = (s) => `${RULES[s.rule].name}, lr ${rateText(s)}`;

// The other runs of the picture, each {name, rows, hue}: those of a comparison, and run B.
let known = null;
function others() {
  const found = B ? [{ name: `B: ${B.name}`, rows: B.run.rows, hue: 0 }] : [];
  if (!D.compared) return found;
  known = known || D.compared.map((c, k) => (live() ? descend(comparedSettings(k)).rows : stored(D.runs[k])));
  return found.concat(known.map((rows, k) => ({ name: D.compared[k].name, rows, hue: k })).filter(({ rows }, k) => k !== S.which && rows.length));
}

function comparedSettings(which) {
  const { lr, lrText, start, hyper, rule } = D.compared[which];
  return { rule, lr, start: start.slice(), hyper: hyper.slice(), schedule: lrText ? readSchedule(lrText, D.constants.map((c) => c[0])) : null, constants: D.constants.map((c) => c[1]), steps: Math.min(D.steps, MOST) };
}

// Select one of the compared runs.
function take(which) {
  Object.assign(S, { which, k: MOST }, live() ? comparedSettings(which) : {});
  if (!live()) return ask();
  settle();
}

// Run again, then draw, once per frame.
function ask(again = true) {
  S.stale = S.stale || again;
  if (asked) return;
  asked = true;
  requestAnimationFrame(render);
}

function render() {
  asked = false;
  if (S.stale) {
    const atEnd = S.k >= R.rows.length - 1;
    run();
    if (atEnd) S.k = R.rows.length - 1;
    S.stale = false;
  }
  S.k = Math.max(0, Math.min(S.k, R.rows.length - 1));
  drawMap();
  drawLoss();
  drawSharpness();
  drawData();
  tell();
  remember();
}

function run() {
  R = live() ? descend(S) : recorded();
  V = live() ? judge(S, R) : { kind: R.kind, text: R.sentence, limit: null, minimum: null };
}

// The recorded run with the nearest learning rate.
function recorded() {
  const far = (one) => Math.abs(Math.log(one.lr / S.lr));
  const one = D.compared ? D.runs[S.which] : D.runs.reduce((a, b) => (far(b) < far(a) ? b : a));
  if (one.lr !== null) S.lr = one.lr;
  return { ...one, rows: stored(one) };
}

function tell() {
  $("verdict").textContent = (B ? "A: " : "") + V.text;
  $("verdict").className = V.kind;
  $("pinned").hidden = !B;
  $("swap").hidden = !B;
  $("pin").setAttribute("aria-pressed", String(Boolean(B)));
  $("pin").textContent = B ? "let run B go" : "keep as run B";
  if (B) {
    $("pinned").textContent = `B (${B.name}): ${B.verdict.text}`;
    $("pinned").className = B.verdict.kind;
  }
  const row = R.rows[S.k];
  $("here").textContent = row ? `step ${row.t}: ` + row.x.slice(0, 6).map((v, k) => `${D.shown[k]} = ${short(v, 8)}`).join(", ") + `, loss = ${short(row.loss, 8)}${sharpness(row.x)}` : "";
  for (const box of document.querySelectorAll("[data-of]")) box.show();
  const scrub = $("scrub");
  scrub.max = Math.max(0, R.rows.length - 1);
  scrub.value = S.k;
  scrub.setAttribute("aria-valuetext", row ? `step ${row.t} of ${R.rows.at(-1).t}, loss ${short(row.loss)}` : "no step");
  legend();
  table();
}

// The names of the runs in the colors of their paths, where there is more than one.
function legend() {
  const more = others(), own = D.compared && !B ? D.compared[S.which].name : `A: ${live() ? labelOf(S) : "run"}`;
  const item = (name, className) => make("li", { class: className }, name);
  $("legend").replaceChildren(...(more.length ? [item(own, "own"), ...more.map(({ name, hue }) => item(name, `hue${hue % HUES}`))] : []));
}

// 21 rows about the current step, or all of them.
function table() {
  const from = all ? 0 : Math.max(0, Math.min(S.k - 10, R.rows.length - SHOWN)), rows = R.rows.slice(from, all ? undefined : from + SHOWN);
  const lines = rows.map((r, k) => {
    const cells = [String(r.t), ...r.x.map(repr), repr(r.loss), repr(r.norm)];
    return (from + k === S.k ? "<tr class=now><td>" : "<tr><td>") + cells.join("<td>");
  });
  $("rows").innerHTML = lines.join(""); // numbers only
  const left = R.rows.length - rows.length;
  $("more").hidden = !left && !all;
  $("more").textContent = all ? "fewer rows" : `all ${R.rows.length} rows`;
}

// A number field and a slider for the same value. to, from: slider position <-> value.
function slider(host, title, get, set, low, high, to, from, write = get, use = (text) => text.trim() !== "" && finite(numeric(text)) && set(numeric(text))) {
  const field = make("input", { type: "text", "aria-label": title, "data-of": 1, onchange: typed, spellcheck: "false", autocapitalize: "off" });
  const range = make("input", { type: "range", step: "any", min: low, max: high, "aria-label": `${title}, slider`, "data-of": 1, oninput: moved });
  function typed() {
    if (use(field.value, field) === false) field.value = write(); else ask();
  }
  function moved() {
    set(from(+range.value));
    ask();
  }
  field.show = () => { if (document.activeElement !== field) field.value = write(); };
  range.show = () => {
    const worth = get();
    if (document.activeElement !== range || Math.abs(to(worth) - range.value) > 1e-3 * (high - low)) range.value = to(worth);
    range.setAttribute("aria-valuetext", `${title} ${short(worth)}`);
  };
  host.append(make("label", { class: "row" }, make("span", {}, title), field, make("span", { class: "track" }, range)));
  return { field, range };
}

const rounded = (v) => +v.toPrecision(4);
const numeric = (text) => +text.replace("\u2212", "-");

function controls() {
  const host = $("controls");
  host.textContent = "";
  if (D.compared) choice(host, "run", D.compared.map((c) => c.name), S.which, take);
  if (live()) choice(host, "rule", RULES.map((r) => r.name), S.rule, choose);
  if (live()) learningRate(host);
  else if (D.lr === null || D.runs.length < 2) host.append(make("p", { class: "row" }, make("span", {}, "lr"), D.lrText));
  else if (!D.compared) learningRate(host);
  if (live()) {
    const top = Math.log10(Math.max(500, 4 * D.steps, S.steps) + 1);
    slider(host, "steps", () => S.steps, (v) => v >= 0 && v <= MOST && (S.steps = Math.round(v), S.k = MOST, true), 0, Math.min(top, 4), (v) => Math.log10(v + 1), (v) => Math.round(10 ** v - 1));
    ruleOf(S).hyper.forEach(([title, usual], k) => { if (k !== ruleOf(S).planned) number(host, title, usual ?? S.hyper[k], () => S.hyper[k], (v) => { S.hyper[k] = v; }); });
    D.constants.forEach(([title, usual], k) => number(host, title, usual, () => S.constants[k], (v) => { S.constants[k] = v; }));
    D.params.slice(0, 12).forEach((title, k) => {
      const [low, high] = S.spans[k];
      slider(host, `start ${D.shown[k]}`, () => S.start[k], (v) => { S.start[k] = v; }, low, high, (v) => v, rounded);
    });
  }
  if (P > 2) [0, 1].forEach((side) => choice(host, `axis ${side + 1}`, D.shown, S.axes[side], (k) => { S.axes[side] = k; ask(false); }));
  for (const which of ["rule-label", "rule-text", "pin", "in", "out", "fit"]) $(which).hidden = !live();
  if (live() && document.activeElement !== $("rule-text")) {
    $("rule-text").value = RULES[S.rule].text;
    $("rule-text").rows = Math.min(12, Math.max(2, RULES[S.rule].text.split("\n").length));
    $("rule-mistake").textContent = "";
  }
}

function choice(host, title, names, now, use) {
  const pick = make("select", { "aria-label": title, onchange: () => use(+pick.value) });
  names.forEach((words, k) => pick.append(make("option", { value: k }, words)));
  pick.value = now;
  host.append(make("label", { class: "row" }, make("span", {}, title), pick));
}

// A number or a formula of the step, and a slider with the limit of the stable rates marked.
function learningRate(host) {
  const edge = live() && V.limit ? V.limit : S.lr || 0.1, now = S.lr || edge;
  let low = Math.log10(Math.min(now, edge)) - 3, high = Math.log10(Math.max(now, edge)) + 1.5;
  if (!live()) [low, high] = [D.runs[0].lr, D.runs.at(-1).lr].map(Math.log10);
  const set = (v) => v > 0 && (Object.assign(S, { lr: v, schedule: null }), true), worth = () => S.lr || edge;
  const { field, range } = slider(host, "lr", worth, set, low, high, Math.log10, (v) => rounded(10 ** v), () => rateOf(S), live() ? typeRate : undefined);
  if (live()) {
    field.addEventListener("focus", () => { rateBefore = { lr: S.lr, schedule: S.schedule }; });
    field.addEventListener("input", () => { try { useRate(readRate(field.value)); } catch { /* said when it is left */ } });
    host.append(make("pre", { id: "rate-mistake", role: "alert" }));
  }
  const mark = make("span", { id: "limit", "data-of": 1 });
  mark.show = () => {
    const place = V.limit ? (Math.log10(V.limit) - low) / (high - low) : -1;
    mark.hidden = !(place >= 0 && place <= 1);
    mark.textContent = `stable below ${short(V.limit || 0, 4)}`;
    mark.style.left = `${100 * place}%`;
    mark.classList.toggle("left", place > 0.5);
  };
  range.parentNode.append(mark);
}

// A hyperparameter: near 1 as distance from 1, positive ones on a log scale.
function number(host, title, usual, get, set) {
  if (usual >= 0.5 && usual < 1) slider(host, title, get, set, 0, 5, (v) => -Math.log10(Math.max(1 - v, 1e-5)), (v) => +(1 - 10 ** -v).toPrecision(6));
  else if (usual > 0) slider(host, title, get, set, Math.log10(usual) - 3, Math.log10(usual) + 3, (v) => Math.log10(Math.max(v, 1e-300)), (v) => rounded(10 ** v));
  else slider(host, title, get, set, -Math.max(1, 2 * Math.abs(usual)), Math.max(1, 2 * Math.abs(usual)), (v) => v, rounded);
}

function choose(rule) {
  S.rule = rule;
  S.hyper = hyperOf(ruleOf(S));
  settle();
}

function settle() {
  run();
  S.k = MOST;
  controls();
  ask(false);
}

// Keep this run beside the next ones as run B, or let B go.
function pin() {
  B = B ? null : keptRun(copied(S));
  ask(false);
}

function keptRun(s) {
  const made = descend(s);
  return { s, run: made, verdict: judge(s, made), name: labelOf(s) };
}

function swap() {
  const mine = keptRun(copied(S));
  Object.assign(S, copied(B.s), { k: MOST, spans: S.spans, axes: S.axes });
  B = mine;
  settle();
}
