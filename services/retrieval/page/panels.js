/**
 * Panels beside the search, of which one at a time is open. Each is a module of its own that is named in page.js, and
 * gives:
 *
 *     export const panel = { name, title, start(place), isOpen() };
 *
 * `name` stands in the address, `title` in the page's head, and `start` fills the place that index.html has for it,
 * <section data-panel="name">, with what it shows: once, when it is opened first. `isOpen` says whether it is open to this
 * visitor; without it, it is to all.
 */

import { lead, state } from "./address.js";
import { $, element, show } from "./elements.js";
import { on } from "./happenings.js";

const STARTED = new Set();

export function start(panels) {
  $("panels").replaceChildren(...panels.map(({ title }) => element("li", "", element("a", "", title))));
  for (const name of ["state", "rights"]) on(name, () => reflect(panels));
}

function reflect(panels) {
  for (const [index, panel] of panels.entries()) {
    const isOffered = panel.isOpen?.() ?? true;
    const isShown = isOffered && panel.name === state().panel;
    const entry = $("panels").children[index];
    entry.hidden = !isOffered;
    lead(entry.firstChild, { panel: isShown ? "" : panel.name }).ariaExpanded = String(isShown);
    const place = document.querySelector(`[data-panel="${panel.name}"]`);
    place.hidden = !isShown;
    if (!isShown || STARTED.has(panel.name)) continue;
    STARTED.add(panel.name);
    panel.start(place);
  }
  show("panels", panels.some(({ isOpen }) => isOpen?.() ?? true));
}
