/** Curves as numbers and paths: where a value lies in a plot, and how it is read. */

export const WIDTH = 1000; // of a plot, in units of its own
export const HEIGHT = 100;

const SHORT = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const UNITS = {
  "": (value) => WHOLE.format(value),
  "per second": (value) => `${SHORT.format(value)}\u00a0/s`,
  ratio: (value) => `${SHORT.format(100 * value)}\u00a0%`,
  seconds: (value) => scaled(value, [[7200, 3600, "h"], [120, 60, "min"], [1, 1, "s"], [0, 0.001, "ms"]]),
  bytes: (value) => scaled(value, [[2 ** 30, 2 ** 30, "GiB"], [0, 2 ** 20, "MiB"]]),
};

function scaled(value, steps) {
  const [, one, unit] = steps.find(([from]) => value >= from) ?? steps.at(-1);
  return `${SHORT.format(value / one)}\u00a0${unit}`;
}

/** A value as it is read; null is a dash. */
export const read = (value, unit) => (value === null ? "–" : UNITS[unit](value));

/** The upper end of a plot that begins at 0: a round number that no value is above. */
export function topOf(values, unit) {
  const most = Math.max(...values.filter((value) => value !== null), 0);
  if (!most) return unit === "bytes" ? 2 ** 20 : 1;
  const one = unit === "bytes" ? 2 ** 20 : 1;
  const power = 10 ** Math.floor(Math.log10(most / one));
  const round = [1, 2, 5, 10].find((step) => step * power * one >= most * (1 - 1e-9)) * power * one;
  return unit === "ratio" ? Math.min(round, 1) : round;
}

/** Where times and values lie. A value above the top lies at the top. */
export const placing = ({ from, to, top }) => ({
  x: (time) => (WIDTH * (time - from)) / (to - from),
  y: (value) => HEIGHT * (1 - 0.96 * Math.min(value / top, 1)) - 2,
});

/** The path of a line, broken where nothing is known or no reading was made for longer than `gap` seconds. */
export function pathOf(times, values, { x, y }, gap) {
  let path = "";
  let last = -Infinity;
  for (const [i, value] of values.entries()) {
    if (value === null) {
      last = -Infinity;
      continue;
    }
    const place = `${x(times[i]).toFixed(1)} ${y(value).toFixed(2)}`;
    path += times[i] - last > gap ? `M${place}h0` : `L${place}`;
    last = times[i];
  }
  return path;
}

/** The reading that is nearest to a time. */
export const nearest = (times, time) =>
  times.reduce((best, own, i) => (Math.abs(own - time) < Math.abs(times[best] - time) ? i : best), 0);

/** The least and the most of what is known; null where nothing is. */
export function extent(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? [Math.min(...known), Math.max(...known)] : null;
}
