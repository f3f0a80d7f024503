/** One item, in a dialog over the page: its original, what is known of it, and what is similar by its stored code. */

import { byItem, closeItem, lead, link, state } from "./address.js";
import { agreedLevels } from "./agreement.js";
import { card } from "./card.js";
import { crumbs } from "./crumbs.js";
import { $, element, show } from "./elements.js";
import { on, tell } from "./happenings.js";
import { address, read } from "./service.js";
import { draw } from "./thumbnails.js";
import { digits, labelled } from "./words.js";

const SIMILAR = 12;

let shown = "";
let running = null; // AbortController of what is asked of the item

export function start() {
  $("item-close").addEventListener("click", closeItem);
  $("item").addEventListener("cancel", (event) => {
    event.preventDefault();
    closeItem();
  });
  $("item").addEventListener("close", () => state().item && closeItem()); // a browser may insist on closing it
  $("item").addEventListener("click", (event) => event.target === $("item") && closeItem());
  on("state", reflect);
  for (const name of ["changed", "key"]) on(name, () => shown && open(shown));
}

function reflect({ state: { item } }) {
  if (item && item !== shown) open(item);
  if (item || !$("item").open) return;
  running.abort();
  shown = "";
  $("item").close(); // and the focus returns to where it was
}

function open(id) {
  running?.abort();
  running = new AbortController();
  shown = id;
  $("item-id").textContent = id;
  for (const part of ["item-picture", "item-about", "item-alike", "item-error"]) show(part, false);
  lead($("item-again"), byItem(id));
  if (!$("item").open) $("item").showModal();
  $("item").scrollTop = 0;
  $("item-id").focus();
  load(id, running.signal);
}

async function load(id, signal) {
  try {
    const answer = read(address("/v1/similar", { id, k: SIMILAR }), signal);
    answer.catch(() => {}); // told below, if the item itself is there
    const item = await read(address("/v1/item", { id }), signal);
    about(item);
    alike(comparedWith(item, await answer));
  } catch (problem) {
    if (problem.name === "AbortError") return;
    $("item-error").textContent = problem.message;
    show("item-error", true);
  }
}

function about(item) {
  const source = item.links.image ?? item.links.thumbnail;
  if (source) draw($("item-picture"), source).alt = labelled(item);
  show("item-picture", Boolean(source));
  $("item-paths").replaceChildren(...item.label_paths.map((names) => crumbs(names)));
  $("item-tags").replaceChildren(...item.tags.map((tag) => element("li", "", link({ tags: [tag], item: "" }, "tag", tag))));
  show("item-tags", item.tags.length > 0);
  $("item-facts").replaceChildren(...facts(item).map(([name, ...said]) => fact(name, said)));
  show("item-about", true);
  tell("item", item);
}

function facts(item) {
  const time = new Date(1000 * item.updated).toISOString();
  return [
    ...(item.label_paths.length ? [] : [["labels", "none"]]),
    ...(item.state === "searchable" ? [] : [["state", item.reason ? `${item.state}: ${item.reason}` : item.state]]),
    ["put by", item.origin === "api" ? "this service" : "a data set"],
    ["changed", `${time.slice(0, 10)} ${time.slice(11, 16)} UTC`],
    ...(item.code ? [["code", element("span", "code", digits(item.code))]] : []),
    ...Object.entries(item.metadata).map(([name, value]) => [name, String(value)]),
  ];
}

const fact = (name, said) => element("div", "", element("dt", "", name), element("dd", "", ...said));

/** An answer whose levels agree with an item, where that has a label, and not with most of the answers. */
function comparedWith(item, answer) {
  if (!item.label_path.length) return answer;
  const majority = item.label_path.map((name) => ({ name }));
  const levels = (names) => agreedLevels(names, majority);
  const results = answer.results.map((own) => ({ ...own, levels_agreed: Math.max(0, ...own.label_paths.map(levels)) }));
  return { ...answer, majority, results };
}

function alike(answer) {
  $("item-similar").replaceChildren(...answer.results.map((item) => card(item, answer)));
  show("item-alike", answer.results.length > 0);
}
