/** The page of the status: asked for every few seconds while somebody looks. */

import { figureOf } from "./curves.js";
import { $, element, show } from "./elements.js";
import { nearest, read as shown } from "./plotting.js";
import { address, read, useKey } from "./service.js";
import { number } from "./words.js";

const EVERY = 5000; // milliseconds
const VERDICTS = {
  well: ["All is well", "well"],
  warning: ["It serves, and not all is well", "odd"],
  critical: ["Something is wrong", "wrong"],
};

const FIGURES = new Map(); // of curves, by name

let told = null; // the last answer
let chosen = null; // the time whose values are shown; null for now
let pointed = null; // the time that is pointed at
let timer = 0;
let running = null; // AbortController of what is asked
let lacksKey = false;

function start() {
  for (const [name, event, hear] of [
    ["minutes", "change", load],
    ["at", "input", choose],
    ["pause", "click", pause],
    ["ask-key", "submit", giveKey],
  ])
    $(name).addEventListener(event, hear);
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : isPaused() || load()));
  load();
}

async function load() {
  rest();
  running = new AbortController();
  try {
    const minutes = Number($("minutes").value);
    told = { ...(await read(address("/v1/status", { minutes }), running.signal)), minutes };
    lacksKey = false;
    complain("");
    reflect();
  } catch (problem) {
    if (problem.name === "AbortError") return;
    complain(problem.message);
    lacksKey = problem.status === 401;
  }
  show("ask-key", lacksKey);
  if (lacksKey) $("key").focus();
  else if (!isPaused() && !document.hidden) timer = setTimeout(load, EVERY);
}

/** Ask for nothing, until somebody looks again. */
function rest() {
  clearTimeout(timer);
  running?.abort();
}

const isPaused = () => $("pause").ariaPressed === "true";

function complain(text) {
  $("error").textContent = text && told ? `${text} What follows is of ${clock(told.now)}.` : text;
  show("error", Boolean(text));
  show("verdict", !text);
  $("shown").classList.toggle("old", Boolean(text));
}

function reflect() {
  show("shown", true);
  judge();
  $("unjudged").textContent = told.unjudged;
  $("figures").replaceChildren(...figures(told.served).map(([name, ...content]) => element("div", "", element("dt", "", name), element("dd", "", ...content))));
  $("as-of").textContent = `As of ${clock(told.now)}`;
  $("swaps").replaceChildren(...told.swaps.map(({ when, generation, before }) => element("li", "", `${clock(1000 * when)} generation ${generation} ${before ? `took the place of ${before}` : "was loaded"}`)));
  show("swaps", told.swaps.length > 0);
  $("at").max = Math.max(told.times.length - 1, 0);
  draw();
}

/** What a screen reader tells by itself is written only where it is another. */
function judge() {
  const [title, kind] = VERDICTS[told.verdict];
  const lacking = told.curves.filter((curve) => curve.part === "retrieval" && curve.lacking).map((curve) => curve.title);
  const said = JSON.stringify([title, told.findings, lacking]);
  if ($("verdict").dataset.said === said) return;
  $("verdict").dataset.said = said;
  $("verdict").className = `notice ${kind}`;
  $("verdict-title").textContent = title;
  $("findings").replaceChildren(...told.findings.map(({ severity, sentence }) => element("li", "", element("b", "", `${severity}: `), sentence)));
  $("lacking").textContent = lacking.length ? `Not known now: ${lacking.join(", ")}.` : "";
}

function figures({ collection, status, generation, published, pinned, codes, lag_seconds: lag, age_seconds: age, store_reachable: reachable }) {
  return [
    ["state", status],
    ["collection", collection],
    ["generation", generation ? lineage(generation) : "none yet", ...(pinned ? [" (pinned)"] : [])],
    ["published", published === null ? "none known" : published === generation ? "the same" : lineage(published)],
    ["codes", codes === null ? "–" : number(codes)],
    ["lag of writes", shown(lag, "seconds")],
    ["age of the codes", shown(age, "seconds")],
    ["code store", reachable ? "answers" : "does not answer"],
  ];
}

function lineage(id) {
  const anchor = element("a", "code", id);
  anchor.href = address("/", { panel: "generations", lineage: id });
  return anchor;
}

function draw() {
  const at = pointed ?? chosen;
  const { times, swaps, minutes, every_seconds: every } = told;
  const to = times.at(-1) ?? Date.now() / 1000;
  const from = to - 60 * minutes;
  const gap = Math.max(every, (60 * minutes) / 180);
  const window = { times, swaps, from, to, gap };
  for (const curve of told.curves) {
    if (!FIGURES.has(curve.name)) {
      FIGURES.set(curve.name, figureOf(curve, point));
      $(curve.part).append(FIGURES.get(curve.name).figure);
    }
    FIGURES.get(curve.name).show(curve, window, times.length ? at : null);
  }
  const index = at === null || !times.length ? times.length - 1 : nearest(times, at);
  if (pointed === null) $("at").value = Math.max(index, 0);
  const text = at === null || !times.length ? "now" : clock(1000 * times[index]);
  $("at-told").textContent = text;
  $("at").ariaValueText = text;
}

function point(time) {
  pointed = told.times.length ? time : null;
  draw();
}

function choose() {
  const index = Number($("at").value);
  chosen = index >= told.times.length - 1 ? null : told.times[index];
  draw();
}

function pause() {
  $("pause").ariaPressed = String(!isPaused());
  $("pause").textContent = isPaused() ? "Go on" : "Pause";
  if (isPaused()) rest();
  else load();
}

function giveKey(event) {
  event.preventDefault();
  useKey($("key").value);
  load();
}

/** A time of day, of an ISO text or of milliseconds since 1970. */
const clock = (time) => new Date(time).toLocaleTimeString("en-GB");

start();
