// Unpacks the program of this page (base64 of DEFLATE, RFC 1951) and runs it; the button "source" at
// the end of the page shows it, as its authors wrote it.
"use strict";
function inflate(bytes, size) {
  const out = new Uint8Array(size), LENGTH = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
  const BACK = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
  let at = 0, end = 0;
  const bits = (count) => {
    let value = 0;
    for (let k = 0; k < count; k++, at++) value |= (bytes[at >> 3] >> (at & 7) & 1) << k;
    return value;
  };
  // Huffman's code by the lengths of its words: the count of each length, the symbols in order.
  const code = (lengths) => {
    const counts = Array(16).fill(0), symbols = [];
    for (const length of lengths) counts[length]++;
    for (let n = 1; n < 16; n++) lengths.forEach((length, symbol) => { if (length === n) symbols.push(symbol); });
    return [counts, symbols];
  };
  const read = ([counts, symbols]) => {
    let word = 0, first = 0, place = 0;
    for (let n = 1; n < 16; n++, at++) {
      word |= bytes[at >> 3] >> (at & 7) & 1;
      if (word - counts[n] < first) { at++; return symbols[place + word - first]; }
      place += counts[n];
      first = first + counts[n] << 1;
      word <<= 1;
    }
    throw new Error("this page is damaged");
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
    const [literals, backs] = table();
    for (let symbol = read(literals); symbol !== 256; symbol = read(literals)) {
      if (symbol < 256) { out[end++] = symbol; continue; }
      const k = symbol - 257, length = LENGTH[k] + bits(k < 8 || k === 28 ? 0 : (k >> 2) - 1), b = read(backs), from = end - BACK[b] - bits(b < 4 ? 0 : (b >> 1) - 1);
      for (let j = 0; j < length; j++) out[end++] = out[from + j];
    }
  }
  return new TextDecoder().decode(out);
}
{
  const packed = document.getElementById("packed"), bytes = Uint8Array.from(atob(packed.textContent), (c) => c.charCodeAt(0));
  const program = document.createElement("script");
  program.textContent = inflate(bytes, +packed.dataset.size);
  document.body.append(program);
}
