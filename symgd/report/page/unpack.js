// Unpacks the program of this page (base64 of DEFLATE, RFC 1951) and runs it; the button "source" at
// the end of the page shows it, as its authors wrote it.
"use strict";
function inflate(bytes, size) {
  const out = new Uint8Array(size), LENGTH = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
  const BACK = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
  let at = 0, end = 0, held = 0, have = 0; // `held` holds the next `have` bits
  const fill = () => { for (; have < 16; have += 8) held |= bytes[at++] << have; };
  const bits = (count) => {
    fill();
    const value = held & (1 << count) - 1;
    held >>>= count;
    have -= count;
    return value;
  };
  // Huffman's code by the lengths of its words: a table from the next bits to 16*symbol + length.
  const code = (lengths) => {
    const most = Math.max(1, ...lengths), found = new Uint16Array(1 << most);
    let word = 0;
    for (let n = 1; n <= most; n++, word <<= 1) lengths.forEach((length, symbol) => {
      if (length !== n) return;
      let place = 0;
      for (let k = 0; k < n; k++) place |= (word >> k & 1) << n - 1 - k;
      for (; place < found.length; place += 1 << n) found[place] = symbol << 4 | n;
      word++;
    });
    return found;
  };
  const read = (found) => {
    fill();
    const entry = found[held & found.length - 1];
    held >>>= entry & 15;
    have -= entry & 15;
    return entry >> 4;
  };
  const table = () => {
    const [literals, backs, given] = [bits(5) + 257, bits(5) + 1, bits(4) + 4], short = Array(19).fill(0), lengths = [];
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].slice(0, given).forEach((k) => { short[k] = bits(3); });
    const words = code(short);
    while (lengths.length < literals + backs) {
      const symbol = read(words);
      if (symbol < 16) lengths.push(symbol);
      else lengths.push(...Array(symbol === 16 ? 3 + bits(2) : symbol === 17 ? 3 + bits(3) : 11 + bits(7)).fill(symbol === 16 ? lengths.at(-1) : 0));
    }
    return [code(lengths.slice(0, literals)), code(lengths.slice(literals))];
  };
  for (let last = 0; !last;) {
    last = bits(1);
    if (bits(2) !== 2) throw new Error("this page is damaged"); // symgd packs with dynamic codes only
    const [literals, backs] = table(), most = literals.length - 1, far = backs.length - 1;
    let [h, n, i, e] = [held, have, at, end]; // as locals they are fast
    for (;;) {
      for (; n < 16; n += 8) h |= bytes[i++] << n;
      const entry = literals[h & most], symbol = entry >> 4;
      h >>>= entry & 15;
      n -= entry & 15;
      if (symbol < 256) { out[e++] = symbol; continue; }
      if (symbol === 256) break;
      for (; n < 16; n += 8) h |= bytes[i++] << n;
      const k = symbol - 257, more = k < 8 || k === 28 ? 0 : (k >> 2) - 1, length = LENGTH[k] + (h & (1 << more) - 1);
      h >>>= more;
      n -= more;
      for (; n < 16; n += 8) h |= bytes[i++] << n;
      const back = backs[h & far], b = back >> 4, wide = b < 4 ? 0 : (b >> 1) - 1;
      h >>>= back & 15;
      n -= back & 15;
      for (; n < 16; n += 8) h |= bytes[i++] << n;
      let from = e - BACK[b] - (h & (1 << wide) - 1);
      h >>>= wide;
      n -= wide;
      for (const stop = e + length; e < stop;) out[e++] = out[from++];
    }
    [held, have, at, end] = [h, n, i, e];
  }
  return new TextDecoder().decode(out);
}
{
  const packed = document.getElementById("packed"), text = atob(packed.textContent), bytes = new Uint8Array(text.length + 8);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  const program = document.createElement("script");
  program.textContent = inflate(bytes, +packed.dataset.size);
  document.body.append(program);
}
