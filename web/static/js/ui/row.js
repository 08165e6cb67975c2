/**
 * One pooled row: the same elements for whichever quote it is bound to.
 *
 * Promises: while it is bound to a quote, only text nodes, classes and transforms change, and only those whose input
 * has changed.
 */

import { plainCell, rowLabel } from "./cells.js";
import { element, setAttribute } from "./elements.js";

/** Which cell flashes for which of a quote's moves. */
const FLASHING = { price: "last", bid: "bid", ask: "ask" };

const FLASH_STEP_MS = 200;

export class Row {
  /** @type {import("../store/quote.js").Quote | null} */
  quote = null;
  element = element("div", { class: "row", role: "row", tabindex: "-1" });

  #page;
  #flashes;
  #cells = new Map();
  #index = null;

  /**
   * @param {object} page see main.js
   * @param {Flashes} flashes
   * @param {import("./columns.js").Column[]} columns
   */
  constructor(page, flashes, columns) {
    this.#page = page;
    this.#flashes = flashes;
    columns.forEach((column, i) => {
      const { key, cell: make = plainCell } = column;
      const cell = make(page, column);
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

  /** Move to this place in the list. */
  place(index, rowHeight) {
    this.element.style.top = `${index * rowHeight}px`; // with a transform Firefox selects text in other rows, too
    if (index === this.#index) return;
    this.#index = index;
    this.element.setAttribute("aria-rowindex", index + 2); // the head is row 1
  }

  /** Set whether this is the current row, and whether Tab leads here. */
  mark({ current, tabStop }) {
    setAttribute(this.element, "aria-selected", String(current));
    setAttribute(this.element, "tabindex", tabStop ? "0" : "-1");
  }

  paint() {
    const state = this.#showState();
    for (const cell of this.#cells.values()) cell.paint(this.quote, state);
  }

  /** Paint what changes by itself, and what costs too much for every paint. */
  paintSlowly() {
    const state = this.#showState();
    for (const cell of this.#cells.values()) cell.paintSlowly?.(this.quote, state);
    setAttribute(this.element, "aria-label", rowLabel(this.quote, state, this.#page));
  }

  /** Flash what has moved since the last paint: the price, or else bid and ask. */
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
    const state = this.#page.freshness.state(this.quote);
    const shown = this.element.dataset.state ?? "live";
    if (state === shown) return state;
    if (state === "live") delete this.element.dataset.state;
    else this.element.dataset.state = state;
    this.stopFlashes();
    return state;
  }

  /** End the row's flashes at once. */
  stopFlashes() {
    for (const key of Object.values(FLASHING)) {
      const cell = this.#cells.get(key);
      if (cell !== undefined) this.#flashes.stop(cell.element);
    }
  }
}

/**
 * The short tint of a cell whose number has just moved: full for 200 ms, half for 200 ms, off.
 *
 * Promises: one timer for all cells; another move in the same direction prolongs the present step and restarts nothing,
 * so that a busy price glows steadily; no flash at all when the user prefers reduced motion.
 */
export class Flashes {
  /** False: switched off in the settings. */
  wanted = true;

  /** @type {Map<HTMLElement, {direction: number, half: boolean, untilMs: number}>} */
  #cells = new Map();
  #timer = null;
  #reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

  /** @param {HTMLElement} cell @param {number} direction 1 or -1 */
  start(cell, direction) {
    if (!this.wanted || this.#reducedMotion.matches) return;
    const untilMs = performance.now() + FLASH_STEP_MS;
    const running = this.#cells.get(cell);
    if (running?.direction === direction) {
      running.untilMs = untilMs;
      return;
    }
    cell.classList.remove("half", className(-direction));
    cell.classList.add(className(direction));
    this.#cells.set(cell, { direction, half: false, untilMs });
    this.#arm();
  }

  /** End a cell's flash at once. */
  stop(cell) {
    const running = this.#cells.get(cell);
    if (running === undefined) return;
    cell.classList.remove("half", className(running.direction));
    this.#cells.delete(cell);
  }

  #arm() {
    if (this.#timer !== null || this.#cells.size === 0) return;
    const nextMs = Math.min(...Array.from(this.#cells.values(), ({ untilMs }) => untilMs));
    this.#timer = setTimeout(() => this.#step(), Math.max(0, nextMs - performance.now()));
  }

  #step() {
    this.#timer = null;
    const now = performance.now();
    for (const [cell, flash] of this.#cells) {
      if (flash.untilMs > now) continue;
      if (flash.half) {
        this.stop(cell);
      } else {
        flash.half = true;
        flash.untilMs = now + FLASH_STEP_MS;
        cell.classList.add("half");
      }
    }
    this.#arm();
  }
}

function className(direction) {
  return direction > 0 ? "flash-up" : "flash-down";
}
