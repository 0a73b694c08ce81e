// The random numbers of rules, by (seed, step, call, parameter) alone. Mirrors model.random_draws.
const WORD = 2 ** 26;

// The high and the low word of a whole number below 2**53.
function splitWord(x) {
  const high = Math.floor(x * (1 / WORD));
  return [high, x - high * WORD];
}

function randomWords(seed, t, call, index) {
  const [seedHigh, seedLow] = splitWord(seed), [tHigh, tLow] = splitWord(t);
  let key = seedLow, a = tLow, [, b] = splitWord(index);
  for (const [part, factor] of [[seedHigh, 40503], [tHigh, 25173], [call, 3373259]]) key += splitWord(part)[1] * factor;
  [, key] = splitWord(key);
  for (let k = 0; k < 8; k++) {
    const [, x] = splitWord(a + key), middle = Math.floor(x * x * 2 ** -13);
    [a, b] = [splitWord(b + middle)[1], a];
    [, key] = splitWord(key + 41474357);
  }
  return [a, b];
}

// sqrt(-2 log u) cos(2 pi v), log and cos by their series.
function normalOf(a, b) {
  let u = (a + 0.5) * (1 / WORD), halvings = 0;
  for (const k of [16, 8, 4, 2, 1]) if (u < 2 ** -k) { halvings += k; u *= 2 ** k; }
  const s = (1 - u) * (1 / (u + 1)), square = s * s;
  let series = 1 / 19, cosine = 1;
  for (let k = 17; k > 0; k -= 2) series = square * series + 1 / k;
  const log = s * series * 4 + halvings * (2 * Math.log(2)), negative = b < WORD / 2;
  const angle = ((negative ? b : b - WORD / 2) + 0.5) * (Math.PI / WORD), turned = angle * angle;
  for (let k = 16; k > 0; k -= 2) cosine = 1 - turned * (1 / (k * (k - 1))) * cosine;
  const size = Math.sqrt(log) * cosine;
  return negative ? -size : size;
}

// One number for each parameter.
const DRAWS = Object.fromEntries([["rademacher", (a) => (a < WORD / 2 ? -1 : 1)], ["normal", normalOf]].map(([name, of]) => (
  [name, ([seed, t, call], width) => Array.from({ length: width }, (_, index) => of(...randomWords(seed, t, call, index)))]
)));
