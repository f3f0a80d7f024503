/** Choosing labels: nodes of the tree below which there is nothing, found by a part of their names. */

import { element } from "./elements.js";
import { on } from "./happenings.js";
import { filtered, treeOf } from "./nodes.js";

const MOST = 100; // that are offered at once

let tree = treeOf([]);
let count = 0;

export function start() {
  on("served", ({ taxonomy }) => (tree = treeOf(taxonomy.nodes)));
}

const isLabel = (key) => tree.byKey.get(key)?.children.length === 0;

/**
 * A field for labels, as an element, and the paths that were chosen.
 *
 * @param given paths that are chosen already
 */
export function labelField(given = []) {
  const name = `labels-${++count}`;
  const chosen = new Set(given);
  const input = element("input");
  const list = element("datalist");
  const chips = element("ul", "chips");
  const hint = element("span", "hint");
  const label = element("label", "", "Labels");
  label.htmlFor = input.id = name;
  list.id = `${name}-list`;
  input.setAttribute("list", list.id);
  Object.assign(input, { placeholder: "Part of a name", autocomplete: "off", spellcheck: false });
  chips.ariaLabel = "Chosen labels";
  hint.role = "status";

  function render() {
    chips.replaceChildren(...[...chosen].map(chip));
    chips.hidden = !chosen.size;
    offer();
  }
  function chip(key) {
    const away = element("button", "away", "×");
    away.type = "button";
    away.setAttribute("aria-label", `Take away the label ${key}`);
    away.addEventListener("click", () => {
      chosen.delete(key);
      render();
      input.focus();
    });
    return element("li", "chip", element("b", "", key.replaceAll("/", " / ")), away);
  }
  function offer() {
    const found = filtered(tree, lastName(input.value), Infinity).filter(({ node }) => isLabel(node.key) && !chosen.has(node.key));
    list.replaceChildren(...found.slice(0, MOST).map(({ node }) => new Option(node.key)));
  }
  function take(isFinal) {
    const key = input.value.trim();
    hint.textContent = "";
    if (isLabel(key)) {
      chosen.add(key);
      input.value = "";
      render();
    } else if (isFinal && key) hint.textContent = `There is no label ${key}: choose one of the list`;
    return !key || isLabel(key);
  }
  input.addEventListener("input", () => {
    take(false);
    offer();
  });
  input.addEventListener("focus", offer);
  input.addEventListener("change", () => take(true));
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // a label is chosen, nothing is sent
    take(true);
  });
  render();
  return {
    field: element("div", "field wide", label, input, list, hint, chips),
    paths: () => [...chosen],
    /** Whether all that was typed was taken. */
    isWhole: () => take(true),
  };
}

const lastName = (text) => text.trim().split("/").at(-1);

/** Tags that were typed, one a line: any other character may be of a tag. */
export const tagsOf = (text) => [...new Set(text.split("\n").map((tag) => tag.trim()).filter(Boolean))];
