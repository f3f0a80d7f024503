/** One answer: its picture, its crumbs, how far it is and what it is worth. */

import { agreed, mark, standing, standings } from "./agreement.js";
import { byItem, lead } from "./address.js";
import { crumbs } from "./crumbs.js";
import { $, element } from "./elements.js";
import { levelName } from "./served.js";
import { draw } from "./thumbnails.js";
import { labelled, percent } from "./words.js";

export function card(item, answer) {
  const made = $("card").content.cloneNode(true).firstElementChild;
  const find = (selector) => made.querySelector(selector);
  picture(item, find(".picture"));
  lead(find(".again"), byItem(item.id)).setAttribute("aria-label", `Similar: search with item ${item.id}`);
  find(".paths").append(...paths(item, answer));
  distance(item, answer, find(".distance"));
  marked(mark(item, answer.bits), find(".mark"));
  agreement(standings(item, answer), find(".agreement"));
  probabilities(item, answer, find(".likely"));
  return made;
}

/** Make an anchor the picture of an item, which opens it. */
export function picture(item, anchor) {
  const image = anchor.querySelector("img") ?? anchor.appendChild(element("img"));
  image.alt = labelled(item);
  anchor.title = `${labelled(item)}, ${item.id}`;
  anchor.setAttribute("aria-label", `Open ${labelled(item)}, item ${item.id}`);
  draw(image, item.thumbnail);
  return lead(anchor, { item: item.id });
}

function paths(item, answer) {
  if (!item.label_paths.length) return [element("p", "hint", "no label")];
  return item.label_paths.map((names) =>
    crumbs(names, { classOf: (level) => standing(item, answer, names, level) }),
  );
}

function distance(item, { bits }, place) {
  const share = agreed(item, bits);
  place.querySelector(".track span").style.setProperty("--share", `${100 * share}%`);
  place.querySelector(".bits").textContent = `distance ${item.distance}`;
  const weighted =
    item.weighted_distance === undefined ? "" : `; by what the picture is sure of ${(100 * share).toFixed(1)} % agree`;
  place.title = `${bits - item.distance} of ${bits} bits are equal${weighted}`;
}

function marked(word, place) {
  place.textContent = word;
  place.classList.add(word.split(" ")[0] || "none");
  place.hidden = !word;
}

function agreement(levels, place) {
  const count = levels.filter((level) => level !== "other").length;
  place.replaceChildren(
    ...(levels.length ? [`${count} of ${levels.length} levels`, element("span", "unseen", " agree")] : ["no label"]),
  );
  place.title = levels.length ? `${count} of ${levels.length} levels agree` : "";
  place.classList.toggle("all", levels.length > 0 && levels.every((level) => level === "same"));
  place.classList.toggle("other", levels.includes("other"));
}

/** A bar for each level, and the numbers in words. */
function probabilities(item, answer, place) {
  const shares = item.probabilities ?? [];
  if (!shares.length) return;
  const [names] = item.label_paths;
  const bars = element("span", "bars");
  shares.forEach((share, level) => {
    const bar = element("span", standing(item, answer, names, level));
    bar.style.setProperty("--share", `${100 * share}%`);
    bars.append(bar);
  });
  bars.ariaHidden = "true";
  place.append(bars, element("span", "", `${shares.map(percent).join(" › ")} likely`, element("span", "unseen", " the same")));
  place.title = names.map((name, level) => `${levelName(level)} ${name}: ${percent(shares[level])}`).join("; ");
  place.hidden = false;
}
