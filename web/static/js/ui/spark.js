/**
 * The drawing of one hour as SVG path data. Pure.
 */

import { POINTS } from "../store/trend.js";

export const WIDTH = POINTS - 1;
export const HEIGHT = 24;

const PADDING = 3;

/**
 * Paths of a line through the points, drawn on to the right edge, and of the area below it.
 * @param {[number, number][]} points of a Trend
 * @returns {{line: string, area: string}} empty where there is nothing to draw
 */
export function sparkPaths(points) {
  if (points.length === 0 || (points.length === 1 && points[0][0] === WIDTH)) return { line: "", area: "" };
  const prices = points.map(([, price]) => price);
  const least = Math.min(...prices);
  const span = Math.max(...prices) - least;
  const y = (price) => {
    const share = span === 0 ? 0.5 : (price - least) / span;
    return (HEIGHT - PADDING - share * (HEIGHT - 2 * PADDING)).toFixed(1);
  };
  let line = "";
  for (const [slot, price] of points) line += `${line === "" ? "M" : "L"}${slot} ${y(price)}`;
  const [lastSlot, lastPrice] = points.at(-1);
  if (lastSlot < WIDTH) line += `L${WIDTH} ${y(lastPrice)}`;
  return { line, area: `${line}V${HEIGHT}H${points[0][0]}Z` };
}
