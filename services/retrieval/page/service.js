/** Asking the service: with the visitor's key, and what it says where it refuses. */

import { sentence } from "./words.js";

let key = "";

export function useKey(text) {
  key = text;
}

export const hasKey = () => key !== "";

/** Why something was not answered, in a sentence fit to show. */
export class Refusal extends Error {
  constructor(message, status = 0, reason = "") {
    super(message);
    this.status = status; // 0 where the service was not reached
    this.reason = reason; // the last word of the problem's type, such as "key"
  }
}

/** The answer to a request. Throws a Refusal, or the AbortError of options.signal. */
export async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if (key) headers.set("Authorization", `Bearer ${key}`);
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new Refusal("The service cannot be reached. Is it still running?");
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

/** What a GET says, as JSON. */
export async function read(path, signal) {
  return (await ask(path, { signal })).json();
}

/** What a request with a body of JSON is answered, as JSON. */
export async function send(path, body, { method = "POST", signal } = {}) {
  const headers = { "Content-Type": "application/json" };
  return (await ask(path, { method, headers, body: JSON.stringify(body), signal })).json();
}

/** An address of the service with parameters; lists become several. */
export function address(path, parameters) {
  const given = Object.entries(parameters).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  return `${path}?${new URLSearchParams(given.filter(([, value]) => value !== ""))}`;
}

async function refusal(answer) {
  const told = await answer.json().catch(() => ({}));
  const reason = String(told.type ?? "").split(":").at(-1);
  return new Refusal(sentence(told.detail || `the service answered ${answer.status}`), answer.status, reason);
}
