/** Pictures of items, with and without a key. */

import { ask, hasKey } from "./service.js";

const WAITING = new WeakMap(); // where the pictures are that nobody has seen yet
const seen = new IntersectionObserver(
  (entries) => {
    for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
      seen.unobserve(target);
      fetched(target, WAITING.get(target));
    }
  },
  { rootMargin: "200px" },
);

/** Show a picture of the service, once it comes into view. */
export function draw(image, path) {
  image.classList.remove("lost");
  image.onerror = () => image.classList.add("lost");
  if (!hasKey()) {
    image.src = path;
    return image;
  }
  image.removeAttribute("src"); // an <img> cannot send a key
  WAITING.set(image, path);
  seen.observe(image);
  return image;
}

async function fetched(image, path) {
  try {
    const url = URL.createObjectURL(await (await ask(path)).blob());
    image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
    if (WAITING.get(image) === path) image.src = url;
  } catch {
    image.classList.add("lost");
  }
}
