// The controls, the table, the permalink.
const $ = (which) => document.getElementById(which);
const MOST = 10000, SHOWN = 21;
const live = Boolean(F.grad);
const S = {};
let R = { rows: [], why: "" }, V = {}, asked = false, all = false, playing = 0, waiting = 0;

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [key, worth] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), worth); else element.setAttribute(key, worth);
  }
  element.append(...children);
  return element;
}

function reset() {
  Object.assign(S, {
    start: D.start.slice(), lr: D.lr, steps: Math.min(D.steps, MOST), rule: D.rule, k: MOST,
    hyper: D.rules[D.rule].hyper.map((h) => h[1]), constants: D.constants.map((c) => c[1]),
    spans: D.spans.map((s) => s.slice()), axes: P > 1 ? [0, 1] : [0], which: 0,
  });
}

const stored = (run) => run.rows.map(([t, x, loss, norm]) => ({ t, x: x.map(Number), loss: Number(loss), norm: Number(norm), g: [] }));

// The rows of the compared runs, computed once.
let known = null;
function others() {
  if (!D.compared) return [];
  const constants = D.constants.map((c) => c[1]);
  known = known || D.compared.map((c, k) => (live ? descend({ ...c, constants, steps: Math.min(D.steps, MOST) }).rows : stored(D.runs[k])));
  return known.filter((rows, k) => k !== S.which && rows.length);
}

// Select one of the compared runs.
function take(which) {
  Object.assign(S, { which, k: MOST }, live ? D.compared[which] : {});
  S.start = S.start.slice();
  if (!live) return ask();
  S.hyper = S.hyper.slice();
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
    R = live ? descend(S) : recorded();
    V = live ? judge(S, R) : { kind: R.kind, text: R.sentence, limit: null, minimum: null };
    if (atEnd) S.k = R.rows.length - 1;
    S.stale = false;
  }
  S.k = Math.max(0, Math.min(S.k, R.rows.length - 1));
  drawMap();
  drawLoss();
  tell();
  remember();
}

// The recorded run with the nearest learning rate.
function recorded() {
  const far = (run) => Math.abs(Math.log(run.lr / S.lr));
  const run = D.compared ? D.runs[S.which] : D.runs.reduce((a, b) => (far(b) < far(a) ? b : a));
  if (run.lr !== null) S.lr = run.lr;
  return { ...run, rows: stored(run) };
}

function tell() {
  $("verdict").textContent = V.text;
  $("verdict").className = V.kind;
  const row = R.rows[S.k];
  $("here").textContent = row ? `step ${row.t}: ` + row.x.slice(0, 6).map((v, k) => `${D.shown[k]} = ${short(v, 8)}`).join(", ") + `, loss = ${short(row.loss, 8)}${sharpness(row.x)}` : "";
  for (const box of document.querySelectorAll("[data-of]")) box.show();
  $("rule-text").textContent = D.rules[S.rule].text;
  table();
}

// 21 rows about the current step, or all of them.
function table() {
  const from = all ? 0 : Math.max(0, Math.min(S.k - 10, R.rows.length - SHOWN)), rows = R.rows.slice(from, all ? undefined : from + SHOWN);
  const lines = rows.map((r, k) => {
    const cells = [String(r.t), ...r.x.map(repr), repr(r.loss), repr(r.norm)];
    return (from + k === S.k ? "<tr class=now><td>" : "<tr><td>") + cells.join("<td>");
  });
  $("rows").innerHTML = lines.join("");
  const left = R.rows.length - rows.length;
  $("more").hidden = !left && !all;
  $("more").textContent = all ? "fewer rows" : `all ${R.rows.length} rows`;
}

// A number field and a slider for the same value. to, from: slider position <-> value.
function slider(host, title, get, set, low, high, to, from) {
  const field = make("input", { type: "text", inputmode: "decimal", "aria-label": title, "data-of": 1, onchange: typed });
  const range = make("input", { type: "range", step: "any", min: low, max: high, "aria-label": `${title}, slider`, "data-of": 1, oninput: moved });
  function typed() {
    const worth = +field.value.replace("\u2212", "-");
    if (field.value.trim() !== "" && finite(worth) && set(worth) !== false) ask(); else field.value = get();
  }
  function moved() {
    set(from(+range.value));
    ask();
  }
  field.show = () => { if (document.activeElement !== field) field.value = get(); };
  range.show = () => { if (document.activeElement !== range || Math.abs(to(get()) - range.value) > 1e-3 * (high - low)) range.value = to(get()); };
  host.append(make("label", { class: "row" }, make("span", {}, title), field, make("span", { class: "track" }, range)));
  return { field, range };
}

const rounded = (v) => +v.toPrecision(4);

function controls() {
  const host = $("controls");
  host.textContent = "";
  if (D.compared) choice(host, "run", D.compared.map((c) => c.name), S.which, take);
  if (live) choice(host, "rule", D.rules.map((r) => r.name), S.rule, choose);
  if (D.compared && !live) host.append("");
  else if (F.rate || D.lr === null || (!live && D.runs.length < 2)) host.append(make("p", { class: "row" }, make("span", {}, "lr"), D.lrText));
  else learningRate(host);
  if (live) {
    const top = Math.log10(Math.max(500, 4 * D.steps, S.steps) + 1);
    slider(host, "steps", () => S.steps, (v) => v >= 0 && v <= MOST && (S.steps = Math.round(v), S.k = MOST, true), 0, Math.min(top, 4), (v) => Math.log10(v + 1), (v) => Math.round(10 ** v - 1));
    D.rules[S.rule].hyper.forEach(([title, usual], k) => number(host, title, usual, () => S.hyper[k], (v) => { S.hyper[k] = v; }));
    D.constants.forEach(([title, usual], k) => number(host, title, usual, () => S.constants[k], (v) => { S.constants[k] = v; }));
    D.params.slice(0, 12).forEach((title, k) => {
      const [low, high] = S.spans[k];
      slider(host, `start ${D.shown[k]}`, () => S.start[k], (v) => { S.start[k] = v; }, low, high, (v) => v, rounded);
    });
  }
  if (P > 2) [0, 1].forEach((side) => choice(host, `axis ${side + 1}`, D.shown, S.axes[side], (k) => { S.axes[side] = k; ask(false); }));
}

function choice(host, title, names, now, use) {
  const pick = make("select", { "aria-label": title, onchange: () => use(+pick.value) });
  names.forEach((words, k) => pick.append(make("option", { value: k }, words)));
  pick.value = now;
  host.append(make("label", { class: "row" }, make("span", {}, title), pick));
}

function learningRate(host) {
  const edge = live && V.limit ? V.limit : S.lr;
  let low = Math.log10(Math.min(S.lr, edge)) - 3, high = Math.log10(Math.max(S.lr, edge)) + 1.5;
  if (!live) [low, high] = [D.runs[0].lr, D.runs[D.runs.length - 1].lr].map(Math.log10);
  const { range } = slider(host, "lr", () => S.lr, (v) => v > 0 && (S.lr = v, true), low, high, Math.log10, (v) => rounded(10 ** v));
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
  S.hyper = D.rules[rule].hyper.map((h) => h[1]);
  settle();
}

function settle() {
  R = descend(S);
  V = judge(S, R);
  S.k = MOST;
  controls();
  ask();
}

function goTo(k) {
  S.k = Math.max(0, Math.min(k, R.rows.length - 1));
  ask(false);
}

function play() {
  if (playing) return stop();
  if (S.k >= R.rows.length - 1) S.k = 0;
  const pace = Math.max(1, Math.round(R.rows.length / 200));
  playing = setInterval(() => { if (S.k >= R.rows.length - 1) stop(); else goTo(S.k + pace); }, R.rows.length > 100 ? 50 : 200);
  $("play").textContent = "pause";
}

function stop() {
  clearInterval(playing);
  playing = 0;
  $("play").textContent = "\u25b6 play";
}

function zoom(by) {
  for (const k of S.axes) {
    const [low, high] = S.spans[k], m = (low + high) / 2, half = (high - low) / 2 * by;
    S.spans[k] = [m - half, m + half];
  }
  ask(false);
}

// Show the whole path, or its part that is not extremely far away.
function fit() {
  S.axes.forEach((k) => {
    const size = Math.max(...D.spans[k].map((v) => Math.abs(v - S.start[k]))), kept = R.rows.map((r) => r.x[k]).filter((v) => Math.abs(v - S.start[k]) <= 20 * size);
    if (V.minimum) kept.push(V.minimum.x[k]);
    const low = Math.min(S.start[k], ...kept), high = Math.max(S.start[k], ...kept), pad = 0.2 * (high - low) || 0.1 * size || 1;
    S.spans[k] = [low - pad, high + pad];
  });
  ask(false);
}

function drag(press) {
  if (!live || !(press.buttons & 1)) return;
  const box = $("map").getBoundingClientRect(), values = [view.px.back(press.clientX - box.left), P > 1 ? view.py.back(press.clientY - box.top) : 0];
  S.axes.forEach((k, side) => {
    const [low, high] = S.spans[k];
    S.start[k] = rounded(Math.max(low, Math.min(high, values[side])));
  });
  S.k = MOST;
  ask();
}

function nudge(key) {
  const side = key === "ArrowLeft" || key === "ArrowRight" ? 0 : 1;
  if (side >= S.axes.length) return;
  const k = S.axes[side], [low, high] = S.spans[k];
  S.start[k] = rounded(S.start[k] + (key === "ArrowLeft" || key === "ArrowDown" ? -1 : 1) * (high - low) / 50);
  ask();
}

function key(press) {
  if (press.ctrlKey || press.metaKey || press.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(press.target.tagName)) return;
  const does = {
    ArrowLeft: () => goTo(S.k - 1), ArrowRight: () => goTo(S.k + 1), Home: () => goTo(0), End: () => goTo(R.rows.length - 1),
    " ": play, "+": () => zoom(0.7), "-": () => zoom(1 / 0.7), f: fit,
  };
  if (press.key === " " && press.target.tagName === "BUTTON") return;
  if (press.shiftKey && live && press.key.startsWith("Arrow")) nudge(press.key);
  else if (does[press.key]) does[press.key]();
  else return;
  press.preventDefault();
}

// The state in the address, with all digits of every number.
function address() {
  const parts = [["k", S.k], ["lr", S.lr]];
  if (live) parts.push(["start", S.start.join()], ["steps", S.steps], ["rule", D.rules[S.rule].name], ["set", [...S.hyper, ...S.constants].join()]);
  if (D.compared) parts.push(["run", S.which]);
  return "#" + parts.map(([title, worth]) => `${title}=${encodeURIComponent(worth)}`).join("&");
}

function remember() {
  $("link").href = address();
  clearTimeout(waiting);
  waiting = setTimeout(() => { try { history.replaceState(null, "", address()); } catch { /* a sandboxed page */ } }, 300);
}

function recall() {
  const given = new URLSearchParams(location.hash.slice(1)), numbers = (title) => (given.get(title) || "").split(",").map((v) => (v === "" ? NaN : +v));
  const one = (title, good, use) => { const [v] = numbers(title); if (finite(v) && good(v)) use(v); };
  if (D.compared) one("run", (v) => D.compared[v], (v) => { S.which = v; });
  if (D.lr !== null) one("lr", (v) => v > 0, (v) => { S.lr = v; });
  if (live) {
    one("steps", (v) => v >= 0 && v <= MOST, (v) => { S.steps = Math.round(v); });
    const rule = D.rules.findIndex((r) => r.name === given.get("rule")), start = numbers("start"), set = numbers("set");
    if (rule >= 0 && rule !== S.rule) { S.rule = rule; S.hyper = D.rules[rule].hyper.map((h) => h[1]); }
    if (start.length === P && start.every(finite)) S.start = start;
    if (set.length === S.hyper.length + S.constants.length && set.every(finite)) {
      S.hyper = set.slice(0, S.hyper.length);
      S.constants = set.slice(S.hyper.length);
    }
    R = descend(S);
    V = judge(S, R);
  }
  one("k", (v) => v >= 0, (v) => { S.k = Math.round(v); });
  if (live && given.has("k")) S.k = Math.min(S.k, R.rows.length - 1);
}

function begin() {
  $("formula").textContent = D.formula;
  $("gradient").textContent = D.gradient.join("\n");
  $("why").textContent = D.why;
  $("why").hidden = live;
  $("head").append(...["step", ...D.shown, "loss", "|gradient|"].map((title) => make("th", { scope: "col" }, title)));
  reset();
  recall();
  controls();
  colors();
  const on = (which, does) => $(which).addEventListener("click", does);
  on("first", () => goTo(0));
  on("back", () => goTo(S.k - 1));
  on("play", play);
  on("next", () => goTo(S.k + 1));
  on("last", () => goTo(R.rows.length - 1));
  on("in", () => zoom(0.7));
  on("out", () => zoom(1 / 0.7));
  on("fit", fit);
  on("reset", () => { stop(); reset(); if (live) choose(S.rule); else ask(); });
  on("more", () => { all = !all; table(); });
  if (!live) for (const which of ["in", "out", "fit"]) $(which).hidden = true;
  $("map").addEventListener("pointerdown", (press) => { if (press.button === 0) { $("map").setPointerCapture(press.pointerId); drag(press); } });
  $("map").addEventListener("pointermove", drag);
  $("trace").addEventListener("pointerdown", (press) => {
    const t = view.step(press.clientX - $("trace").getBoundingClientRect().left), k = R.rows.findIndex((r) => r.t >= t);
    goTo(k < 0 ? R.rows.length - 1 : k);
  });
  document.addEventListener("keydown", key);
  window.addEventListener("hashchange", () => { if (location.hash !== address()) { reset(); recall(); controls(); ask(); } });
  const redraw = () => { colors(); ask(false); };
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  window.addEventListener("resize", redraw);
  const printing = (now) => () => { document.body.classList.toggle("print", now); colors(); drawMap(); drawLoss(); };
  window.addEventListener("beforeprint", printing(true));
  window.addEventListener("afterprint", printing(false));
  S.stale = !live;
  render();
}
begin();
