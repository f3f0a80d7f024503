/** The generations of the collection: which there are, which is served, who published it, where each comes from; and the way back for admins. */

import { $, element, show } from "./elements.js";
import { on } from "./happenings.js";
import * as lineage from "./lineage.js";
import { mayPublish } from "./rights.js";
import { read, send } from "./service.js";
import { counted, number } from "./words.js";
import { changed } from "./writes.js";

const LOOK = 1000; // milliseconds between two looks at what is served after a roll-back
const LOOKS = 60;

export const panel = { name: "generations", title: "Generations", start: open };

let told = null;

function open() {
  lineage.start();
  for (const name of ["key", "changed"]) on(name, load);
  on("rights", reflect);
  $("rollback-ask").addEventListener("click", () => ask(true));
  $("rollback-leave").addEventListener("click", () => ask(false));
  $("rollback").addEventListener("submit", (event) => {
    event.preventDefault();
    back();
  });
  load();
}

async function load() {
  try {
    told = await read("/v1/generations");
    complain("");
  } catch (problem) {
    complain(problem.message);
  }
  reflect();
}

function reflect() {
  const rows = (told?.generations ?? []).toReversed().map(row);
  $("generation-rows").replaceChildren(...rows);
  show("generation-table", rows.length > 0);
  const mayGoBack = mayPublish() && Boolean(told?.previous);
  show("rollback-ask", mayGoBack && $("rollback").hidden);
  $("rollback-ask").textContent = `Roll back to ${told?.previous ?? ""}`;
  if (!mayGoBack) show("rollback", false);
}

function row(generation) {
  const { id, state, live, members, codes, quarantined, served, published } = generation;
  const marks = [served && "served here", id === told.published && "published", id === told.previous && "before it"];
  const head = element("th", "", lineage.toLineage(id, id), " ", ...marks.filter(Boolean).map((word) => element("span", "tag", word)));
  head.scope = "row";
  const lacking = members - codes;
  const why = quarantined ? `, ${counted(quarantined, "picture")} cannot be encoded` : "";
  const said = [
    ["state", live ? `${state}, takes writes` : state],
    ["codes", lacking ? `${number(codes)} of ${number(members)}${why}` : number(codes)],
    ["made", day(generation.created)],
    ["published", published ? `${published.operation === "rollback" ? "by roll-back, " : ""}${day(published.when)} by ${published.who || "nobody named"}${published.why ? `: ${published.why}` : ""}` : "never"],
  ];
  const cells = said.map(([name, text]) => {
    const cell = element("td", "", text);
    cell.dataset.name = name;
    return cell;
  });
  return element("tr", served ? "served" : "", head, ...cells);
}

const day = (time) => `${time.slice(0, 10)} ${time.slice(11, 16)} UTC`;

function ask(isAsked) {
  show("rollback", isAsked);
  complain("");
  reflect();
  $("rollback-from").textContent = told.published;
  $("rollback-to").textContent = told.previous;
  $(isAsked ? "rollback-who" : "rollback-ask").focus();
}

async function back() {
  $("rollback-go").disabled = true;
  complain("");
  try {
    const { published } = await send("/v1/rollback", { who: $("rollback-who").value, why: $("rollback-why").value });
    $("rollback-why").value = "";
    show("rollback", false);
    say(`${published} is published again; it is served in a moment.`);
    await load();
    await served(published);
  } catch (problem) {
    complain(problem.message);
  }
  $("rollback-go").disabled = false;
}

/** Wait until the service has taken up a generation, and show what it serves then. */
async function served(wanted) {
  for (let look = 0; look < LOOKS; look += 1) {
    if (told?.generations.some(({ id, served: isServed }) => isServed && id === wanted)) {
      say(`${wanted} is published and served.`);
      changed();
      return;
    }
    await new Promise((done) => setTimeout(done, LOOK));
    await load();
  }
  say(`${wanted} is published, and not served yet: look at the service's log.`);
}

function say(text) {
  $("generation-status").textContent = text;
}

function complain(text) {
  $("generation-error").textContent = text;
  show("generation-error", Boolean(text));
}
