/** The answers: what the picture is most likely, where they agree, and a grid of them, in groups where that was asked for. */

import { state } from "./address.js";
import { card } from "./card.js";
import { crumbs } from "./crumbs.js";
import { $, element, show } from "./elements.js";
import { on } from "./happenings.js";
import { say } from "./notices.js";
import { counted, digits, percent } from "./words.js";

let isNew = false; // whether somebody went here, and does not come back

export function start() {
  on("state", ({ state: wanted, former, back }) => {
    isNew = !back;
    if (isNew && (wanted.id !== former.id || wanted.picture !== former.picture)) window.scrollTo({ top: 0 });
  });
  on("answer", (answer) => (answer ? tellAll(answer) : show("answers", false)));
}

function tellAll(answer) {
  const { results, predicted, unlike } = answer;
  say(summary(answer));
  show("unlike", Boolean(unlike));
  show("empty", results.length === 0);
  show("own", Boolean(predicted) && !unlike);
  show("agreed", answer.majority.length > 0);
  $("code").textContent = digits(answer.code);
  $("majority").replaceChildren(steps(answer.majority, ({ items }) => `${items} of ${results.length}`));
  $("predicted").replaceChildren(
    predicted?.length ? steps(predicted, ({ confidence }) => percent(confidence)) : "not sure at any level",
  );
  $("results").replaceChildren(...(answer.groups ? groups(answer) : [grid(results, answer)]));
  show("answers", true);
  if (isNew && document.activeElement === document.body) $("answers").focus({ preventScroll: true });
}

function summary({ results, ranking, took_ms }) {
  const { within, tags } = state();
  const where = within.length ? ` within ${within.join(", ")}` : "";
  const tagged = tags.length ? ` tagged ${tags.join(", ")}` : "";
  const how = ranking === "weighted" ? " by weights" : "";
  return `${counted(results.length, "answer")}${where}${tagged}${how}, found in ${took_ms.toFixed(1)} ms`;
}

/** Nodes of a path, each with what is said of it. */
function steps(nodes, said) {
  return crumbs(
    nodes.map(({ name }) => name),
    { said: (level) => said(nodes[level]) },
  );
}

function grid(results, answer) {
  return element("ol", "grid", ...results.map((item) => card(item, answer)));
}

function groups(answer) {
  const items = new Map(answer.results.map((item) => [item.id, item]));
  return answer.groups.map(({ path, items: ids }) => {
    const title = element("h3", "", ...(path.length ? [crumbs(path)] : ["no label"]));
    title.append(element("span", "told", counted(ids.length, "answer")));
    return element("section", "group", title, grid(ids.map((id) => items.get(id)), answer));
  });
}
