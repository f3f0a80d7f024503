/** Curves: each a figure with its numbers, drawn anew as often as there is more to tell. */

import { element } from "./elements.js";
import { HEIGHT, WIDTH, extent, nearest, pathOf, placing, read, topOf } from "./plotting.js";

const COLOURS = 6;
const GAP = 3; // readings that lack before a line is broken

const SPACE = document.querySelector("#curve").content.firstElementChild.namespaceURI; // that of SVG

const timeOf = (seconds) => new Date(1000 * seconds).toLocaleTimeString("en-GB");

/** A place for a curve. `point` is told the time that is pointed at, or null. */
export function figureOf({ name, title, meaning }, point) {
  const lines = element("ul", "lines");
  const lacking = element("p", "lacking");
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  const [top, begin, end] = ["", "", ""].map(() => element("span", "told"));
  const plot = element("div", "plot", element("p", "", top), picture, element("p", "", begin, end));
  const about = element("p", "", meaning);
  const figure = element("figure", "curve", element("figcaption", "", element("h3", "", title), about), lines, plot, lacking);
  figure.id = `curve-${name}`;
  let window = null;
  picture.addEventListener("pointermove", ({ clientX }) => {
    const { left, width } = picture.getBoundingClientRect();
    if (window && width) point(window.from + ((clientX - left) / width) * (window.to - window.from));
  });
  picture.addEventListener("pointerleave", () => point(null));

  /** Show a curve. `at`: the time whose values are told, or null for now. */
  function show(curve, shown, at) {
    window = shown;
    lines.replaceChildren(...curve.lines.map((line, i) => told(line, i, curve, at, shown)));
    lacking.textContent = curve.lacking && sentenceOf(curve.lacking);
    plot.hidden = !curve.lines.some(({ values }) => extent(values));
    if (plot.hidden) return;
    const highest = topOf(curve.lines.flatMap(({ values, reference }) => [...values, reference]), curve.unit);
    top.textContent = read(highest, curve.unit);
    begin.textContent = timeOf(shown.from);
    end.textContent = timeOf(shown.to);
    picture.setAttribute("aria-label", described(curve, shown));
    picture.replaceChildren(...drawn(curve, shown, highest, at));
  }

  return { figure, show };
}

const sentenceOf = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function told({ name, now, reference, values }, i, { unit, reference: usual }, at, { times }) {
  const value = at === null ? now : values[nearest(times, at)];
  const own = element("li", "", sample(colourOf(i)), element("span", "", name), element("b", "", read(value, unit)));
  if (reference !== null) own.append(sample(`usual ${colourOf(i)}`), element("span", "told", `${usual}: ${read(reference, unit)}`));
  return own;
}

/** What a line looks like. */
function sample(kind) {
  const picture = svg("svg", { viewBox: "0 0 24 10", class: "sample", "aria-hidden": "true" });
  picture.append(svg("path", { class: kind, d: "M1 5H23" }));
  return picture;
}

function drawn({ lines }, { times, from, to, gap, swaps }, top, at) {
  const place = placing({ from, to, top });
  const upright = (time, kind) => svg("line", { class: kind, x1: place.x(time), x2: place.x(time), y1: 0, y2: HEIGHT });
  return [
    ...swaps.map(({ when }) => upright(when, "swap")),
    ...lines.flatMap(({ reference }, i) => {
      if (reference === null) return [];
      const y = place.y(reference);
      return [svg("line", { class: `usual ${colourOf(i)}`, x1: 0, x2: WIDTH, y1: y, y2: y })];
    }),
    ...lines.map(({ values }, i) => svg("path", { class: colourOf(i), d: pathOf(times, values, place, GAP * gap) })),
    ...(at === null ? [] : [upright(times[nearest(times, at)], "cursor")]),
  ];
}

/** What is to be seen, in a sentence. */
function described({ title, unit, lines }, { from, to }) {
  const said = lines.map(({ name, values }) => {
    const found = extent(values);
    return found ? `${name} from ${read(found[0], unit)} to ${read(found[1], unit)}` : `${name} unknown`;
  });
  return `${title}, ${timeOf(from)} to ${timeOf(to)}: ${said.join("; ")}`;
}

const colourOf = (i) => `line-${i % COLOURS}${i >= COLOURS ? " dashed" : ""}`;

function svg(tag, attributes) {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
