/**
 * Every key that does something.
 */

import { element } from "../elements.js";

export const title = "Keyboard shortcuts";

const GROUPS = [
  ["Everywhere", [
    ["/", "search; also Ctrl+K"], ["↓", "to the rows"], ["Space", "pause, resume"], ["[ ]", "list before, list after"],
    ["T", "next theme"], ["C", "columns"], ["E", "export this list as CSV"], ["L", "copy a link to this view"],
    ["?", "this"],
  ]],
  ["On a row", [
    ["↑ ↓ PgUp PgDn", "move"], ["Home End", "first, last"], ["Enter", "open details"], ["Esc", "close details"],
    ["F", "favourite, or not"], ["A", "add an alert"], ["R", "say the row"], ["M", "menu: lists"], ["+", "add to this list"],
    ["Delete", "remove from this list"], ["1 … 6", "interval of the chart"],
  ]],
  ["On the head of the table", [["← →", "move"], ["Enter", "sort: down, up, usual"]]],
  ["On the tab of a list of your own", [["F2", "rename"], ["Alt+← Alt+→", "move"], ["Delete", "delete"]]],
];

export function build({ prefs }) {
  const groups = GROUPS.map(([name, keys]) => {
    const lines = keys.map(([key, does]) => {
      const parts = key.split(" ").map((part) => element("kbd", {}, part));
      return element("div", {}, element("dt", {}, ...parts), element("dd", {}, does));
    });
    return element("section", {}, element("h3", {}, name), element("dl", { class: "keys" }, ...lines));
  });
  const off = prefs.get("letters") === "off" ? [element("p", { class: "note" }, "Single-letter keys are switched off.")] : [];
  return { body: [...off, element("div", { class: "key-groups" }, ...groups)] };
}
