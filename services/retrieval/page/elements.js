/** Making elements. Text stays text: nothing here ever becomes markup. */

export const $ = (id) => document.getElementById(id);

export function element(tag, className = "", ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

export function show(id, visible) {
  $(id).hidden = !visible;
}
