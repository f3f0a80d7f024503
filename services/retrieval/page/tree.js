/** The label tree, from which a node is chosen to search within: with a filter, the mouse or the keyboard. */

import { go, state } from "./address.js";
import { within } from "./crumbs.js";
import { $, element, show } from "./elements.js";
import { on } from "./happenings.js";
import { ancestors, filtered, MOST, rows, treeOf } from "./nodes.js";
import { counted, number } from "./words.js";

const FEW = 40; // nodes of a tree that is shown with its first level open
const WIDE = window.matchMedia("(min-width: 62rem)");

let tree = treeOf([]);
let shown = []; // rows
let active = 0; // the row that has the focus, or gets it
const open = new Set();
const mosts = new Map(); // of nodes with many children, how many are shown

export function start() {
  $("browse").open = WIDE.matches;
  $("filter").addEventListener("input", () => {
    mosts.delete("");
    active = 0;
    render();
  });
  $("filter").addEventListener("keydown", (event) => event.key === "ArrowDown" && step(event, 0));
  $("tree").addEventListener("click", click);
  $("tree").addEventListener("keydown", press);
  on("served", ({ taxonomy }) => plant(taxonomy.nodes));
  on("state", ({ state: wanted, former }) => {
    if (String(wanted.within) !== String(former.within)) reveal();
  });
}

function plant(nodes) {
  tree = treeOf(nodes);
  if (nodes.length <= FEW) for (const root of tree.roots) open.add(root.key);
  $("browse-count").textContent = counted(nodes.length, "node");
  show("browse", nodes.length > 0);
  reveal();
}

/** Open the way to what the search is restricted to. */
function reveal() {
  for (const key of state().within)
    for (const node of ancestors(tree.byKey.get(key))) open.add(node.key);
  render();
}

function render() {
  const had = $("tree").contains(document.activeElement);
  const text = $("filter").value.trim();
  const mostOf = (key) => mosts.get(key) ?? MOST;
  shown = text ? filtered(tree, text, mostOf("")) : rows(tree.roots, open, mostOf);
  active = Math.max(0, Math.min(active, shown.length - 1));
  $("tree").replaceChildren(...shown.map((row, index) => (row.more ? rest(row, index) : entry(row, index, text))));
  show("no-node", shown.length === 0);
  if (had) focus(active);
}

function entry({ node, level, position, size }, index, text) {
  const made = item(level, index);
  const names = text ? node.names.join(" › ") : node.name;
  made.ariaPosInSet = String(position);
  made.ariaSetSize = String(size);
  made.ariaSelected = String(state().within.includes(node.key));
  if (node.items === 0) made.ariaDisabled = "true";
  const isOpen = open.has(node.key);
  if (node.children.length && !text) made.ariaExpanded = String(isOpen);
  const told = element("span", "told", number(node.items), element("span", "unseen", node.items === 1 ? " item" : " items"));
  made.append(twist(), element("span", "name", names), " ", told);
  return made;
}

function rest({ level, more }, index) {
  const made = item(level, index);
  made.append(twist(), element("span", "more", `${number(more)} more`));
  return made;
}

function twist() {
  const made = element("span", "twist");
  made.ariaHidden = "true";
  return made;
}

function item(level, index) {
  const made = element("li");
  made.role = "treeitem";
  made.ariaLevel = String(level);
  made.tabIndex = index === active ? 0 : -1;
  made.style.setProperty("--level", level - 1);
  return made;
}

function click(event) {
  const index = [...$("tree").children].indexOf(event.target.closest("li"));
  if (index < 0) return;
  active = index;
  const { node } = shown[index];
  if (node?.children.length && event.target.className === "twist") toggle(node);
  else choose(index);
}

function choose(index) {
  const { node, more, parent } = shown[index];
  if (more) {
    mosts.set(parent, (mosts.get(parent) ?? MOST) + MOST);
    render();
  } else if (state().within.includes(node.key)) go({ within: [] });
  else if (node.items) go(within(node.names));
}

function toggle(node, wanted = !open.has(node.key)) {
  if (wanted) open.add(node.key);
  else open.delete(node.key);
  render();
}

function press(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's
  const { node, parent } = shown[active];
  const isTree = !$("filter").value.trim();
  const opens = isTree && node?.children.length > 0;
  const isOpen = opens && open.has(node.key);
  const above = shown.findIndex((row) => row.node && row.node.key === (node ? node.parent?.key : parent));
  switch (event.key) {
    case "ArrowDown":
      return step(event, active + 1);
    case "ArrowUp":
      return active ? step(event, active - 1) : $("filter").focus();
    case "Home":
      return step(event, 0);
    case "End":
      return step(event, shown.length - 1);
    case "ArrowRight":
      if (isOpen) return step(event, active + 1);
      return opens && toggle(node, true);
    case "ArrowLeft":
      if (isOpen) return toggle(node, false);
      return isTree && above >= 0 && step(event, above);
    case "Enter":
    case " ":
      event.preventDefault();
      return choose(active);
  }
}

function step(event, index) {
  event.preventDefault();
  focus(Math.max(0, Math.min(index, shown.length - 1)));
}

function focus(index) {
  const items = $("tree").children;
  if (items[active]) items[active].tabIndex = -1;
  active = index;
  if (!items[active]) return;
  items[active].tabIndex = 0;
  items[active].focus();
}
