/** Some of the collection's own items, to start from where nothing is searched by. */

import { byItem, lead, state } from "./address.js";
import { picture } from "./card.js";
import { $, element, show } from "./elements.js";
import { on } from "./happenings.js";
import { complain } from "./notices.js";
import { isSearch } from "./searching.js";
import { read } from "./service.js";
import { labelled } from "./words.js";

let count = 0;

export function start() {
  on("served", load);
  on("state", reflect);
}

async function load() {
  try {
    const { items } = await read("/v1/examples");
    count = items.length;
    $("example-list").replaceChildren(...items.map((item) => element("li", "", example(item))));
    reflect();
  } catch (problem) {
    complain(problem, load);
  }
}

function example(item) {
  const anchor = lead(picture(item, element("a", "picture")), byItem(item.id));
  anchor.setAttribute("aria-label", `Search with ${labelled(item)}, item ${item.id}`);
  return anchor;
}

function reflect() {
  show("examples", count > 0 && !isSearch(state()));
}
