/** Pictures of items, with and without a key. */

import { ask, hasKey } from "./service.js";
import { hasWritten } from "./writes.js";

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

/**
 * Show a picture of the service. It is fetched, once it comes into view, with a key, which an <img> cannot send, and where
 * this page has written: an <img> does not ask again for what the page has shown already, though another picture may be there.
 */
export function draw(image, path) {
  if (!hasKey() && !hasWritten()) return drawn(image, path);
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
