/**
 * Which columns the table has.
 */

import { OPTIONAL, chosenColumns } from "../rows.js";
import { button, element } from "../elements.js";

export const title = "Columns";

const MAKE_ROOM = "Hidden for lack of space: ";

export function build({ prefs, grid }) {
  const usual = OPTIONAL.filter((column) => chosenColumns("").includes(column));
  const note = element("p", { class: "note" });
  const boxes = new Map();
  const show = () => {
    const chosen = chosenColumns(prefs.get("cols"));
    for (const [key, box] of boxes) box.checked = chosen.some((column) => column.key === key);
    const shown = new Set(grid.columns);
    const absent = chosen.filter((column) => !shown.has(column));
    note.textContent = absent.length === 0 ? "" : `${MAKE_ROOM}${absent.map(({ title: name }) => name).join(", ")}.`;
  };
  const choose = () => {
    const chosen = OPTIONAL.filter(({ key }) => boxes.get(key).checked);
    prefs.set("cols", keysOf(chosen) === keysOf(usual) ? "" : keysOf(chosen));
    show();
  };
  const fields = OPTIONAL.map(({ key, title: name, hint }) => {
    const box = element("input", { type: "checkbox", name: key });
    box.addEventListener("change", choose);
    boxes.set(key, box);
    return element("label", { class: "check" }, box, element("span", {}, name), element("small", {}, hint ?? ""));
  });
  const reset = button({ class: "plain-button" }, () => {
    prefs.set("cols", "");
    show();
  }, "Reset to default");
  show();
  return { body: [element("div", { class: "checks" }, ...fields), note, element("div", { class: "buttons" }, reset)] };
}

function keysOf(columns) {
  return columns.map(({ key }) => key).join();
}
