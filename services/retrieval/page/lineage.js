/** Where a generation comes from: what made it, of what, and who published it; then of the one that it replaced, back to the first. */

import { link, state } from "./address.js";
import { $, element, show } from "./elements.js";
import { on } from "./happenings.js";
import { address, read } from "./service.js";
import { number } from "./words.js";

const AT_ONCE = 5; // generations that are told before somebody asks for more

let shown = "";
let running = null; // AbortController of what is asked

export function start() {
  on("state", reflect);
  on("key", () => shown && open(shown));
  $("lineage-more").addEventListener("click", more);
  reflect();
}

/** A link to a generation's lineage in the panel of generations. */
export const toLineage = (id, ...content) => link({ panel: "generations", lineage: id }, "code", ...content);

function reflect() {
  const wanted = state().panel === "generations" ? state().lineage : "";
  if (wanted && wanted !== shown) open(wanted);
  if (wanted) return;
  running?.abort();
  shown = "";
  show("lineage", false);
}

async function open(id) {
  shown = id;
  $("lineage-chain").replaceChildren();
  $("lineage-id").textContent = id;
  show("lineage", true);
  show("lineage-error", false);
  show("lineage-more", false);
  if (await load(id)) $("lineage-title").focus();
}

/** Show a generation and those before it, after what is shown; whether they are. */
async function load(id) {
  running?.abort();
  running = new AbortController();
  $("lineage-more").disabled = true;
  try {
    const { lineage } = await read(address(`/v1/lineage/${encodeURIComponent(id)}`, { most: AT_ONCE }), running.signal);
    $("lineage-chain").append(...lineage.map(entry));
    const before = lineage.at(-1).replaced;
    $("lineage-more").dataset.before = before ?? "";
    show("lineage-more", lineage.length === AT_ONCE && Boolean(before));
    show("lineage-error", false);
    return true;
  } catch (problem) {
    if (problem.name === "AbortError") return false;
    $("lineage-error").textContent = problem.message;
    show("lineage-error", true);
    return false;
  } finally {
    $("lineage-more").disabled = false;
  }
}

const more = () => load($("lineage-more").dataset.before);

function entry(told) {
  const said = facts(told).filter(([, ...content]) => content.some(Boolean));
  const list = element("dl", "facts", ...said.map(([name, ...content]) => element("div", "", element("dt", "", name), element("dd", "", ...content))));
  const head = element("h4", "", toLineage(told.generation, told.generation), " ", element("span", "tag", told.state));
  return element("li", "", head, list, ...configuration(told.run));
}

function facts({ run, hasher, code, data, evaluation, judgement, published, replaced, replaced_by: by, removed }) {
  return [
    ["run", run ? `${run.name} (${run.pipeline}), begun ${time(run.begun)}` : "made by hand, no run"],
    ["hasher", hasher && `${hasher.objective}, ${hasher.network}, ${hasher.bits} bits`],
    ...Object.entries(code ?? {}).map(([name, text]) => [name.replaceAll("_", " "), text]),
    ["image", run?.image],
    ["data", data?.md5],
    ["data before", data?.before && `${data.before === data.md5 ? "the same" : data.before}; since then ${changes(data.changes)}`],
    ["data cost", data?.cost && costs(data.cost)],
    ["evaluation", evaluation && Object.keys(evaluation.metrics).length > 0 && metrics(evaluation)],
    ["judgement", judgement && `${judgement.verdict}, against the ${judgement.against}: ${judgement.reason}`],
    ["report", run?.report && place(run.report)],
    ["comparison", run?.comparison && place(run.comparison)],
    ["files", run?.place],
    ...(published.length ? published.map((one) => [one.operation === "publish" ? "published" : "rolled back to", move(one)]) : [["published", "never"]]),
    ["replaced", replaced ? toLineage(replaced, replaced) : "nothing"],
    ["replaced by", ...(by ? [toLineage(by.generation, by.generation), `, ${move(by)}`] : [""])],
    ["removed", removed && move(removed)],
  ];
}

function configuration(run) {
  if (!run?.configuration) return [];
  const text = element("pre", "configuration", JSON.stringify(run.configuration, null, 1));
  text.tabIndex = 0; // it scrolls
  return [element("details", "", element("summary", "", "Configuration"), text)];
}

/** An address, which leads there where a browser can. */
function place(address) {
  if (!/^https?:/.test(address)) return address;
  const anchor = element("a", "", address);
  anchor.href = address;
  return anchor;
}

const changes = (told) =>
  Object.entries(told)
    .filter(([, count]) => count)
    .map(([what, count]) => `${number(count)} ${what}`)
    .join(", ") || "no item changed";

const costs = ({ new_bytes, bytes, new_files, files }) =>
  `${number(new_bytes)} of ${number(bytes)} bytes to store and to move, ${number(new_files)} of ${number(files)} files`;

const metrics = ({ protocol, metrics: found }) =>
  Object.entries(found)
    .map(([name, value]) => `${name} ${value.toFixed(4)}`)
    .join(", ") + (protocol ? ` (${protocol})` : "");

const move = ({ when, who, why }) => `${time(when)} by ${who || "nobody named"}${why ? `: ${why}` : ""}`;

const time = (text) => (text ? `${text.slice(0, 10)} ${text.slice(11, 16)} UTC` : "at an unknown time");
