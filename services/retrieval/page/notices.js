/** What is said to all: how it goes, what went wrong and what to do. */

import { $, element, show } from "./elements.js";

const SLOW = 3000; // milliseconds after which one is told that it takes long

let waiting = 0;

export function say(text) {
  $("status").textContent = text;
}

/** Say that something is under way, and after a while that it takes long. */
export function wait(text) {
  rest();
  say(text);
  waiting = setTimeout(() => show("slow", true), SLOW);
}

/** It is under way no more. */
export function rest() {
  clearTimeout(waiting);
  show("slow", false);
}

/** Show why something was not done. `again`: what to do where it may go well another time. */
export function complain(problem, again) {
  if (problem.name === "AbortError") return;
  rest();
  say("");
  if (problem.status === 401) demandKey();
  const retry = element("button", "quiet", "Try again");
  retry.type = "button";
  retry.addEventListener("click", () => {
    calm();
    again();
  });
  $("error").replaceChildren(problem.message, ...(again ? [" ", retry] : []));
  show("error", true);
}

export function calm() {
  show("error", false);
}

function demandKey() {
  show("key-field", true);
  $("key").focus();
}
