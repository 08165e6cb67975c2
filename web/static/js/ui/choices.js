/**
 * What a choice of the user's changes at once. What is listed is listing.js's.
 */

import { chosenColumns } from "./columns.js";

/** @param {string} name of a choice, see store/prefs.js @param {object} page see main.js */
export function applyChoice(name, { prefs, theme, grid, scheduler, times, numbers, details }) {
  const value = prefs.get(name);
  if (name === "theme" || name === "updown" || name === "density") theme.apply();
  if (name === "density") grid.measure();
  if (name === "cols") grid.use(chosenColumns(value));
  if (name === "rate") scheduler.paintsPerSecond = Number(value);
  if (name === "flashes") grid.flashing = value === "on";
  if (name === "tz") times.local = value === "local";
  if (name === "locale") numbers.use(value);
  if (name !== "tz" && name !== "locale") return;
  grid.rebuild();
  details.redraw();
}
