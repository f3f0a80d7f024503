/** Search as the address says, and keep what was answered, so that Back asks for nothing again. */

import { go, state } from "./address.js";
import { $ } from "./elements.js";
import { on, tell } from "./happenings.js";
import { calm, complain, rest, say, wait } from "./notices.js";
import { ask, send } from "./service.js";
import { kept } from "./visitors.js";

const MOST = 30;
const ANSWERS = new Map(); // by what was asked

let running = null; // AbortController of the search under way, or of the last one

export function start() {
  on("state", ({ state: wanted, former }) => {
    if (asked(wanted) !== asked(former)) search();
  });
  $("cancel").addEventListener("click", cancel);
  for (const name of ["changed", "key"])
    on(name, () => {
      ANSWERS.clear();
      search();
    });
}

/** Ask again, though nothing has changed. */
export function again() {
  ANSWERS.delete(asked(state()));
  search();
}

/** Whether a state says what to search by. A picture that is gone has its code, if it was ever answered. */
export const isSearch = ({ picture, code, id }) => Boolean(kept(picture) || code || id);

function cancel() {
  drop();
  say("Stopped");
  tell("answer", null);
}

/** Whatever is under way is wanted no more. */
function drop() {
  running?.abort();
  rest();
  $("answers").ariaBusy = "false";
}

async function search() {
  drop();
  calm();
  const wanted = state();
  if (!isSearch(wanted)) {
    tell("answer", null);
    return;
  }
  const known = ANSWERS.get(asked(wanted));
  if (known) {
    tell("answer", known);
    return;
  }
  const mine = (running = new AbortController());
  wait("Searching");
  $("answers").ariaBusy = "true"; // those of before, until then
  try {
    const answer = await answered(wanted, mine.signal);
    if (!mine.signal.aborted) finish(wanted, answer);
  } catch (problem) {
    if (problem.name === "AbortError") return;
    drop();
    tell("answer", null);
    complain(problem, problem.status === 400 ? undefined : again);
  }
}

function finish(wanted, answer) {
  drop();
  ANSWERS.set(asked(wanted), answer);
  for (const old of [...ANSWERS.keys()].slice(0, -MOST)) ANSWERS.delete(old);
  // The address of a picture is that of its code, for whoever is sent it.
  if (kept(wanted.picture)) go({ code: answer.code, generation: answer.generation }, { replace: true });
  tell("answer", answer);
}

/** What a state asks for; equal for states that differ in what is open. */
function asked({ picture, code, generation, id, k, within, tags, group_by }) {
  return JSON.stringify([kept(picture) ? [picture] : [code, generation, id], k, within, tags, group_by]);
}

async function answered(wanted, signal) {
  const { k, within, tags, group_by } = wanted;
  const mine = kept(wanted.picture);
  if (mine) {
    const form = new FormData();
    for (const [name, value] of Object.entries({ k, group_by })) if (value) form.append(name, value);
    for (const node of within) form.append("within", node);
    for (const tag of tags) form.append("tags", tag);
    form.append("image", mine.blob, "picture");
    return (await ask("/v1/search", { method: "POST", body: form, signal })).json();
  }
  const { id, code, generation } = wanted;
  const given = { ...(code ? { code, generation } : { id }), within, tags, group_by };
  const filled = Object.entries(given).filter(([, value]) => value.length);
  return send("/v1/search", { ...Object.fromEntries(filled), k: /^\d{1,9}$/.test(k) ? Number(k) : k }, { signal });
}
