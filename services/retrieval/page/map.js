/** The map of codes: some of the items, each where its code lies, and on it what is searched by and what was answered. */

import { link } from "./address.js";
import { draw, RING, scaleOf } from "./drawing.js";
import { $, element, show } from "./elements.js";
import { on } from "./happenings.js";
import { apart, centreOf, dotsOf, placesOf, topOf } from "./mapping.js";
import { read } from "./service.js";
import { counted, labelled, number, percent } from "./words.js";

const NEAR = 14; // pixels from a dot, within which it is meant
const DARK = window.matchMedia("(prefers-color-scheme: dark)");

export const panel = { name: "map", title: "Map", start: open };

let told = null; // what GET /v1/map says, once the panel was opened
let answer = null; // the one that is shown
let groups = []; // top-level nodes as the legend has them: {top, count, middle}
let chosen = null; // the top-level node that stands out
const shown = { dots: [], marked: null, meant: null }; // see drawing.js

export function start() {
  on("answer", (found) => {
    answer = found;
    if (told) reflect();
  });
}

function open() {
  for (const name of ["served", "key"]) on(name, load);
  new ResizeObserver(paint).observe($("map-canvas"));
  DARK.addEventListener("change", reflect);
  for (const kind of ["pointermove", "click"]) $("map-canvas").addEventListener(kind, point);
  load();
}

async function load() {
  try {
    told = await read("/v1/map");
  } catch (problem) {
    told = null;
    $("map-error").textContent = problem.message;
  }
  show("map-error", !told);
  show("map-shown", Boolean(told));
  if (!told) return;
  shown.dots = dotsOf(told.sample);
  groups = [...new Set(told.sample.map(topOf))].sort().map(group);
  chosen = null;
  reflect();
}

function group(top) {
  const places = told.sample.filter((item) => topOf(item) === top).map(({ place }) => place);
  return { top, count: places.length, middle: centreOf(places) };
}

function reflect() {
  const isPlaced = answer?.generation === told.generation && answer.results.every((result) => result.differing_bits);
  shown.marked = isPlaced ? placesOf(answer, told.projection) : null;
  shown.meant = null;
  tip();
  legend();
  summary();
  table();
  paint();
}

// -- words ------------------------------------------------------------------------------------------

const nameOf = (top) => top || "no label";
const coordinates = ([x, y]) => `${x.toFixed(2)}, ${y.toFixed(2)}`;
const answersOf = (top) => (shown.marked ? answer.results.filter((item) => topOf(item) === top).length : 0);

function summary() {
  const [across, up] = told.projection.explained.map(percent);
  const isSample = told.sample.length < told.items;
  const items = isSample ? `${number(told.sample.length)} of ${counted(told.items, "item")}, as many of each top-level node` : counted(told.items, "item");
  $("map-about").textContent =
    `${items}. Across and up are the two directions in which codes differ most, ${across} and ${up} of all that ` +
    "they differ in: items with like codes lie close together.";
  $("map-answer").textContent = shown.marked ? answered() : "Search, and the query and its answers are marked here.";
  $("map-canvas").ariaLabel = `Map of codes. ${$("map-about").textContent} ${$("map-answer").textContent}`;
}

function answered() {
  const far = ({ middle }) => apart(middle, shown.marked.query);
  const nearest = groups.reduce((best, next) => (best && far(best) <= far(next) ? best : next), null);
  const where = nearest ? `The query, the diamond, lies nearest to the middle of ${nameOf(nearest.top)}. ` : "";
  const shares = groups.map(({ top }) => ({ top, count: answersOf(top) })).filter(({ count }) => count);
  const found = shares.sort((a, b) => b.count - a.count).map(({ top, count }) => `${number(count)} of ${nameOf(top)}`);
  return `${where}${counted(answer.results.length, "answer")}, the rings: ${found.join(", ") || "none"}.`;
}

function table() {
  const { marked } = shown;
  const rows = groups.map(({ top, count, middle }) =>
    line(nameOf(top), number(count), coordinates(middle), marked ? number(answersOf(top)) : ""),
  );
  $("map-rows").replaceChildren(...rows);
  show("map-marked", Boolean(marked));
  if (!marked) return;
  const answers = answer.results.map((item, i) => {
    const name = link({ item: item.id }, "", `${i + 1}. ${labelled(item)}, ${item.id}`);
    return line(name, number(item.distance), coordinates(marked.results[i]));
  });
  $("map-marks").replaceChildren(line("query", "", coordinates(marked.query)), ...answers);
}

function line(head, ...cells) {
  const first = element("th", "", head);
  first.scope = "row";
  return element("tr", "", first, ...cells.map((cell) => element("td", "", cell)));
}

/** What is pointed at. */
function tip() {
  if (!shown.meant) {
    $("map-tip").replaceChildren("Point at a dot, or tap it.");
    return;
  }
  const { items: [first, ...more], said } = shown.meant;
  const name = first.label_path.join(" › ") || "no label";
  const others = more.length ? `, and ${number(more.length)} more with this place` : "";
  $("map-tip").replaceChildren(`${said}${name}: `, link({ item: first.id }, "", first.id), others);
}

// -- the picture --------------------------------------------------------------------------------------

function colourOf(top) {
  const names = groups.map((one) => one.top).filter(Boolean);
  const hue = 25 + (360 * names.indexOf(top)) / names.length;
  const [light, chroma] = DARK.matches ? [0.76, 0.14] : [0.58, 0.16];
  return top ? `oklch(${light} ${chroma} ${hue})` : `oklch(${light} 0 0)`;
}

function legend() {
  $("map-legend").replaceChildren(...groups.map(({ top }) => element("li", "", key(top))));
}

function key(top) {
  const made = element("button", "key", element("span", "swatch"), nameOf(top));
  made.type = "button";
  made.style.setProperty("--colour", colourOf(top));
  made.ariaPressed = String(top === chosen);
  made.addEventListener("click", () => {
    chosen = top === chosen ? null : top;
    for (const [index, entry] of [...$("map-legend").children].entries())
      entry.firstChild.ariaPressed = String(groups[index].top === chosen);
    paint();
  });
  return made;
}

function paint() {
  const colours = new Map(groups.map(({ top }) => [top, colourOf(top)]));
  const strengthOf = (top) => (chosen === null ? 0.6 : top === chosen ? 0.95 : 0.08);
  draw($("map-canvas"), shown, (top) => colours.get(top), strengthOf);
}

function point(event) {
  const here = [event.offsetX, event.offsetY];
  const at = scaleOf($("map-canvas"), shown);
  const answers = (shown.marked?.results ?? []).map((place, i) => ({ place, items: [answer.results[i]], said: `Answer ${i + 1}, ` }));
  const dots = shown.dots.filter(({ top }) => chosen === null || top === chosen).map((dot) => ({ ...dot, said: "" }));
  const near = [...answers, ...dots]
    .map((one) => ({ one, far: apart(at(one.place), here) - (one.said ? RING : 0) })) // within a ring it is the answer
    .filter(({ far }) => far < NEAR);
  const nearest = near.reduce((best, next) => (best && best.far <= next.far ? best : next), null);
  if (!nearest && event.type === "pointermove") return; // what was pointed at stays, so that its link can be reached
  shown.meant = nearest?.one ?? null;
  tip();
  paint();
}
