/**
 * Panels beside the search, of which one at a time is open. Each is a module of its own that is named in page.js, and
 * gives:
 *
 *     export const panel = { name, title, start(place) };
 *
 * `name` stands in the address, `title` in the page's head, and `start` fills the place that index.html has for it,
 * <section data-panel="name">, with what it shows: once, when it is opened first.
 */

import { link, state } from "./address.js";
import { $, element, show } from "./elements.js";
import { on } from "./happenings.js";

const STARTED = new Set();

export function start(panels) {
  on("state", () => reflect(panels));
  show("panels", panels.length > 0);
}

function reflect(panels) {
  const open = state().panel;
  $("panels").replaceChildren(...panels.map((panel) => element("li", "", entry(panel, panel.name === open))));
  for (const panel of panels) {
    const place = document.querySelector(`[data-panel="${panel.name}"]`);
    place.hidden = panel.name !== open;
    if (panel.name !== open || STARTED.has(panel.name)) continue;
    STARTED.add(panel.name);
    panel.start(place);
  }
}

function entry({ name, title }, isOpen) {
  const made = link({ panel: isOpen ? "" : name }, "", title);
  made.ariaExpanded = String(isOpen);
  return made;
}
