/**
 * One pooled row: the same elements for whichever quote it is bound to.
 *
 * Promises: between two bindings only text nodes, classes and transforms change, and only those whose input did.
 */

import { rowLabel } from "./cells.js";
import { element, setAttribute } from "./elements.js";

/** Which cell flashes for which of a quote's moves. */
const FLASHING = { price: "last", bid: "bid", ask: "ask" };

export class Row {
  /** @type {import("../store/quote.js").Quote | null} */
  quote = null;
  element = element("div", { class: "row", role: "row", tabindex: "-1" });

  #surroundings;
  #flashes;
  #cells = new Map();
  #index = null;

  /**
   * @param {import("./cells.js").Surroundings} surroundings
   * @param {import("./flash.js").Flashes} flashes
   * @param {import("./columns.js").Column[]} columns
   */
  constructor(surroundings, flashes, columns) {
    this.#surroundings = surroundings;
    this.#flashes = flashes;
    columns.forEach(({ key, cell: makeCell }, i) => {
      const cell = makeCell(surroundings);
      cell.element.classList.add("cell");
      cell.element.dataset.column = key;
      cell.element.setAttribute("role", "gridcell");
      cell.element.setAttribute("aria-colindex", i + 1);
      this.#cells.set(key, cell);
      this.element.append(cell.element);
    });
  }

  /** Show another quote. */
  bind(quote) {
    this.quote = quote;
    this.element.dataset.symbol = quote.symbol;
    this.stopFlashes();
    this.paint();
    this.paintSlowly();
  }

  /** Stand at this place of the list. */
  place(index, rowHeight) {
    this.element.style.top = `${index * rowHeight}px`; // no transform: Firefox would mark text in other rows
    if (index === this.#index) return;
    this.#index = index;
    this.element.setAttribute("aria-rowindex", index + 2); // the head is row 1
  }

  /** Whether this is the row that the keyboard is at, and whether Tab leads here. */
  mark({ current, tabStop }) {
    setAttribute(this.element, "aria-selected", String(current));
    setAttribute(this.element, "tabindex", tabStop ? "0" : "-1");
  }

  paint() {
    const state = this.#showState();
    for (const cell of this.#cells.values()) cell.paint(this.quote, state);
  }

  /** What changes by itself, and what is too costly for every painting. */
  paintSlowly() {
    const state = this.#showState();
    for (const cell of this.#cells.values()) cell.paintSlowly?.(this.quote, state);
    setAttribute(this.element, "aria-label", rowLabel(this.quote, state, this.#surroundings));
  }

  /** Flash what has moved since the last painting: the price, or bid and ask where they moved without it. */
  flash() {
    if (this.element.dataset.state !== undefined) return; // only a live price flashes
    const { moves } = this.quote;
    for (const [side, key] of Object.entries(FLASHING)) {
      if (moves[side] === 0 || (side !== "price" && moves.price !== 0)) continue;
      const cell = this.#cells.get(key);
      if (cell !== undefined) this.#flashes.start(cell.element, moves[side]);
    }
  }

  #showState() {
    const state = this.#surroundings.freshness.state(this.quote);
    const shown = this.element.dataset.state ?? "live";
    if (state === shown) return state;
    if (state === "live") delete this.element.dataset.state;
    else this.element.dataset.state = state;
    this.stopFlashes();
    return state;
  }

  /** End them at once. */
  stopFlashes() {
    for (const key of Object.values(FLASHING)) {
      const cell = this.#cells.get(key);
      if (cell !== undefined) this.#flashes.stop(cell.element);
    }
  }
}
