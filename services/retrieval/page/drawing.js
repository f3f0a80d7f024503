/** The picture of the map: dots, the query and its answers on them. */

import { scaleTo } from "./mapping.js";

export const RING = 5.5; // pixels, the radius of an answer's ring
const DIAMOND = 9;
const MARGIN = 18;

/** From places to pixels of a canvas. */
export function scaleOf(canvas, { dots, marked }) {
  const marks = marked ? [marked.query, ...marked.results] : [];
  return scaleTo([...dots.map(({ place }) => place), ...marks], canvas.clientWidth, canvas.clientHeight, MARGIN);
}

/**
 * Draw all of it.
 *
 * @param shown {dots, marked, meant}: what there is, the places of query and results or null, and the dot that is pointed at
 * @param colourOf of a top-level node
 * @param strengthOf of a top-level node, 0 to 1
 */
export function draw(canvas, shown, colourOf, strengthOf) {
  if (!canvas.clientWidth) return; // it is not in view
  const ratio = window.devicePixelRatio;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  const pen = canvas.getContext("2d");
  const at = scaleOf(canvas, shown);
  const colours = getComputedStyle(canvas);
  pen.scale(ratio, ratio);
  for (const { place, top, items } of shown.dots) {
    pen.globalAlpha = strengthOf(top);
    pen.fillStyle = colourOf(top);
    circle(pen, at(place), Math.min(2.2 + 0.8 * Math.sqrt(items.length), 9));
    pen.fill();
  }
  pen.globalAlpha = 1;
  pen.strokeStyle = pen.fillStyle = colours.getPropertyValue("--ink");
  if (shown.marked) marks(pen, at(shown.marked.query), shown.marked.results.map(at), colours.getPropertyValue("--sheet"));
  if (!shown.meant) return;
  pen.lineWidth = 2;
  pen.strokeStyle = colours.getPropertyValue("--accent");
  circle(pen, at(shown.meant.place), 2 * RING);
  pen.stroke();
}

/** The query as a diamond, and lines from it to its answers, which are rings. */
function marks(pen, [x, y], answers, ground) {
  pen.lineWidth = 0.5;
  for (const answer of answers) {
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(...answer);
    pen.stroke();
  }
  pen.lineWidth = 1.6;
  for (const answer of answers) {
    circle(pen, answer, RING);
    pen.stroke();
  }
  pen.beginPath();
  for (const [dx, dy] of [[0, -1], [1, 0], [0, 1], [-1, 0]]) pen.lineTo(x + DIAMOND * dx, y + DIAMOND * dy);
  pen.closePath();
  pen.fill();
  pen.strokeStyle = ground;
  pen.stroke();
}

function circle(pen, [x, y], radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
}
