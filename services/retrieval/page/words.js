/** Numbers and names as they are read. */

const NUMBER = new Intl.NumberFormat("en");

export const number = (value) => NUMBER.format(value);

export const percent = (share) => `${Math.round(100 * share)} %`;

export const counted = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** An item's label paths in a sentence. */
export const labelled = (item) => item.label_paths.map((names) => names.join(" / ")).join(", ") || "no label";

/** A code in pairs of digits. */
export const digits = (code) => code.replace(/(..)(?=.)/g, "$1 ");

export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
