/** The label tree as a tree, and which of its nodes are in view. Of thousands, never more than a screen can bear. */

import { nodeOf } from "./crumbs.js";

export const MOST = 200; // children of one node, or nodes that a filter leaves, until more are asked for

/** The tree of GET /v1/taxonomy, where parents come before children: nodes {key, name, names, items, parent, children}. */
export function treeOf(told) {
  const byKey = new Map();
  const roots = [];
  for (const { path: names, items } of told) {
    const parent = byKey.get(nodeOf(names.slice(0, -1))) ?? null;
    const node = { key: nodeOf(names), name: names.at(-1), names, items, parent, children: [] };
    byKey.set(node.key, node);
    (parent?.children ?? roots).push(node);
  }
  return { byKey, roots };
}

export function ancestors(node) {
  return node?.parent ? [...ancestors(node.parent), node.parent] : [];
}

/**
 * The rows of a tree as far as it is open: {node, level, position, size, more}. A row with `more` stands for so many
 * children that are not shown.
 *
 * @param open keys of nodes whose children are shown
 * @param mostOf of a node's key (of the roots ""), how many of its children are
 */
export function rows(siblings, open, mostOf, level = 1, parent = "") {
  const shown = siblings.slice(0, mostOf(parent));
  const found = shown.flatMap((node, index) => [
    { node, level, position: index + 1, size: siblings.length },
    ...(open.has(node.key) ? rows(node.children, open, mostOf, level + 1, node.key) : []),
  ]);
  const more = siblings.length - shown.length;
  return more ? [...found, { parent, level, more }] : found;
}

/** The nodes that have a text in their names, as rows of one level; those that begin with it first. */
export function filtered(tree, text, most) {
  const wanted = text.toLowerCase();
  const found = [...tree.byKey.values()].filter(({ name }) => name.toLowerCase().includes(wanted));
  const begins = ({ name }) => name.toLowerCase().startsWith(wanted);
  const sorted = [...found.filter(begins), ...found.filter((node) => !begins(node))];
  const size = sorted.length;
  const shown = sorted.slice(0, most).map((node, index) => ({ node, level: 1, position: index + 1, size }));
  return size > most ? [...shown, { parent: "", level: 1, more: size - most }] : shown;
}
