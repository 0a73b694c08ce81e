// Numbers and their texts.
const finite = Number.isFinite;

// A number as Python's format(x, ".6g") writes it.
function short(x, digits = 6) {
  if (!finite(x)) return String(x);
  const [m, e] = x.toExponential(digits - 1).split("e"), power = +e;
  const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (power < -4 || power >= digits) return `${trim(m)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  return trim(x.toFixed(Math.max(0, digits - 1 - power)));
}

// A number as Python's repr writes it: every digit, and ".0" behind whole ones.
function repr(x) {
  if (!finite(x)) return x !== x ? "nan" : x > 0 ? "inf" : "-inf";
  const [m, e] = x.toExponential().split("e"), power = +e;
  if (x !== 0 && (power < -4 || power >= 16)) return `${m}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  const plain = Object.is(x, -0) ? "-0" : String(x);
  return /[.e]/.test(plain) ? plain : plain + ".0";
}
