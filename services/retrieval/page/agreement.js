/** What an answer is worth, from what the service says of it. */

/** Number of levels, from the coarsest down, at which a label path runs with the majority's. */
export function agreedLevels(names, majority) {
  const parting = names.findIndex((name, level) => name !== majority[level]?.name);
  return parting < 0 ? names.length : parting;
}

/** Whether so much of the code differs that nothing speaks for the answer, whatever its labels are. */
export const isFar = ({ distance }, bits) => 2 * distance >= bits;

/**
 * How an answer stands at a level: "other", than most; "same" as most, where that is worth something; else "unsure".
 * Probabilities are known for the first label path only.
 */
export function standing(item, { bits, majority }, names, level) {
  if (level >= agreedLevels(names, majority)) return "other";
  const probability = names === item.label_paths[0] ? item.probabilities?.[level] : undefined;
  const likely = probability === undefined ? 4 * item.distance <= bits : probability >= 0.5;
  return likely && !isFar(item, bits) ? "same" : "unsure";
}

/** The label path that goes furthest with the majority, and how it stands at each level. */
export function standings(item, answer) {
  const best = item.label_paths.find((names) => agreedLevels(names, answer.majority) === item.levels_agreed);
  return best ? best.map((_, level) => standing(item, answer, best, level)) : [];
}

/** How like the query an answer is, in a word or none. */
export function mark(item, bits) {
  if (item.identical) return "identical";
  if (item.distance === 0) return "same code";
  return 8 * item.distance <= bits ? "similar" : "";
}

/** The share of the code that agrees, by weights where the answer is ordered by them. */
export const agreed = (item, bits) => 1 - (item.weighted_distance ?? item.distance / bits);
