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

/** Show a picture of the service; with a key, which an <img> cannot send, once it comes into view. */
export function draw(image, path) {
  if (!hasKey()) return drawn(image, path);
  image.removeAttribute("src");
  WAITING.set(image, path);
  seen.observe(image);
  return image;
}

/** Show a picture that needs no key. */
export function drawn(image, url) {
  WAITING.delete(image);
  image.classList.remove("lost");
  image.onerror = () => image.classList.add("lost");
  image.src = url;
  return image;
}

async function fetched(image, path) {
  try {
    const blob = await (await ask(path)).blob();
    if (WAITING.get(image) !== path) return;
    const url = URL.createObjectURL(blob);
    drawn(image, url).addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
  } catch {
    image.classList.add("lost");
  }
}
