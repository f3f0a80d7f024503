/** What the visitor may do, as far as it is offered: the service decides. */

import { on, tell } from "./happenings.js";
import { read } from "./service.js";

const NOTHING = { role: "", publishes: false };

let current = NOTHING;

export const mayWrite = () => ["write", "admin"].includes(current.role);
export const mayPublish = () => current.publishes;

export function start() {
  on("key", load);
  load();
}

async function load() {
  try {
    current = await read("/v1/rights");
  } catch {
    current = NOTHING; // what is wrong is said by who asks for more
  }
  tell("rights");
}
