/**
 * The state of the page, which is its address: what is searched by, how, and what is open. Back, Forward and a link that
 * somebody was sent lead to the same place.
 */

import { element } from "./elements.js";
import { tell } from "./happenings.js";

/**
 * id, or code and generation: what is searched by. picture: the key of a picture of the visitor's, which no address can
 * hold; its code stands in for it where it is gone.
 */
const NOTHING = { id: "", code: "", generation: "", picture: "" };
export const MANY = "12"; // answers, where nobody says how many

const DEFAULTS = { ...NOTHING, k: MANY, within: [], tags: [], group_by: "", item: "", panel: "", lineage: "" };
const LISTS = ["within", "tags"];

const CHANGES = new WeakMap(); // what links change
let current = DEFAULTS;

export const state = () => current;

/** Changes that search by an item. */
export const byItem = (id) => ({ ...NOTHING, id, item: "" });

/** Changes that search by a picture of the visitor's. */
export const byPicture = (picture) => ({ ...NOTHING, picture, item: "" });

/** Changes that leave nothing of a state. */
export const afresh = () => DEFAULTS;

/** The state that an address has. */
export function stateOf(search, picture = "") {
  const given = new URLSearchParams(search);
  const read = (name, other) => (LISTS.includes(name) ? given.getAll(name) : given.get(name) || other);
  const found = Object.fromEntries(Object.entries(DEFAULTS).map(([name, other]) => [name, read(name, other)]));
  return { ...found, picture: found.picture && (picture || "gone") };
}

/** The address of a state. */
export function addressOf(wanted) {
  const given = new URLSearchParams();
  for (const [name, other] of Object.entries(DEFAULTS)) {
    const value = name === "picture" && wanted.picture ? "1" : wanted[name];
    for (const one of [value].flat()) if (one !== other) given.append(name, one);
  }
  const text = given.toString();
  return text ? `/?${text}` : "/";
}

/** Go to the state with some changes. `replace`: in the place of this one, so that Back passes it over. */
export function go(changes, { replace = false } = {}) {
  const wanted = { ...current, ...changes };
  const depth = wanted.item ? (history.state?.depth ?? 0) + (replace ? 0 : 1) : 0; // of items opened one from another
  if (!replace && addressOf(wanted) === addressOf(current) && wanted.picture === current.picture) return;
  history[replace ? "replaceState" : "pushState"]({ picture: wanted.picture, depth }, "", addressOf(wanted));
  become(wanted, false);
}

/** Close the item that is open: back to where the first was opened, and where there is no such place, here. */
export function closeItem() {
  const depth = history.state?.depth ?? 0;
  if (depth) history.go(-depth);
  else go({ item: "" }, { replace: true });
}

/** Make an anchor lead to the state with some changes, without loading the page again. */
export function lead(anchor, changes) {
  CHANGES.set(anchor, changes);
  anchor.href = addressOf({ ...current, ...changes });
  return anchor;
}

export const link = (changes, className, ...content) => lead(element("a", className, ...content), changes);

export function start() {
  document.addEventListener("click", follow);
  for (const kind of ["pointerdown", "focusin"]) document.addEventListener(kind, renew);
  window.addEventListener("popstate", arrive);
  current = stateOf(location.search, history.state?.picture);
  history.replaceState({ picture: current.picture, depth: history.state?.depth ?? 0 }, "");
  tell("state", { state: current, former: DEFAULTS, back: true });
}

function become(wanted, back) {
  const former = current;
  current = wanted;
  tell("state", { state: current, former, back });
}

function arrive() {
  // To a place on this page, such as #content: no other state, but the browser has kept nothing of this one.
  if (!history.state && location.search === new URL(addressOf(current), location).search) {
    history.replaceState({ picture: current.picture, depth: 0 }, "");
    return;
  }
  become(stateOf(location.search, history.state?.picture), true);
}

function leading(event) {
  const anchor = event.target.closest?.("a");
  return CHANGES.has(anchor) ? anchor : null;
}

function follow(event) {
  const anchor = leading(event);
  const elsewhere = event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  if (!anchor || elsewhere) return;
  event.preventDefault();
  go(CHANGES.get(anchor));
}

/** A link is made once and followed later: what it does not change is as it is now. */
function renew(event) {
  const anchor = leading(event);
  if (anchor) lead(anchor, CHANGES.get(anchor));
}
