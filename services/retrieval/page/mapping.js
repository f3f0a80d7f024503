/** Where codes lie on the map. */

/** The bits of a code in hexadecimal, the most significant first. */
export function bitsOf(code, bits) {
  const bytes = code.match(/../g).map((digits) => parseInt(digits, 16));
  return Array.from({ length: bits }, (_, bit) => (bytes[bit >> 3] >> (7 - (bit & 7))) & 1);
}

/** The place of a code: the offset, and the weights of its set bits. */
export function placeOf(bits, { weights, offset }) {
  return bits.reduce(([x, y], bit, i) => (bit ? [x + weights[i][0], y + weights[i][1]] : [x, y]), offset);
}

/** The place of an answer's query, and those of its results, where it says in which bits they differ. */
export function placesOf(answer, projection) {
  const own = bitsOf(answer.code, answer.bits);
  const differing = (result) => own.map((bit, i) => (result.differing_bits.includes(i) ? 1 - bit : bit));
  return {
    query: placeOf(own, projection),
    results: answer.results.map((result) => placeOf(differing(result), projection)),
  };
}

export const topOf = ({ label_path }) => label_path[0] ?? "";

/** Items at one place, of one top-level node, are one dot: {place, top, items}. */
export function dotsOf(items) {
  const found = new Map();
  for (const item of items) {
    const key = JSON.stringify([item.place, topOf(item)]);
    if (!found.has(key)) found.set(key, { place: item.place, top: topOf(item), items: [] });
    found.get(key).items.push(item);
  }
  return [...found.values()];
}

/** From places to a canvas of so many pixels, one unit being as long on either axis. */
export function scaleTo(places, width, height, margin) {
  const [left, right] = extent(places.map(([x]) => x));
  const [low, high] = extent(places.map(([, y]) => y));
  const unit = Math.min((width - 2 * margin) / (right - left), (height - 2 * margin) / (high - low));
  return ([x, y]) => [width / 2 + unit * (x - (left + right) / 2), height / 2 - unit * (y - (low + high) / 2)];
}

function extent(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return high > low ? [low, high] : [low - 1, high + 1];
}

/** The mean place of some. */
export const centreOf = (places) => [0, 1].map((axis) => places.reduce((sum, place) => sum + place[axis], 0) / places.length);

export const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
