/** Label paths as breadcrumbs, each of which restricts the search to its node. */

import { link } from "./address.js";
import { element } from "./elements.js";

export const nodeOf = (names) => names.join("/");

/** Changes that restrict a search to a node. */
export const within = (names) => ({ within: [nodeOf(names)], item: "" });

/**
 * The crumbs of one label path.
 *
 * @param classOf of a level, the class of its crumb
 * @param said of a level, what stands behind its name
 */
export function crumbs(names, { classOf = () => "", said = () => "" } = {}) {
  const list = element("ol", "crumbs");
  names.forEach((name, level) => {
    const crumb = link(within(names.slice(0, level + 1)), `crumb ${classOf(level)}`, name);
    crumb.title = `Search within ${names.slice(0, level + 1).join(" / ")}`;
    const told = said(level);
    list.append(element("li", "", crumb, ...(told ? [element("span", "told", told)] : [])));
  });
  return list;
}
