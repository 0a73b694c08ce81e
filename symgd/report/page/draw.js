// Pictures on canvas: the curve or the map with the path, and the loss against the step.
const paint = {}, HUES = 6;

function colors() {
  const css = getComputedStyle(document.body);
  for (const title of ["ink", "soft", "paper", "fall", "rise", "start", "curve", "valley", "summit", "line", ...Array.from({ length: HUES }, (_, k) => `hue${k}`)]) {
    paint[title] = css.getPropertyValue(`--${title}`).trim();
  }
}

// A canvas ready to draw: its context in CSS pixels, cleared.
function sheet(which) {
  const canvas = $(which), box = canvas.getBoundingClientRect(), scale = window.devicePixelRatio || 1;
  const w = Math.max(80, box.width), h = Math.max(60, box.height);
  if (canvas.width !== Math.round(w * scale) || canvas.height !== Math.round(h * scale)) {
    canvas.width = Math.round(w * scale);
    canvas.height = Math.round(h * scale);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.fillStyle = paint.paper;
  pen.fillRect(0, 0, w, h);
  pen.font = "12px system-ui, sans-serif";
  return { pen, l: 56, t: 8, r: w - 10, b: h - 34, w, h };
}

// From numbers to pixels and back on one axis.
function scale([low, high], from, to) {
  const place = (v) => from + (v - low) / (high - low) * (to - from);
  place.back = (p) => low + (p - from) / (to - from) * (high - low);
  return place;
}

const near = (v) => Math.max(-1e5, Math.min(1e5, v));

// Round numbers within a span, about `count` of them.
function ticks([low, high], count) {
  const rough = (high - low) / count, unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((m) => m * unit >= rough);
  const out = [];
  for (let k = Math.ceil(low / step); k * step <= high && out.length < 20; k++) out.push(k * step);
  return out;
}

// The first lineTo of a path is a moveTo.
function segments(pen, ...points) {
  pen.beginPath();
  for (const point of points) pen.lineTo(...point);
  pen.stroke();
}

function disc(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fill();
}

function axes(p, xs, ys, names, log) {
  const { pen, l, t, r, b } = p, px = scale(xs, l, r), py = scale(ys, b, t);
  pen.strokeStyle = paint.line;
  pen.fillStyle = paint.ink;
  pen.lineWidth = 1;
  pen.textAlign = "center";
  for (const v of ticks(xs, (r - l) / 70)) {
    const name = short(v, 4);
    pen.fillText(name, Math.min(px(v), r + 9 - pen.measureText(name).width / 2), b + 14);
    segments(pen, [px(v), b], [px(v), b + 3]);
  }
  pen.textAlign = "right";
  for (const v of ticks(ys, (b - t) / 40)) {
    if (log && v % 1) continue;
    pen.fillText(log ? `1e${v}` : short(v, 3), l - 5, py(v) + 4);
    segments(pen, [l - 3, py(v)], [l, py(v)]);
  }
  pen.strokeRect(l, t, r - l, b - t);
  pen.textAlign = "center";
  pen.fillText(names[0], (l + r) / 2, p.h - 6);
  pen.save();
  pen.translate(12, (t + b) / 2);
  pen.rotate(-Math.PI / 2);
  pen.fillText(names[1], 0, 0);
  pen.restore();
}

function clipped(p, draw) {
  p.pen.save();
  p.pen.beginPath();
  p.pen.rect(p.l, p.t, p.r - p.l, p.b - p.t);
  p.pen.clip();
  draw(p.pen);
  p.pen.restore();
}

// The point of the current step; a run that is not finite at the start has none.
const current = () => (R.rows.length ? R.rows[S.k].x : S.start);

// The loss at a point of the plane; other parameters have the values of the current step.
function at(a, b) {
  const x = P > 2 ? current().slice() : [a, b].slice(0, P);
  if (P > 2) { x[S.axes[0]] = a; x[S.axes[1]] = b; }
  return F.value(...x)[0];
}

let land = { key: "" };

// The values on a grid, levels at their quantiles, and the image of both.
function field(p, xs, ys) {
  const others = P > 2 ? current().join() + S.axes : "";
  const key = [xs, ys, p.w, p.h, paint.valley, others, window.devicePixelRatio].join(";");
  if (land.key === key) return land.image;
  const z = D.grid || grid(xs, ys, ...D.gridSize), n = D.gridSize;
  const sorted = z.filter(finite).sort((a, b) => a - b), image = document.createElement("canvas");
  image.width = (p.r - p.l) * 2;
  image.height = (p.b - p.t) * 2;
  land = { key, image };
  if (!sorted.length) return image;
  const levels = [];
  for (let k = 1; k < 12; k++) levels.push(sorted[Math.floor(k * sorted.length / 12)]);
  const pen = image.getContext("2d");
  tint(pen, z, n, sorted, image);
  pen.strokeStyle = paint.line;
  pen.lineWidth = 1.4;
  for (const v of new Set(levels)) contour(pen, z, n, v, image);
  return image;
}

function grid(xs, ys, nx, ny) {
  const z = [], px = scale(xs, 0, nx - 1), py = scale(ys, 0, ny - 1);
  for (let j = 0; j < ny; j++) for (let i = 0; i < nx; i++) z.push(at(px.back(i), py.back(j)));
  return z;
}

// Colors by rank, not by value.
function tint(pen, z, [nx, ny], sorted, image) {
  const small = document.createElement("canvas"), ends = [paint.valley, paint.summit].map(rgb);
  small.width = nx;
  small.height = ny;
  const ink = small.getContext("2d"), data = ink.createImageData(nx, ny);
  for (let j = 0; j < ny; j++) for (let i = 0; i < nx; i++) {
    const v = z[j * nx + i], place = 4 * ((ny - 1 - j) * nx + i);
    if (!finite(v)) continue;
    let low = 0, high = sorted.length - 1;
    while (low < high) { const m = (low + high) >> 1; if (sorted[m] < v) low = m + 1; else high = m; }
    const part = low / sorted.length;
    for (let c = 0; c < 3; c++) data.data[place + c] = ends[0][c] + part * (ends[1][c] - ends[0][c]);
    data.data[place + 3] = 255;
  }
  ink.putImageData(data, 0, 0);
  pen.imageSmoothingEnabled = true;
  // samples are the corners of cells: half a sample extends on each side
  const dx = image.width / (nx - 1), dy = image.height / (ny - 1);
  pen.drawImage(small, -dx / 2, -dy / 2, dx * nx, dy * ny);
}

const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));

function contour(pen, z, [nx, ny], level, image) {
  const dx = image.width / (nx - 1), dy = image.height / (ny - 1);
  pen.beginPath();
  for (let j = 0; j < ny - 1; j++) for (let i = 0; i < nx - 1; i++) {
    const n = j * nx + i, m = n + nx;
    if (((z[n] < level) + (z[n + 1] < level) + (z[m] < level) + (z[m + 1] < level)) % 4 === 0) continue;
    const w = [n, n + 1, m + 1, m, n].map((k) => z[k] - level), ends = [];
    for (let k = 0; k < 4; k++) {
      const u = w[k], v = w[k + 1], part = u / (u - v);
      if ((u < 0) === (v < 0) || !finite(part)) continue;
      const [a, b] = [[part, 0], [1, part], [1 - part, 1], [0, 1 - part]][k];
      ends.push([(i + a) * dx, image.height - (j + b) * dy]);
    }
    for (let k = 0; k + 1 < ends.length; k += 2) { pen.moveTo(...ends[k]); pen.lineTo(...ends[k + 1]); }
  }
  pen.stroke();
}

// The span of a curve's values without its poles.
function height(values) {
  const v = values.filter(finite).sort((a, b) => a - b);
  if (!v.length) return [-1, 1];
  const first = v[Math.floor(v.length / 10)], third = v[Math.floor(9 * v.length / 10)], room = 10 * (third - first) || 1e-300;
  const low = Math.max(v[0], first - room), high = Math.min(v[v.length - 1], third + room);
  const pad = 0.12 * (high - low) || 0.5 * Math.max(1, Math.abs(high));
  return [low - pad, high + pad];
}

let view = null;

// The loss, or the norm of the gradient if only that is known.
const level = (r) => (finite(r.loss) ? r.loss : r.norm);
const levelName = () => (R.rows.some((r) => finite(r.loss)) ? "loss" : "|gradient|");

function drawMap() {
  const p = sheet("map"), xs = S.spans[S.axes[0]], known = F.value || D.grid;
  let ys = P > 1 ? S.spans[S.axes[1]] : null, curve = null;
  if (P === 1) {
    const samples = D.curve || Array.from({ length: 301 }, (_, k) => F.value(xs[0] + k / 300 * (xs[1] - xs[0]))[0]);
    curve = samples.map((v, k) => [xs[0] + k / (samples.length - 1) * (xs[1] - xs[0]), v]);
    ys = height(samples.length ? samples : R.rows.map(level));
  }
  const px = scale(xs, p.l, p.r), py = scale(ys, p.b, p.t);
  view = { px, py };
  const spot = (row) => [near(px(row.x[S.axes[0]])), near(py(P > 1 ? row.x[S.axes[1]] : level(row)))];
  clipped(p, (pen) => {
    if (P > 1 && known) pen.drawImage(field(p, xs, ys), p.l, p.t, p.r - p.l, p.b - p.t);
    if (curve) line(pen, curve.map(([a, b]) => [px(a), near(py(b))]), paint.curve, 2);
    if (P === 1 && R.rows.length) tangent(pen, p, px, py);
    for (const { rows, hue } of others()) line(pen, rows.map(spot), paint[`hue${hue % HUES}`], 2);
    path(pen, R.rows.map(spot));
    marks(pen, spot, px, py);
    labels(pen, p, spot, px, py);
  });
  place(spot);
  axes(p, xs, ys, P > 1 ? S.axes.map((k) => D.shown[k]) : [D.shown[0], levelName()]);
  $("map").setAttribute("aria-label", `${P > 1 ? "map of the loss and the path" : "curve of the loss and the path"}${R.rows.length ? `, from ${short(R.rows[0].loss)} to ${short(R.rows.at(-1).loss)}` : ""}; drag to move the start, or press Shift with arrow keys`);
  const out = R.rows.find((r) => [0, 1].some((k) => k < P && !(r.x[S.axes[k]] >= S.spans[S.axes[k]][0] && r.x[S.axes[k]] <= S.spans[S.axes[k]][1])));
  $("word").className = out ? "out" : "";
  $("word").textContent = out ? `the path leaves the picture at step ${out.t}` : P > 2 ? "a slice: the other parameters stand as at this step" : "";
}

// The square of the start as something that a finger can drag.
function place(spot) {
  const handle = $("handle"), at = live() && R.rows.length ? spot(R.rows[0]) : null;
  handle.hidden = !at;
  if (at) Object.assign(handle.style, { left: `${at[0]}px`, top: `${at[1]}px` });
}

// A word with a halo, kept inside the picture and off the words before it.
function word(pen, p, taken, text, [x, y], color) {
  const w = pen.measureText(text).width, inside = (v, low, high) => Math.max(low, Math.min(high, v));
  for (const [dx, dy] of [[9, -9], [9, 17], [-9 - w, -9], [-9 - w, 17], [9, 33], [-9 - w, 33]]) {
    const left = inside(x + dx, p.l + 3, p.r - w - 3), base = inside(y + dy, p.t + 13, p.b - 4);
    if (taken.some(([a, b, v]) => left < a + v + 4 && a < left + w + 4 && Math.abs(base - b) < 14)) continue;
    taken.push([left, base, w]);
    pen.textAlign = "left";
    pen.lineWidth = 3.5;
    pen.strokeStyle = paint.paper;
    pen.strokeText(text, left, base);
    pen.fillStyle = color;
    pen.fillText(text, left, base);
    return;
  }
}

// The names of what is drawn: start, minimum, the ends of the runs.
function labels(pen, p, spot, px, py) {
  const taken = [], more = others();
  if (R.rows.length) word(pen, p, taken, "start", spot(R.rows[0]), paint.start);
  if (V.minimum && (P === 2 || P === 1)) word(pen, p, taken, "minimum", [px(V.minimum.x[0]), py(P === 2 ? V.minimum.x[1] : F.value(...V.minimum.x)[0])], paint.ink);
  if (!more.length) return;
  if (R.rows.length) word(pen, p, taken, B || !D.compared ? "A" : D.compared[S.which].name, spot(R.rows.at(-1)), paint.ink);
  more.slice(0, 12).forEach(({ name, rows, hue }) => { if (rows.length) word(pen, p, taken, B ? name.split(":")[0] : name, spot(rows.at(-1)), paint[`hue${hue % HUES}`]); });
}

function line(pen, points, color, width) {
  pen.strokeStyle = color;
  pen.lineWidth = width;
  pen.beginPath();
  let up = true;
  for (const [x, y] of points) {
    if (!finite(x) || !finite(y)) { up = true; continue; }
    if (up) pen.moveTo(x, y); else pen.lineTo(x, y);
    up = false;
  }
  pen.stroke();
}

function tangent(pen, p, px, py) {
  const { x, loss, g } = R.rows[S.k];
  if (!g || !g.length) return;
  const half = 0.18 * (px.back(p.r) - px.back(p.l));
  pen.setLineDash([5, 4]);
  line(pen, [-half, half].map((d) => [px(x[0] + d), near(py(loss + d * g[0]))]), paint.start, 1.5);
  pen.setLineDash([]);
}

// Arrows: green where the loss fell, red and dashed where it rose; later steps are faint.
function path(pen, spots) {
  const many = spots.length > 150;
  for (let k = 1; k < spots.length; k++) {
    const [a, b] = [spots[k - 1], spots[k]], fell = !(R.rows[k].loss > R.rows[k - 1].loss);
    const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
    pen.globalAlpha = k <= S.k ? 1 : 0.25;
    pen.strokeStyle = pen.fillStyle = fell ? paint.fall : paint.rise;
    pen.lineWidth = 1.8;
    pen.setLineDash(fell || length < 12 ? [] : [6, 3]);
    segments(pen, a, b);
    pen.setLineDash([]);
    if (length > 14) {
      const u = [(b[0] - a[0]) / length, (b[1] - a[1]) / length];
      pen.beginPath();
      pen.moveTo(...b);
      for (const s of [1, -1]) pen.lineTo(b[0] - 9 * u[0] + 4 * s * u[1], b[1] - 9 * u[1] - 4 * s * u[0]);
      pen.fill();
    } else if (!many) {
      disc(pen, ...b, 2);
    }
  }
  pen.globalAlpha = 1;
}

function marks(pen, spot, px, py) {
  const best = V.minimum;
  pen.lineWidth = 2.5;
  if (best && P === 2) {
    const [x, y] = [px(best.x[0]), py(best.x[1])];
    pen.strokeStyle = paint.ink;
    segments(pen, [x - 6, y], [x + 6, y]);
    segments(pen, [x, y - 6], [x, y + 6]);
  }
  if (!R.rows.length) return;
  const [a, b] = [spot(R.rows[0]), spot(R.rows[S.k])];
  pen.strokeStyle = paint.paper;
  pen.fillStyle = paint.start;
  pen.fillRect(a[0] - 6, a[1] - 6, 12, 12);
  pen.strokeRect(a[0] - 6, a[1] - 6, 12, 12);
  pen.fillStyle = paint.ink;
  disc(pen, ...b, 6);
  pen.stroke();
}

function drawLoss() {
  const p = sheet("trace"), { rows } = R, more = others(), every = [rows, ...more.map((o) => o.rows)].flat(), log = every.every((r) => level(r) > 0);
  const worth = (r) => (log ? Math.log10(level(r)) : level(r)), xs = [0, Math.max(1, ...[rows, ...more.map((o) => o.rows)].filter((list) => list.length).map((list) => list.at(-1).t))];
  let ys = height(every.map(worth));
  if (log && ys[1] - ys[0] < 2) { const m = (ys[0] + ys[1]) / 2; ys = [m - 1, m + 1]; }
  const px = scale(xs, p.l, p.r), py = scale(ys, p.b, p.t), at = (r) => [px(r.t), near(py(worth(r)))];
  view.step = (x) => Math.round(px.back(x));
  clipped(p, (pen) => {
    for (const other of more) line(pen, other.rows.map(at), paint[`hue${other.hue % HUES}`], 2);
    line(pen, rows.map(at), paint.curve, 2);
    const here = rows[S.k], taken = [];
    if (!here) return;
    line(pen, [[px(here.t), p.t], [px(here.t), p.b]], paint.line, 1);
    pen.fillStyle = paint.ink;
    disc(pen, ...at(here), 5);
    if (!more.length) return;
    const named = [...more.map(({ name, rows: list, hue }) => [B ? name.split(":")[0] : name, list, paint[`hue${hue % HUES}`]]), [B || !D.compared ? "A" : D.compared[S.which].name, rows, paint.ink]];
    named.slice(-12).forEach(([name, list, color]) => { if (list.length) word(pen, p, taken, name, at(list[Math.floor(0.8 * (list.length - 1))]), color); });
  });
  axes(p, xs, ys, ["step", levelName()], log);
  $("trace").setAttribute("aria-label", `${levelName()} against the step${rows.length ? `: from ${short(level(rows[0]))} to ${short(level(rows.at(-1)))} in ${rows.at(-1).t} steps` : ""}`);
}

// The largest curvature along the path, and the curvature above which this rule is not stable.
function drawSharpness() {
  const shown = Boolean(F.hess && R.rows.length > 1 && !D.compared);
  $("sharp").hidden = !shown;
  if (!shown) return;
  const stride = Math.ceil(R.rows.length / 100), rows = R.rows.filter((_, k) => k % stride === 0 || k === R.rows.length - 1);
  const points = rows.map((r) => [r.t, eigenvalues(r.x).at(-1)]).filter(([, v]) => finite(v)), p = sheet("sharp"), edge = edgeOfStability();
  const known = points.map(([, v]) => v), far = 8 * Math.max(...known.map(Math.abs), 1e-300), all = [0, ...known, ...(edge !== null && edge < far ? [edge] : [])], top = Math.max(...all), low = Math.min(...all), ys = [low - 0.05 * (top - low), top + 0.15 * (top - low || 1)], xs = [0, Math.max(1, R.rows.at(-1).t)];
  const px = scale(xs, p.l, p.r), py = scale(ys, p.b, p.t), here = points.findLast(([t]) => t <= R.rows[S.k].t);
  clipped(p, (pen) => {
    if (edge !== null) {
      pen.setLineDash([6, 4]);
      line(pen, [[p.l, near(py(edge))], [p.r, near(py(edge))]], paint.rise, 1.5);
      pen.setLineDash([]);
      word(pen, p, [], `not stable above ${short(edge, 4)}`, [p.l, near(py(edge)) + 24], paint.rise);
    }
    line(pen, points.map(([t, v]) => [px(t), near(py(v))]), paint.curve, 2);
    pen.fillStyle = paint.ink;
    if (here) disc(pen, px(here[0]), near(py(here[1])), 4);
  });
  axes(p, xs, ys, ["step", "sharpness"]);
  $("sharp").setAttribute("aria-label", `sharpness, the largest curvature, against the step${edge === null ? "" : `; not stable above ${short(edge, 4)}`}`);
}

// The largest curvature at which the rule is stable at this learning rate, or null.
function edgeOfStability() {
  const lr = S.schedule ? rateAt(S, Math.max(1, R.rows[S.k].t)) : S.lr;
  if (!(lr > 0) || !linearizes(S, 1 / lr)) return null;
  const most = limit(S, [1, 1]);
  return most === null ? null : most / lr;
}

// The data of a fit, and the model's curve at the current step.
function drawData() {
  const { model } = D, shown = Boolean(model && D.table && R.rows.length);
  $("data").hidden = !shown;
  if (!shown) return;
  const p = sheet("data"), x = D.table[model.x], y = D.table[model.y], ends = [Math.min(...x), Math.max(...x)], pad = 0.04 * (ends[1] - ends[0] || 1), xs = [ends[0] - pad, ends[1] + pad];
  const grid = model.only ? Array.from({ length: 200 }, (_, k) => xs[0] + k / 199 * (xs[1] - xs[0])) : x, values = model.at(R.rows[S.k].x, grid);
  const px = scale(xs, p.l, p.r), ys = height(y), py = scale(ys, p.b, p.t);
  clipped(p, (pen) => {
    pen.fillStyle = paint.start;
    x.forEach((v, k) => disc(pen, px(v), near(py(y[k])), 3.2));
    if (model.only) line(pen, grid.map((v, k) => [px(v), near(py(values[k]))]), paint.rise, 2);
    pen.fillStyle = paint.rise;
    if (!model.only) x.forEach((v, k) => { if (finite(values[k])) pen.fillRect(px(v) - 2.5, near(py(values[k])) - 2.5, 5, 5); });
    const taken = [], middle = Math.floor(0.7 * (grid.length - 1));
    word(pen, p, taken, `model at step ${R.rows[S.k].t}`, [px(grid[middle]), near(py(values[middle]))], paint.rise);
    word(pen, p, taken, "data", [px(x[0]), near(py(y[0]))], paint.start);
  });
  axes(p, xs, ys, [pretty(model.x), pretty(model.y)]);
  $("data").setAttribute("aria-label", `${x.length} rows of data, and the model's ${model.only ? "curve" : "values"} at step ${R.rows[S.k].t}`);
}
