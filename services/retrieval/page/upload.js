/** Putting pictures into the collection, several at once, each with a result of its own. */

import { $, element, show } from "./elements.js";
import { on } from "./happenings.js";
import { labelField, tagsOf } from "./labels.js";
import { link } from "./address.js";
import { mayWrite } from "./rights.js";
import { address, ask } from "./service.js";
import { counted } from "./words.js";
import { changed, wrote } from "./writes.js";

const AT_ONCE = 2;
const SAID = { waiting: "", sending: "uploading", added: "added", replaced: "replaced the item of this id" };

export const panel = { name: "upload", title: "Upload", start: open, isOpen: mayWrite };

let uploads = []; // {file, url, row, input, away, state, said}
let labels = null;
let running = null; // AbortController

function open() {
  labels = labelField();
  $("upload-labels").replaceWith(labels.field);
  $("upload-files").addEventListener("change", (event) => {
    take(event.target.files);
    event.target.value = "";
  });
  $("upload-go").addEventListener("click", send);
  $("upload-stop").addEventListener("click", () => running?.abort());
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) $("upload-drop").addEventListener(kind, drag);
  reflect();
}

function drag(event) {
  event.preventDefault();
  event.stopPropagation(); // it is no picture to search by
  $("upload-drop").classList.toggle("over", event.type === "dragenter" || event.type === "dragover");
  if (event.type === "drop") take(event.dataTransfer.files);
}

function take(files) {
  for (const file of files) uploads.push(upload(file));
  $("uploads").replaceChildren(...uploads.map(({ row }) => row));
  reflect();
}

function upload(file) {
  const made = { file, url: URL.createObjectURL(file), state: "waiting", said: "" };
  const image = element("img");
  Object.assign(image, { src: made.url, alt: "" });
  image.addEventListener("error", () => image.classList.add("lost"));
  made.input = element("input");
  made.input.value = file.name;
  made.input.setAttribute("aria-label", `Id of ${file.name}`);
  made.result = element("span", "result");
  made.away = element("button", "quiet", "×");
  made.away.type = "button";
  made.away.setAttribute("aria-label", `Leave out ${file.name}`);
  made.away.addEventListener("click", () => drop(made));
  made.row = element("li", "upload", image, made.input, made.result, made.away);
  return made;
}

function drop(one) {
  URL.revokeObjectURL(one.url);
  uploads = uploads.filter((other) => other !== one);
  one.row.remove();
  reflect();
  $("upload-files").focus();
}

const isDone = ({ state }) => state === "added" || state === "replaced";
const idOf = ({ input }) => $("upload-prefix").value + input.value;

async function send() {
  const left = uploads.filter((one) => !isDone(one));
  const ids = left.map(idOf);
  const twice = ids.find((id, index) => ids.indexOf(id) < index);
  if (twice !== undefined) return say(`Two pictures have the id ${twice}: give each one of its own.`);
  if (!labels.isWhole()) return say("A label is none of the tree: choose one of the list, or leave it out.");
  running = new AbortController();
  for (const one of left) mark(one, "waiting");
  reflect();
  const queue = [...left];
  const work = async () => {
    while (queue.length && !running.signal.aborted) {
      const one = queue.shift();
      if (uploads.includes(one)) await put(one); // it may have been left out meanwhile
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  running = null;
  reflect();
  if (left.some(isDone)) changed();
}

async function put(one) {
  const form = new FormData();
  for (const path of labels.paths()) form.append("labels", path);
  for (const tag of tagsOf($("upload-tags").value)) form.append("tags", tag);
  form.append("image", one.file, "picture");
  mark(one, "sending");
  try {
    const options = { method: "PUT", body: form, signal: running.signal };
    const told = await (await ask(address("/v1/item", { id: idOf(one) }), options)).json();
    wrote(told.token);
    mark(one, told.new ? "added" : "replaced", link({ item: told.id }, "", "Open"));
  } catch (problem) {
    mark(one, "failed", problem.name === "AbortError" ? "Stopped: whether it was put is not known." : problem.message);
  }
  reflect();
}

function mark(one, state, said = "") {
  one.state = state;
  one.result.className = `result ${state}`;
  one.result.replaceChildren(...[SAID[state], said].filter(Boolean).flatMap((part) => [part, " "]));
  one.input.readOnly = state === "sending" || isDone(one);
  one.away.disabled = state === "sending";
}

function reflect() {
  const done = uploads.filter(isDone).length;
  const failed = uploads.filter(({ state }) => state === "failed").length;
  const left = uploads.length - done;
  $("upload-go").disabled = !left || Boolean(running);
  $("upload-go").textContent = left ? `Upload ${counted(left, "picture")}` : "Upload";
  show("upload-stop", Boolean(running));
  show("upload-progress", Boolean(running));
  Object.assign($("upload-progress"), { max: Math.max(uploads.length, 1), value: done + failed });
  say(uploads.length && (running || done + failed) ? `${done} of ${uploads.length} uploaded${failed ? `, ${failed} not` : ""}` : "");
}

function say(text) {
  $("upload-status").textContent = text;
}
