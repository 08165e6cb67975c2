/**
 * The grid's head: titles, the mark of the present order, and clicks that change it.
 */

import { element, setAttribute, setText } from "./elements.js";

export class Head {
  /** Told the key of the column whose title was clicked. */
  onSort = () => {};
  /** Told when a key wants to go down into the rows. */
  onLeaveDown = () => {};

  #row;
  #cells = new Map(); // column key -> {cell, button, arrow}
  #held = element("span", { class: "order-held" }, "· order held");
  #sort = null;

  /** @param {HTMLElement} row */
  constructor(row) {
    this.#row = row;
    this.#held.hidden = true;
    row.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Stand over these columns. @param {import("./columns.js").Column[]} columns */
  use(columns) {
    const focused = this.#row.contains(document.activeElement);
    this.#cells.clear();
    this.#row.replaceChildren(...columns.map((column, i) => this.#cell(column, i)));
    this.#cells.get("symbol").cell.append(this.#held);
    const sort = this.#sort;
    this.#sort = null;
    if (sort !== null) this.show(sort, !this.#held.hidden);
    if (focused) this.focus();
  }

  #cell({ key, title, number, fixed, hint }, i) {
    const attributes = { class: "head-cell", role: "columnheader", "aria-colindex": String(i + 1), "data-column": key };
    const cell = element("div", attributes);
    cell.classList.toggle("number", number === true);
    if (fixed) {
      cell.append(element("span", { class: "hidden-text" }, "Favourite"));
      return cell;
    }
    const arrow = element("span", { class: "arrow", "aria-hidden": "true" }, "");
    const button = element("button", { type: "button", tabindex: "-1" }, title, arrow);
    if (hint) button.title = hint;
    button.addEventListener("click", () => this.onSort(key));
    cell.append(button);
    this.#cells.set(key, { cell, button, arrow });
    return cell;
  }

  /** Show this order, and whether a better one is waiting. */
  show(sort, waiting) {
    if (this.#held.hidden === waiting) this.#held.hidden = !waiting;
    if (sort === this.#sort) return;
    this.#sort = sort;
    for (const [key, { cell, arrow }] of this.#cells) {
      const sorted = key === sort.key;
      setAttribute(cell, "aria-sort", sorted ? (sort.descending ? "descending" : "ascending") : null);
      setText(arrow, sorted ? (sort.descending ? "▼" : "▲") : "");
      arrow.hidden = !sorted;
    }
  }

  /** Move the keyboard to the title of the sorted column, or to the first. */
  focus() {
    (this.#cells.get(this.#sort?.key) ?? this.#cells.get("symbol")).button.focus();
  }

  #key(event) {
    const buttons = Array.from(this.#cells.values(), ({ button }) => button);
    const at = buttons.indexOf(event.target);
    const goal = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (event.key === "ArrowDown") this.onLeaveDown();
    else if (goal !== undefined) buttons[goal]?.focus();
    else return;
    event.preventDefault();
  }
}
