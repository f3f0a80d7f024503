/** What the search is restricted to, as chips that can be taken away. */

import { link } from "./address.js";
import { $, element, show } from "./elements.js";
import { on } from "./happenings.js";

export function start() {
  on("state", ({ state: { within, tags } }) => {
    const nodes = within.map((node) => chip("within", node.replaceAll("/", " / "), { within: without(within, node) }));
    const tagged = tags.map((tag) => chip("tagged", tag, { tags: without(tags, tag) }));
    $("chips").replaceChildren(...nodes, ...tagged);
    show("chips", nodes.length + tagged.length > 0);
    lift();
  });
}

const without = (list, one) => list.filter((other) => other !== one);

function chip(how, what, changes) {
  const away = link(changes, "away", "×");
  away.setAttribute("aria-label", `Take away: ${how} ${what}`);
  return element("li", "chip", element("span", "how", how), element("b", "", what), away);
}

/** In the empty answer: a way out. */
function lift() {
  $("lift").replaceChildren(link({ within: [], tags: [] }, "", "Search everything"));
}
