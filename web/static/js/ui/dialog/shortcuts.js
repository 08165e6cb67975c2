/**
 * All keyboard shortcuts.
 */

import { element } from "../elements.js";

export const title = "Keyboard shortcuts";

const GROUPS = [
  ["Anywhere", [
    ["/", "Search (also Ctrl+K)"], ["↓", "Go to the table"], ["Space", "Pause or resume"], ["[ ]", "Previous or next list"],
    ["T", "Next theme"], ["C", "Columns"], ["E", "Export as CSV"], ["L", "Copy link"], ["?", "Keyboard shortcuts"],
  ]],
  ["Rows", [
    ["↑ ↓ PgUp PgDn", "Move"], ["Home End", "First or last row"], ["Enter", "Open details"], ["Esc", "Close details"],
    ["F", "Toggle favourite"], ["A", "Add alert"], ["R", "Read the row aloud"], ["M", "Open the row’s menu"],
    ["+", "Add to this list"], ["Delete", "Remove from this list"], ["1 … 6", "Chart interval"],
  ]],
  ["Column headers", [["← →", "Move"], ["Enter", "Sort: descending, ascending, default"]]],
  ["Chart", [["← →", "Previous or next bar"], ["Home End", "First or last bar"]]],
  ["Tabs of your lists", [["F2", "Rename"], ["Alt+← Alt+→", "Move"], ["Delete", "Delete"]]],
];

export function build({ prefs }) {
  const groups = GROUPS.map(([name, keys]) => {
    const lines = keys.map(([key, does]) => {
      const parts = key.split(" ").map((part) => element("kbd", {}, part));
      return element("div", {}, element("dt", {}, ...parts), element("dd", {}, does));
    });
    return element("section", {}, element("h3", {}, name), element("dl", { class: "keys" }, ...lines));
  });
  const off = prefs.get("letters") === "off" ? [element("p", { class: "note" }, "Single-letter keys are off. They can be turned on in Settings.")] : [];
  return { body: [...off, element("div", { class: "key-groups" }, ...groups)] };
}
