/** The search form: a picture that is dropped, pasted or chosen; how many answers, and by which level. */

import { afresh, byPicture, go, lead, MANY, state } from "./address.js";
import { $, show } from "./elements.js";
import { on, tell } from "./happenings.js";
import { calm, complain } from "./notices.js";
import { again, isSearch } from "./searching.js";
import { Refusal, useKey } from "./service.js";
import { draw, drawn } from "./thumbnails.js";
import { keep, kept } from "./visitors.js";
import { digits } from "./words.js";

const INVITATION = "or drop one here, or paste it";
const GONE = "The picture was only in the browser that chose it: choose it again";
const BY_CODE = "A picture that only the browser has that chose it: these are the answers to its code";

export function start() {
  lead($("home"), afresh());
  $("search").addEventListener("submit", submit);
  $("picture").addEventListener("change", (event) => take(event.target.files));
  for (const name of ["k", "group"]) $(name).addEventListener("change", () => go(wishes()));
  $("key").addEventListener("change", unlock);
  $("preview").addEventListener("error", () => show("preview", false));
  document.addEventListener("paste", (event) => take(event.clipboardData.files));
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) document.addEventListener(kind, drag);
  on("served", ({ taxonomy }) => offer(taxonomy.levels));
  on("state", ({ state: wanted }) => reflect(wanted));
}

function take(files) {
  const file = [...files].find((one) => one.type.startsWith("image/")) ?? files[0];
  if (!file) return;
  window.scrollTo({ top: 0 });
  go({ ...byPicture(keep(file, file.name || "pasted picture")), ...wishes() });
  $("picture").value = ""; // the same file may be chosen again
}

/** How it is searched, as the form has it. */
const wishes = () => ({ k: $("k").value || MANY, group_by: $("group").value });

function submit(event) {
  event.preventDefault();
  const before = state();
  go(wishes());
  if (!isSearch(state())) {
    complain(new Refusal("Choose a picture first."));
    $("picture").focus();
  } else if (state() === before) again();
}

function unlock() {
  useKey($("key").value);
  calm();
  tell("key");
}

function drag(event) {
  event.preventDefault();
  $("drop").classList.toggle("over", event.type === "dragenter" || event.type === "dragover");
  if (event.type === "drop") take(event.dataTransfer.files);
}

function offer(levels) {
  const options = levels.map((level) => new Option(level, level));
  $("group").replaceChildren(new Option("no groups", ""), ...options);
  $("group").value = state().group_by;
}

/** Show what is searched by. */
function reflect(wanted) {
  $("k").value = wanted.k;
  $("group").value = wanted.group_by;
  const mine = kept(wanted.picture);
  show("preview", Boolean(mine || wanted.id));
  $("preview").alt = mine ? "Your picture" : `Item ${wanted.id}`;
  if (mine) drawn($("preview"), mine.url);
  else if (wanted.id) draw($("preview"), `/v1/thumbnail?${new URLSearchParams({ id: wanted.id })}`);
  $("name").textContent = named(wanted, mine);
  document.title = isSearch(wanted) ? `${named(wanted, mine)}: taxohash` : "taxohash: search by picture";
}

function named(wanted, mine) {
  if (mine) return mine.name;
  if (wanted.picture) return wanted.code ? BY_CODE : GONE;
  if (wanted.code) return `code ${digits(wanted.code)}`;
  return wanted.id ? `item ${wanted.id}` : INVITATION;
}
