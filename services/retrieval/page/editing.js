/** In the item view, for those who may: its labels and tags are changed, or it is deleted. */

import { closeItem } from "./address.js";
import { element } from "./elements.js";
import { on } from "./happenings.js";
import { labelField, tagsOf } from "./labels.js";
import { mayWrite } from "./rights.js";
import { address, ask, send } from "./service.js";
import { changed, wrote } from "./writes.js";

let shown = null; // the item that is shown
let saved = ""; // id of the item whose changes were just saved
let isGone = false; // the item that is being closed was deleted

const place = () => document.querySelector('[data-slot="item"]');

export function start() {
  on("item", (item) => {
    shown = item;
    offer();
  });
  on("rights", () => shown && offer());
  on("state", ({ state }) => {
    if (state.item) return;
    shown = null;
    if (isGone) changed();
    isGone = false;
  });
}

function offer(focus = "") {
  place().replaceChildren();
  if (!mayWrite()) return;
  const buttons = { edit: button("Edit", "choose", edit), remove: button("Delete", "choose danger", confirm) };
  place().append(element("p", "actions", ...Object.values(buttons)), status(saved === shown.id ? "Saved." : ""));
  saved = "";
  buttons[focus]?.focus();
}

function edit() {
  const labels = labelField(shown.label_paths.map((names) => names.join("/")));
  const tags = element("textarea");
  tags.id = "item-edit-tags";
  tags.rows = Math.min(Math.max(2, shown.tags.length + 1), 8);
  tags.value = shown.tags.join("\n");
  const before = { labels: labels.paths().join("\n"), tags: tags.value };
  const named = element("label", "", "Tags, one a line");
  named.htmlFor = tags.id;
  const told = status("");
  const form = element("form", "plain", labels.field, element("div", "field wide", named, tags));
  const save = button("Save", "main", () => form.requestSubmit());
  form.append(element("p", "actions", save, button("Leave it", "quiet", () => offer("edit"))), told);
  form.ariaLabel = "Edit the item";
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!labels.isWhole()) return;
    // What was not changed here is left as somebody else may have it by now.
    const wanted = {
      ...(labels.paths().join("\n") !== before.labels && { labels: labels.paths() }),
      ...(tags.value !== before.tags && { tags: tagsOf(tags.value) }),
    };
    if (Object.keys(wanted).length) tried(told, save, () => change(wanted));
    else offer("edit");
  });
  place().replaceChildren(form);
  labels.field.querySelector("input").focus();
}

async function change(wanted) {
  const item = shown;
  wrote((await send(address("/v1/item", { id: item.id }), wanted, { method: "PATCH" })).token);
  saved = item.id;
  changed(); // and the item is shown anew
}

function confirm() {
  const told = status("");
  const sure = button("Delete it", "main danger", () => tried(told, sure, remove));
  const keep = button("Keep it", "quiet", () => offer("remove"));
  const question = element("p", "", "Delete this item, its codes and its pictures? It cannot be brought back.");
  const box = element("div", "notice wrong stack", question, element("p", "actions", sure, keep), told);
  box.role = "group";
  box.ariaLabel = "Delete the item?";
  place().replaceChildren(box);
  keep.focus();
}

async function remove() {
  const answer = await (await ask(address("/v1/item", { id: shown.id }), { method: "DELETE" })).json();
  wrote(answer.token);
  isGone = true;
  closeItem();
}

/** Do it, once; what the service says against it is shown. */
async function tried(told, by, work) {
  by.disabled = true;
  told.textContent = "";
  try {
    await work();
  } catch (problem) {
    told.textContent = problem.message;
    by.disabled = false;
  }
}

function button(text, className, act) {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

function status(text) {
  const made = element("p", "hint", text);
  made.role = "status";
  return made;
}
