// Moving, keys, the permalink, and the beginning.
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

// Move the start to a place of the map.
function drag(press) {
  const box = $("map").getBoundingClientRect(), values = [view.px.back(press.clientX - box.left), P > 1 ? view.py.back(press.clientY - box.top) : 0];
  S.axes.forEach((k, side) => {
    const [low, high] = S.spans[k];
    S.start[k] = rounded(Math.max(low, Math.min(high, values[side])));
  });
  S.k = MOST;
  ask();
}

// A mouse drags anywhere on the map; a finger drags the square, and scrolls the page elsewhere.
function dragging() {
  const follow = (element, moves) => {
    element.addEventListener("pointerdown", (press) => { if (press.button === 0 && live() && moves(press)) { element.setPointerCapture(press.pointerId); drag(press); } });
    element.addEventListener("pointermove", (press) => { if (live() && press.buttons & 1 && moves(press)) drag(press); });
  };
  follow($("map"), (press) => press.pointerType !== "touch");
  follow($("handle"), () => true);
  $("map").addEventListener("click", (press) => { if (live() && press.pointerType === "touch") drag(press); });
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
  if (press.shiftKey && live() && press.key.startsWith("Arrow")) nudge(press.key);
  else if (does[press.key]) does[press.key]();
  else return;
  press.preventDefault();
}

// The state in the address, with all digits of every number.
function address() {
  const parts = [["k", S.k], ["lr", rateOf(S)]];
  if (live()) {
    if (D !== DATA) parts.unshift(["loss", D.text]);
    const preset = PRESETS.findIndex((p) => p.data && p.data === typedData);
    if (preset >= 0) parts.push(["data", preset]);
    parts.push(...settingsParts(S));
    parts.push(["view", S.spans.flat().map((v) => v.toPrecision(6)).join()], ["axes", S.axes.join()]);
    if (B) parts.push(["b", settingsParts(B.s).concat([["lr", rateOf(B.s)]]).map(([title, worth]) => `${title}=${encodeURIComponent(worth)}`).join("&")]);
  }
  if (D.compared) parts.push(["run", S.which]);
  return "#" + parts.map(([title, worth]) => `${title}=${encodeURIComponent(worth)}`).join("&");
}

function settingsParts(s) {
  const { name, text } = RULES[s.rule], own = T.rules.some((r) => r[0] === name) ? [] : [["text", text]];
  return [["start", s.start.join()], ["steps", s.steps], ["rule", name], ...own, ["set", [...s.hyper, ...s.constants].join()]];
}

function remember() {
  $("link").href = address();
  clearTimeout(waiting);
  waiting = setTimeout(() => { try { history.replaceState(null, "", address()); } catch { /* a sandboxed page */ } }, 300);
}

// The settings of a permalink; what is mangled is left as it was.
function recall() {
  const given = new URLSearchParams(location.hash.slice(1)), whole = numbersIn(given, "k");
  const preset = PRESETS[numbersIn(given, "data")[0]], loss = given.get("loss");
  if (loss) {
    $("loss").value = loss;
    if (!typeLoss(loss, { data: preset ? preset.data || null : null })) return;
  }
  if (D.compared && D.compared[numbersIn(given, "run")[0]]) [S.which] = numbersIn(given, "run");
  recallSettings(S, given);
  const view = numbersIn(given, "view"), sides = numbersIn(given, "axes");
  if (live() && view.length === 2 * P && view.every((v, k) => finite(v) && (k % 2 === 0 || v > view[k - 1]))) S.spans = D.params.map((_, k) => view.slice(2 * k, 2 * k + 2));
  if (P > 1 && sides.length === 2 && sides.every((k) => D.params[k])) S.axes = sides;
  if (live() && given.get("b")) {
    const s = copied(S);
    recallSettings(s, new URLSearchParams(given.get("b")));
    B = keptRun(s);
  }
  if (live()) run();
  if (whole[0] >= 0) S.k = Math.round(whole[0]);
  if (live() && given.has("k")) S.k = Math.min(S.k, R.rows.length - 1);
}

const numbersIn = (given, title) => (given.get(title) || "").split(",").map((v) => (v.trim() === "" ? NaN : +v));

function recallSettings(s, given) {
  const [lr] = numbersIn(given, "lr"), [steps] = numbersIn(given, "steps"), start = numbersIn(given, "start"), set = numbersIn(given, "set");
  if (lr > 0 && finite(lr) && (live() || D.lr !== null)) Object.assign(s, { lr, schedule: null });
  if (!live()) return;
  if (given.get("lr") && lr !== lr) { try { const schedule = readSchedule(given.get("lr"), D.constants.map((c) => c[0])); if (schedule.value === null) Object.assign(s, { lr: null, schedule }); } catch { /* mangled */ } }
  if (steps >= 0 && steps <= MOST) s.steps = Math.round(steps);
  if (given.get("text")) {
    try {
      s.rule = ownRule(given.get("text"));
      s.hyper = hyperOf(ruleOf(s));
    } catch { /* mangled */ }
  }
  const rule = given.get("text") ? -1 : RULES.findIndex((r) => r.name === given.get("rule"));
  if (rule >= 0 && rule !== s.rule) { s.rule = rule; s.hyper = hyperOf(ruleOf(s)); }
  if (start.length === P && start.every(finite)) s.start = start;
  if (set.length === s.hyper.length + s.constants.length && set.every(finite)) {
    s.hyper = set.slice(0, s.hyper.length);
    s.constants = set.slice(s.hyper.length);
  }
}

// What depends on the loss alone.
function present() {
  $("formula").textContent = D.formula;
  document.title = D.formula.slice(0, 300);
  $("gradient").textContent = D.gradient.join("\n");
  $("why").textContent = D.why;
  $("why").hidden = live();
  $("head").replaceChildren(...["step", ...D.shown, "loss", "|gradient|"].map((title) => make("th", { scope: "col" }, title)));
  if (document.activeElement !== $("loss")) $("loss").value = D.text || "";
}

// Python's run: its own functions, or those of the engine over the rows; the model of a fit.
function prepare() {
  if (!DATA.table) return;
  const { data, functions } = readLoss(DATA.text, DATA.table);
  DATA.model = data.model;
  if (!DATA.whole) return;
  typedData = DATA.table;
  if (!FUNCTIONS.grad && !DATA.why) Object.assign(FUNCTIONS, functions);
}

function begin() {
  prepare();
  adopt(DATA, FUNCTIONS);
  reset();
  presets();
  present();
  recall();
  if (!R.rows.length && live()) run();
  controls();
  colors();
  listen();
  S.stale = !live();
  render();
}

function listen() {
  const on = (which, does, what = "click") => $(which).addEventListener(what, does);
  on("first", () => goTo(0));
  on("back", () => goTo(S.k - 1));
  on("play", play);
  on("next", () => goTo(S.k + 1));
  on("last", () => goTo(R.rows.length - 1));
  on("scrub", () => goTo(+$("scrub").value), "input");
  on("in", () => zoom(0.7));
  on("out", () => zoom(1 / 0.7));
  on("fit", fit);
  on("pin", pin);
  on("swap", swap);
  on("reset", () => { stop(); reset(); if (live()) choose(S.rule); else ask(); });
  on("more", () => { all = !all; table(); });
  on("loss", () => typeLoss($("loss").value), "input");
  on("rule-text", () => typeRule($("rule-text").value), "input");
  on("source", () => {
    $("program").hidden = !$("program").hidden;
    $("program").textContent = document.scripts[document.scripts.length - 1].textContent;
  });
  dragging();
  on("trace", (press) => {
    const t = view.step(press.clientX - $("trace").getBoundingClientRect().left), k = R.rows.findIndex((r) => r.t >= t);
    goTo(k < 0 ? R.rows.length - 1 : k);
  }, "pointerdown");
  document.addEventListener("keydown", key);
  window.addEventListener("hashchange", () => { if (location.hash !== address()) { adopt(DATA, FUNCTIONS); typedData = null; reset(); present(); recall(); controls(); ask(); } });
  const redraw = () => { colors(); ask(false); };
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  window.addEventListener("resize", redraw);
  const printing = (now) => () => { document.body.classList.toggle("print", now); colors(); render(); };
  window.addEventListener("beforeprint", printing(true));
  window.addEventListener("afterprint", printing(false));
}
begin();
