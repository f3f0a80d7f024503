"use strict";

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");

let picture = null; // the File or Blob to search with
let running = null; // AbortController of the search under way
let previewUrl = null;
const thumbnailUrls = []; // object URLs of what is shown now

/** Fetch from the service; throws an Error whose message is fit to show. */
async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if ($("key").value) headers.set("Authorization", `Bearer ${$("key").value}`);
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new Error("The service cannot be reached. Is it still running?");
  }
  if (answer.ok) return answer;
  if (answer.status === 401) {
    $("key-field").hidden = false;
    $("key").focus();
  }
  const told = await answer.json().catch(() => ({}));
  const sentence = told.detail || `The service answered ${answer.status}`;
  throw new Error(sentence.charAt(0).toUpperCase() + sentence.slice(1) + ".");
}

function say(text) {
  $("status").textContent = text;
}

function complain(problem) {
  if (problem.name === "AbortError") return;
  say("");
  $("error").textContent = problem.message;
  $("error").hidden = false;
}

function calm() {
  $("error").hidden = true;
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Show what is served, the label tree and some of the items. */
async function describe() {
  const [generation, taxonomy, examples] = await Promise.all(
    ["/v1/generation", "/v1/taxonomy", "/v1/examples"].map(async (path) => (await ask(path)).json()),
  );
  $("generation").textContent = generation.id;
  $("bits").textContent = `${generation.bits} bits`;
  $("items").textContent = number.format(generation.codes);
  $("served").hidden = false;
  const chosen = $("within").value;
  $("within").length = 1;
  for (const node of taxonomy.nodes) {
    const indent = "\u00a0\u00a0\u00a0".repeat(node.path.length - 1);
    const option = new Option(`${indent}${node.path.at(-1)} (${number.format(node.items)})`, node.path.join("/"));
    option.disabled = node.items === 0;
    $("within").add(option);
  }
  $("within").value = chosen;
  $("example-list").replaceChildren(
    ...examples.items.map((item) => {
      const entry = element("li");
      entry.append(thumbnail(item));
      return entry;
    }),
  );
  $("examples").hidden = examples.items.length === 0;
}

/** A button with an item's thumbnail that searches with it. */
function thumbnail(item, button = element("button", "again")) {
  button.type = "button";
  const image = button.querySelector("img") || button.appendChild(element("img"));
  const path = item.label_paths.map((names) => names.join(" / ")).join(", ") || "no label";
  image.alt = path;
  button.title = `${path}, ${item.id}: search with this picture`;
  button.setAttribute("aria-label", `Search with ${path}, item ${item.id}`);
  if ($("key").value) {
    // An <img> cannot send a key.
    ask(item.thumbnail)
      .then((answer) => answer.blob())
      .then((blob) => {
        image.src = URL.createObjectURL(blob);
        thumbnailUrls.push(image.src);
      })
      .catch(complain);
  } else {
    image.src = item.thumbnail;
  }
  button.addEventListener("click", async () => {
    try {
      choose(await (await ask(item.thumbnail)).blob(), `item ${item.id}`);
    } catch (problem) {
      complain(problem);
    }
  });
  return button;
}

function choose(file, name) {
  picture = file;
  if (previewUrl) URL.revokeObjectURL(previewUrl);
  previewUrl = URL.createObjectURL(file);
  $("preview").src = previewUrl;
  $("preview").hidden = false;
  $("name").textContent = name;
  window.scrollTo({ top: 0 });
  search();
}

async function search() {
  calm();
  if (!picture) {
    complain(new Error("Choose a picture first."));
    $("picture").focus();
    return;
  }
  running?.abort();
  const mine = (running = new AbortController());
  const form = new FormData();
  form.set("k", $("k").value);
  if ($("within").value) form.set("within", $("within").value);
  form.set("image", picture, "picture");
  $("go").disabled = true;
  say("Searching");
  try {
    const answer = await ask("/v1/search", { method: "POST", body: form, signal: mine.signal });
    show(await answer.json());
  } catch (problem) {
    if (problem.name !== "AbortError") $("answers").hidden = true;
    complain(problem);
  } finally {
    if (running === mine) $("go").disabled = false;
  }
}

function show(answer) {
  thumbnailUrls.splice(0).forEach((url) => URL.revokeObjectURL(url));
  const count = answer.results.length;
  const where = answer.within ? ` within ${answer.within}` : "";
  const how = answer.ranking === "weighted" ? " by weights" : "";
  say(`${number.format(count)} ${count === 1 ? "answer" : "answers"}${where}${how}, found in ${answer.took_ms.toFixed(1)} ms`);
  $("code").textContent = answer.code.replace(/(..)(?=.)/g, "$1 ");
  $("majority").replaceChildren(...steps(answer.majority, ({ items }) => ` ${items} of ${count}`));
  $("unlike").hidden = !answer.unlike;
  $("own").hidden = !answer.predicted || Boolean(answer.unlike);
  $("predicted").replaceChildren(...steps(answer.predicted || [], ({ confidence }) => ` ${percent(confidence)}`));
  if (!answer.predicted?.length) $("predicted").append(element("li", "", "not sure at any level"));
  $("results").replaceChildren(...answer.results.map((item) => card(item, answer)));
  $("examples").hidden = true;
  $("answers").hidden = false;
}

/** The nodes of a path, each with what is said of it. */
function steps(nodes, said) {
  return nodes.map((node) => {
    const label = element("span");
    label.append(element("b", "", node.name), said(node));
    const step = element("li");
    step.append(label);
    return step;
  });
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}

/** Number of levels, from the coarsest down, at which a label path runs with the majority's. */
function agreedLevels(names, majority) {
  const parting = names.findIndex((name, level) => name !== majority[level]?.name);
  return parting < 0 ? names.length : parting;
}

function card(item, { bits, majority }) {
  const made = $("card").content.cloneNode(true).firstElementChild;
  thumbnail(item, made.querySelector(".again"));
  const path = made.querySelector(".path");
  item.label_paths.forEach((names, index) => {
    if (index) path.append(element("br"));
    names.forEach((name, level) => {
      if (level) path.append(" › ");
      path.append(element("span", level < agreedLevels(names, majority) ? "same" : "other", name));
    });
  });
  const agreed = 1 - (item.weighted_distance ?? item.distance / bits);
  made.querySelector(".track span").style.setProperty("--share", `${100 * agreed}%`);
  made.querySelector(".bits").textContent = `distance ${item.distance}`;
  made.querySelector(".distance").title =
    `${bits - item.distance} of ${bits} bits are equal` +
    ("weighted_distance" in item ? `; by what the picture is sure of ${(100 * agreed).toFixed(1)} % agree` : "");
  const best = item.label_paths.find((names) => agreedLevels(names, majority) === item.levels_agreed);
  const levels = best?.length;
  const agreement = made.querySelector(".agreement");
  agreement.textContent = best ? `${item.levels_agreed} of ${levels} levels agree` : "no label";
  const { probabilities } = item;
  const near = probabilities?.length ? probabilities.at(-1) >= 0.5 : 4 * item.distance <= bits;
  agreement.classList.toggle("all", near && item.levels_agreed === levels);
  if (probabilities?.length) {
    const likely = made.querySelector(".likely");
    likely.textContent = `${probabilities.map(percent).join(" › ")} likely the same`;
    likely.title = item.label_paths[0].map((name, level) => `${name}: ${percent(probabilities[level])}`).join("; ");
    likely.hidden = false;
  }
  return made;
}

function take(files) {
  const file = [...files].find((one) => one.type.startsWith("image/")) || files[0];
  if (file) choose(file, file.name || "pasted picture");
}

$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
$("preview").addEventListener("error", () => ($("preview").hidden = true));
$("picture").addEventListener("change", (event) => take(event.target.files));
$("within").addEventListener("change", () => picture && search());
$("k").addEventListener("change", () => picture && search());
$("key").addEventListener("change", () => {
  calm();
  describe().catch(complain);
});
document.addEventListener("paste", (event) => take(event.clipboardData.files));
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files);
  });
}
describe().catch(complain);
