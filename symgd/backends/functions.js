// The functions of the table in JavaScript, to the last digit as far as that is possible. Math's own are
// those of the C library that Python calls, where the browser calls it, too; what Math has not, or has
// worse (pow, hypot), is computed with twice the digits (pairs [high, low]) and rounded once. Each
// function stands alone; a page takes those that its formulas need, and what these need. Functions that
// have a formula in the table are made from it and do not stand here.
// T. J. Dekker, 1971, A floating-point technique for extending the available precision.
function two(a, b) {
  const s = a + b, v = s - a;
  return [s, (a - (s - v)) + (b - v)];
}
function quick(a, b) {
  const s = a + b;
  return [s, b - (s - a)];
}
function times(a, b) {
  const p = a * b, c = 134217729 * a, d = 134217729 * b;
  const x = c - (c - a), y = a - x, u = d - (d - b), v = b - u;
  return [p, ((x * u - p) + x * v + y * u) + y * v];
}
function dadd(a, b) {
  const [s, e] = two(a[0], b[0]), [t, f] = two(a[1], b[1]), r = quick(s, e + t);
  return quick(r[0], r[1] + f);
}
function dmul(a, b) {
  const [p, e] = times(a[0], b[0]);
  return quick(p, e + (a[0] * b[1] + a[1] * b[0]));
}
function ddiv(a, b) {
  const q = a[0] / b[0], r = dadd(a, dmul([-q, 0], b)), s = r[0] / b[0];
  return dadd([q, s], [dadd(r, dmul([-s, 0], b))[0] / b[0], 0]);
}
const LN2 = [0.6931471805599453, 2.3190468138462996e-17];
const LN10 = [2.302585092994046, -2.1707562233822494e-16];
// exp(x) - 1 for |x| <= 0.35: the series for x/256, then doubled eight times.
function dsmall(x) {
  const r = [x[0] / 256, x[1] / 256];
  let sum = [0, 0];
  for (let n = 11; n > 0; n--) {
    const inner = dadd([1, 0], sum);
    sum = ddiv(dmul(r, inner), [n, 0]);
  }
  for (let k = 0; k < 8; k++) sum = dmul(sum, dadd([2, 0], sum));
  return sum;
}
// exp(x) as [pair, power of two].
function dexp(x) {
  const k = Math.round(x[0] / LN2[0]);
  return [dadd([1, 0], dsmall(dadd(x, dmul([-k, 0], LN2)))), k];
}
function scaled(x, k) {
  const half = k >> 1;
  return x * 2 ** half * 2 ** (k - half);
}
function dlog(x) {
  let k = 0, m = x;
  if (m[0] < 1e-300) { m = [m[0] * 2 ** 60, m[1] * 2 ** 60]; k = -60; }
  const j = Math.round(Math.log2(m[0]));
  m = [scaled(m[0], -j), scaled(m[1], -j)];
  k += j;
  const y = Math.log(m[0]), less = dsmall([-y, 0]);
  const rest = dadd(dmul(m, less), dadd(m, [-1, 0]));
  return dadd(dmul([k, 0], LN2), dadd([y, 0], rest));
}
function exp(x) {
  return Math.exp(x);
}
function expm1(x) {
  return Math.expm1(x);
}
function log(x) {
  return Math.log(x);
}
function log1p(x) {
  return Math.log1p(x);
}
function log10(x) {
  return Math.log10(x);
}
function log2(x) {
  return Math.log2(x);
}
function square(x) {
  return x * x;
}
function whole_power(a, n) {
  if (n === 1) return a;
  const half = whole_power(a, Math.floor(n / 2));
  return n % 2 ? half * half * a : half * half;
}
function power(a, b) {
  if (b === 2) return a * a;
  if (a === 1 || (a === -1 && Math.abs(b) === Infinity)) return 1;
  const size = Math.abs(a), rough = Math.pow(a, b);
  if (rough !== rough || !(size > 0 && size < Infinity && Math.abs(b) < Infinity) || b === 0) return rough;
  const x = dmul(dlog([size, 0]), [b, 0]);
  if (!(Math.abs(x[0]) < 746)) return rough;
  const [e, k] = dexp(x), value = scaled(e[0], k);
  return rough < 0 || (rough === 0 && 1 / rough < 0) ? -value : value;
}
function sqrt(x) {
  return Math.sqrt(x);
}
function cbrt(x) {
  const root = Math.cbrt(x), cube = root * root * root;
  return Math.abs(cube) > 1e-100 && Math.abs(cube) < 1e300 ? root - (cube - x) / (3 * root * root) : root;
}
function abs(x) {
  return Math.abs(x);
}
function floor(x) {
  return Math.floor(x);
}
function ceil(x) {
  return Math.ceil(x);
}
function sin(x) {
  return Math.sin(x);
}
function cos(x) {
  return Math.cos(x);
}
function tan(x) {
  return Math.tan(x);
}
function asin(x) {
  return Math.asin(x);
}
function acos(x) {
  return Math.acos(x);
}
function atan(x) {
  return Math.atan(x);
}
function signed(size, x) {
  return x < 0 || (x === 0 && 1 / x < 0) ? -size : size;
}
function atan2(y, x) {
  return Math.atan2(y, x);
}
function sinh(x) {
  return Math.sinh(x);
}
function cosh(x) {
  return Math.cosh(x);
}
function tanh(x) {
  return Math.tanh(x);
}
function asinh(x) {
  return Math.asinh(x);
}
function acosh(x) {
  return Math.acosh(x);
}
function atanh(x) {
  return Math.atanh(x);
}
function fmod(x, y) {
  return x % y;
}
function hypot(...args) {
  let top = 0;
  for (const x of args) top = Math.max(top, Math.abs(x));
  if (!(top > 0 && top < Infinity)) return args.some((x) => Math.abs(x) === Infinity) ? Infinity : top;
  const unit = 2 ** Math.max(-1000, Math.min(1000, Math.floor(Math.log2(top))));
  let sum = [0, 0];
  for (const x of args) sum = dadd(sum, times(x / unit, x / unit));
  const root = Math.sqrt(sum[0]), rest = dadd(sum, times(-root, root));
  return (root + rest[0] / (2 * root)) * unit;
}
function max(...args) {
  return args.reduce((best, x) => (x !== x || x > best ? x : best));
}
function min(...args) {
  return args.reduce((best, x) => (x !== x || x < best ? x : best));
}
function logsumexp(...args) {
  const top = max(...args), at = args.indexOf(top);
  if (!(Math.abs(top) < Infinity)) return top;
  let rest = [0, 0];
  args.forEach((x, k) => { if (k !== at) rest = dadd(rest, [exp(x - top), 0]); });
  return top + log1p(rest[0]);
}
// x - y and its rounding error.
function gap(x, y) {
  const d = x - y, back = d + y;
  return Math.abs(d) < Infinity ? [d, (x - back) - (y - (back - d))] : [d, 0];
}
function softmax2(x, y) {
  const [d, error] = gap(x, y);
  if (!(d <= 0)) return 1 / (1 + exp(-d));
  const e = exp(d) * (1 + error);
  return e / (1 + e);
}
function softmax_term(x, top, total) {
  const [d, error] = gap(x, top);
  return exp(d) * (1 + error) / total;
}
function largest(...args) {
  return max(...args);
}
function shares(args, top) {
  return args.reduce((sum, x) => dadd(sum, [softmax_term(x, top, 1), 0]), [0, 0])[0];
}
function exp_sum(...args) {
  return shares(args, max(...args));
}
function softmax(...args) {
  return softmax_term(args[0], max(...args), exp_sum(...args));
}
function softmax_complement(...args) {
  return shares(args.slice(1), max(...args)) / exp_sum(...args);
}
// exp(-x*x) as [pair, power of two]
function dgauss(x) {
  const s = times(x, x);
  return dexp([-s[0], -s[1]]);
}
const ROOT_PI = [1.772453850905516, -7.666586499825799e-17];
// erf as a pair for |x| < 3: Abramowitz & Stegun 7.1.6, whose terms have one sign.
function derf(x) {
  const s = times(2 * x, x);
  let term = [x, 0], sum = term;
  for (let n = 1; n < 90; n++) {
    term = ddiv(dmul(term, s), [2 * n + 1, 0]);
    sum = dadd(sum, term);
  }
  const [e, k] = dgauss(x), p = 2 ** (k + 1);
  return ddiv(dmul(sum, [e[0] * p, e[1] * p]), ROOT_PI);
}
// erfc for x >= 3: the continued fraction 7.1.14, from the far end.
function efar(x) {
  let below = [x, 0];
  for (let n = 160; n > 0; n--) below = dadd([x, 0], ddiv([n / 2, 0], below));
  const [e, k] = dgauss(x);
  return scaled(ddiv(ddiv(e, ROOT_PI), below)[0], k);
}
function erf(x) {
  if (x !== x || Math.abs(x) > 6) return x !== x ? x : signed(1, x);
  return Math.abs(x) < 3 ? derf(x)[0] : signed(1 - efar(Math.abs(x)), x);
}
function erfc(x) {
  if (x !== x || x > 28) return x !== x ? x : 0;
  if (x < -6) return 2;
  if (x >= 3) return efar(x);
  if (x <= -3) return 2 - efar(-x);
  const e = derf(x);
  return dadd([1, 0], [-e[0], -e[1]])[0];
}
// Gamma and its logarithm as Python's own math module has them: the same Lanczos sum, the same digits.
const LANCZOS = [
  [23531376880.41076, 0], [42919803642.6491, 39916800], [35711959237.35567, 120543840],
  [17921034426.03721, 150917976], [6039542586.352028, 105258076], [1439720407.3117216, 45995730],
  [248874557.86205417, 13339535], [31426415.585400194, 2637558], [2876370.6289353725, 357423],
  [186056.26539522348, 32670], [8071.672002365816, 1925], [210.82427775157936, 66],
  [2.5066282746310002, 1],
];
const LANCZOS_G = 6.02468004077673;
function lanczos(x) {
  let top = 0, bottom = 0;
  for (let k = 0; k < 13; k++) {
    const [a, b] = LANCZOS[x < 5 ? 12 - k : k];
    top = x < 5 ? top * x + a : top / x + a;
    bottom = x < 5 ? bottom * x + b : bottom / x + b;
  }
  return top / bottom;
}
function sinpi(x) {
  const y = Math.abs(x) % 2, n = Math.round(2 * y);
  const value = [
    () => Math.sin(Math.PI * y), () => Math.cos(Math.PI * (y - 0.5)), () => Math.sin(Math.PI * (1 - y)),
    () => -Math.cos(Math.PI * (y - 1.5)), () => Math.sin(Math.PI * (y - 2)),
  ][n]();
  return x < 0 ? -value : value;
}
function gamma(x) {
  if (!(Math.abs(x) < Infinity)) return x > 0 ? x : NaN;
  if (x === 0) return 1 / x;
  if (x === Math.floor(x)) {
    if (x < 0) return NaN;
    if (x <= 23) {
      let product = 1;
      for (let k = 2; k < x; k++) product *= k;
      return product;
    }
  }
  const a = Math.abs(x), half = LANCZOS_G - 0.5;
  if (a < 1e-20) return 1 / x;
  if (a > 200) return x < 0 ? 0 / sinpi(x) : Infinity;
  const y = a + half, z = (a > half ? (y - a) - half : (y - half) - a) * LANCZOS_G / y;
  let r = x < 0 ? -Math.PI / sinpi(a) / a * exp(y) / lanczos(a) : lanczos(a) / exp(y);
  r += x < 0 ? -z * r : z * r;
  const p = a < 140 ? power(y, a - 0.5) : power(y, a / 2 - 0.25), q = a < 140 ? 1 : p;
  return x < 0 ? r / p / q : r * p * q;
}
function loggamma(x) {
  if (!(Math.abs(x) < Infinity)) return x !== x ? x : Infinity;
  if (x === Math.floor(x) && x <= 2) return x <= 0 ? Infinity : 0;
  const a = Math.abs(x);
  if (a < 1e-20) return -log(a);
  let r = log(lanczos(a)) - LANCZOS_G;
  r += (a - 0.5) * (log(a + LANCZOS_G - 0.5) - 1);
  if (x < 0) r = 1.1447298858494002 - log(Math.abs(sinpi(a))) - log(a) - r;
  return r;
}
// Recurrence to 20 and the asymptotic series (Abramowitz & Stegun 6.3.5, 6.3.18) as symgd.special has
// them; near the zero at 1.4616, where that cancels, in pairs.
const STIRLING = [[1, 12], [-1, 120], [1, 252], [-1, 240], [1, 132], [-691, 32760], [1, 12], [-3617, 8160]];
const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510];
function digamma(x) {
  if (x !== x || x === Infinity) return x;
  if (x <= 0 && x === Math.floor(x)) return NaN;
  if (x <= -2000) return digamma(1 - x) - Math.PI / Math.tan(Math.PI * (x % 1)); // 6.3.7; else from there up, in pairs
  if (x <= 0) return ddigamma(x);
  let low = 0, high = x, tail = 0, p = 1;
  for (; high < 20; high += 1) low += 1 / high;
  BERNOULLI.forEach((b, k) => { p *= high * high; tail += b / (2 * (k + 1) * p); });
  const value = log(high) - 0.5 / high - tail - low;
  return Math.abs(value) > 0.1 ? value : ddigamma(x);
}
function ddigamma(x) {
  let low = [0, 0], high = [x, 0], tail = [0, 0], p = [1, 0];
  for (; high[0] < 20; high = dadd(high, [1, 0])) low = dadd(low, ddiv([1, 0], high));
  const squared = dmul(high, high);
  for (const [a, b] of STIRLING) {
    p = dmul(p, squared);
    tail = dadd(tail, ddiv([a, 0], dmul([b, 0], p)));
  }
  const rest = dadd(dadd(ddiv([0.5, 0], high), tail), low);
  return dadd(dlog(high), [-rest[0], -rest[1]])[0];
}
