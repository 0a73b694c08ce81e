// Python's tables (T), unpacked.
const has = (table, key) => Object.prototype.hasOwnProperty.call(table, key);
const byNames = (lines) => Object.fromEntries(lines.split("\n").flatMap((line) => {
  const at = line.indexOf(": ");
  return line.slice(0, at).split(" ").map((name) => [name, line.slice(at + 2)]);
}));
for (const table of ["otherNames", "words"]) T[table] = byNames(T[table]);
const [[GREEK_SIGNS, GREEK_WORDS]] = Object.entries(T.greek);
T.greek = Object.fromEntries([...GREEK_SIGNS].map((letter, k) => [letter, GREEK_WORDS.split(" ")[k]]));
T.reserved = T.reserved.split(" ");
for (const rows of [T.functions, T.derivatives]) for (const [name, row] of Object.entries(rows)) Object.assign(row, { name, arity: row.arity || [1, 1] });

// How a function is called. Mirrors Function.signature.
function signature({ name, arity: [low, high], order }) {
  if (name === "where") return "where(condition, x, y)";
  const given = order ? ["n", "x"] : ["x", "y", "z"];
  if (high === null) return `${name}(${given.slice(0, Math.max(low, 2)).join(", ")}, ...)`;
  return `${name}(${given.slice(0, low).join(", ")}${given.slice(low, high).map((a) => `[, ${a}]`).join("")})`;
}
