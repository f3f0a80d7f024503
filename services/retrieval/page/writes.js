/** What this page has written lately, as a token: what it asks for then has seen it, whichever process answers. */

import { tell } from "./happenings.js";

const LASTS = 60_000; // milliseconds, after which every process has seen it, or will not

let incarnation = "";
let positions = new Map();
let until = 0;

/** Remember a write by the token that it has answered. */
export function wrote(token) {
  const [mine, ...parts] = token.split(".");
  if (mine !== incarnation || Date.now() > until) positions = new Map();
  incarnation = mine;
  until = Date.now() + LASTS;
  for (const [segment, position] of parts.map((part) => part.split("-").map(Number)))
    positions.set(segment, Math.max(position, positions.get(segment) ?? 0));
}

/** Whether this page has written at all. */
export const hasWritten = () => incarnation !== "";

/** Say that something was written: what is shown is asked for anew. */
export const changed = () => tell("changed");

/** What must have been seen; empty where nothing was written lately. */
export function token() {
  if (Date.now() > until) return "";
  return [incarnation, ...[...positions].map(([segment, position]) => `${segment}-${position}`)].join(".");
}
