/** What is served: said in the page's head, and kept for those who need the label tree's levels. */

import { $, show } from "./elements.js";
import { on, tell } from "./happenings.js";
import { complain } from "./notices.js";
import { read } from "./service.js";
import { number } from "./words.js";

let levels = [];

/** The name of a level, 0 for the coarsest. */
export const levelName = (level) => levels[level] ?? `level ${level + 1}`;

export function start() {
  for (const name of ["key", "changed"]) on(name, load);
  load();
}

async function load() {
  try {
    const [generation, taxonomy] = await Promise.all([read("/v1/generation"), read("/v1/taxonomy")]);
    levels = taxonomy.levels;
    describe(generation);
    tell("served", { generation, taxonomy });
  } catch (problem) {
    complain(problem, load);
  }
}

function describe(generation) {
  $("generation").textContent = generation.id;
  $("bits").textContent = `${generation.bits} bits`;
  $("items").textContent = number(generation.codes);
  show("served", true);
}
