/** Pictures that the visitor has chosen, for as long as the page is open: Back finds them here. */

const MOST = 20;
const KEPT = new Map();

let count = 0;

/** Keep a picture; its key, which is no other page's. */
export function keep(blob, name) {
  const key = `${performance.timeOrigin}-${++count}`;
  KEPT.set(key, { blob, name, url: URL.createObjectURL(blob) });
  for (const old of [...KEPT.keys()].slice(0, -MOST)) {
    URL.revokeObjectURL(KEPT.get(old).url);
    KEPT.delete(old);
  }
  return key;
}

/** A picture by its key: {blob, name, url}, or undefined where it is gone. */
export const kept = (key) => KEPT.get(key);
