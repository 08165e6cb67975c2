/**
 * What the table is made of: the columns that it can have, its header row, and the pooled rows. A column's `key` is also
 * what it sorts by (store/view.js) and its name in URLs.
 */

import {
  ageCell, changeCell, lastCell, plainCell, rangeCell, rowLabel, starCell, symbolCell, trendCell, written,
} from "./cells.js";
import { button, element, find, onKeys, phone, setAttribute, setText } from "./elements.js";

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} title empty: not sortable
 * @property {(page: object, column: Column) => object} [cell] makes a cell, see cells.js; by default a plain one
 * @property {(value: unknown, page: object, quote: object) => string[]} [write] the text of a plain one
 * @property {number} width its usual width in pixels, and its share of the room left over
 * @property {number} [least] width below which it is not useful; by default `width`
 * @property {number} [rank] where room is scarce the lowest goes first; a column without one never goes
 * @property {boolean} [text] left-aligned: not a number
 * @property {string} [hint] its tooltip
 */

/** @type {Column[]} */
const COLUMNS = [
  { key: "star", title: "", text: true, cell: starCell, width: 42 },
  { key: "symbol", title: "Symbol", text: true, cell: symbolCell, width: 190, least: 112 },
  { key: "last", title: "Last", cell: lastCell, width: 116, least: 112 },
  { key: "change", title: "24 h", cell: changeCell, width: 84, rank: 16, hint: "Change over 24 hours" },
  { key: "trend", title: "1 h trend", text: true, cell: trendCell, width: 115, least: 70, rank: 13 },
  { key: "range", title: "24 h range", text: true, cell: rangeCell, width: 111, rank: 4,
    hint: "Low to high; thin mark: open, thick mark: last" },
  { key: "bid", title: "Bid", write: written.price, width: 96, least: 88, rank: 12 },
  { key: "ask", title: "Ask", write: written.price, width: 96, least: 88, rank: 11 },
  { key: "spread", title: "Spread", write: written.spread, width: 56, rank: 5, hint: "In basis points" },
  { key: "volume", title: "Volume", write: written.volume, width: 78, least: 70, rank: 14,
    hint: "Over 24 hours, in quote currency" },
  { key: "age", title: "Age", cell: ageCell, width: 60, least: 56, rank: 15, hint: "How old the price is" },
  { key: "difference", title: "Change", write: written.difference, width: 96, rank: 10,
    hint: "Over 24 hours, in quote currency" },
  { key: "open", title: "Open", write: written.price, width: 92, rank: 9, hint: "24 hours ago" },
  { key: "high", title: "High", write: written.price, width: 92, rank: 8, hint: "Over 24 hours" },
  { key: "low", title: "Low", write: written.price, width: 92, rank: 7, hint: "Over 24 hours" },
  { key: "bidsize", title: "Bid size", write: written.volume, width: 78, rank: 2,
    hint: "At the best bid, in base currency" },
  { key: "asksize", title: "Ask size", write: written.volume, width: 78, rank: 1,
    hint: "At the best ask, in base currency" },
  { key: "source", title: "Source", text: true, write: written.text, width: 86, rank: 6, hint: "Feed that the price comes from" },
  { key: "updated", title: "Updated", write: written.time, width: 92, rank: 3, hint: "Time of the price" },
];

const DEFAULT = ["change", "trend", "range", "bid", "ask", "spread", "volume", "age"];
const ON_PHONES = ["star", "symbol", "trend", "last", "change", "age"]; // css/page.css gives them places

/** Which cell flashes for which of a quote's moves. */
const FLASHING = { price: "last", bid: "bid", ask: "ask" };
const FLASH_STEP_MS = 200;

const byKey = new Map(COLUMNS.map((column) => [column.key, column]));

/** The column with this key, if there is one. */
export const columnOf = (key) => byKey.get(key);

/** The columns that can be hidden. */
export const OPTIONAL = COLUMNS.filter(({ rank }) => rank !== undefined);

/** The columns of a `cols` setting: keys in order, separated by commas; empty for the default ones. */
export function chosenColumns(choice) {
  const named = choice.split(",").map(columnOf).filter((column) => OPTIONAL.includes(column));
  const wanted = named.length > 0 ? new Set(named) : DEFAULT.map(columnOf);
  return [...COLUMNS.filter((column) => !OPTIONAL.includes(column)), ...wanted];
}

/** The columns that fit into this width, without the least useful ones. */
export function fitting(columns, widthPx, onPhone) {
  if (onPhone) return ON_PHONES.map(columnOf);
  let total = columns.reduce((sum, { width, least = width }) => sum + least, 0);
  const dropped = new Set();
  for (const column of columns.filter((one) => OPTIONAL.includes(one)).sort((a, b) => a.rank - b.rank)) {
    if (total <= widthPx) break;
    total -= column.least ?? column.width;
    dropped.add(column);
  }
  return columns.filter((column) => !dropped.has(column));
}

/** The widths of these columns in CSS, for text that is this much larger than usual. */
export function template(columns, scale) {
  const tracks = columns.map(({ key, width, least = width }) =>
    key === "star" ? `${width}px` : `minmax(${least * scale}px, ${width}fr)`);
  return tracks.join(" ");
}

/** The header row: titles, an arrow at the sorted one, and clicks that sort. */
export class Head {
  #row = find(".grid-head");
  #page;
  #cells = new Map(); // column key -> {cell, sorter, arrow}
  #held = element("span", { class: "order-held" });

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
    onKeys(this.#row, {
      ArrowLeft: ({ target }) => this.#move(target, -1),
      ArrowRight: ({ target }) => this.#move(target, 1),
      Home: () => this.#sorters.at(0).focus(),
      End: () => this.#sorters.at(-1).focus(),
      ArrowDown: () => page.grid.focus(),
    });
  }

  /** Have these columns. @param {Column[]} columns */
  use(columns) {
    const focused = this.#row.contains(document.activeElement);
    this.#cells.clear();
    this.#row.replaceChildren(...columns.map((column, i) => this.#cell(column, i)));
    this.#cells.get("symbol").sorter.append(this.#held);
    this.show();
    if (focused) this.focus();
  }

  #cell({ key, title, text, hint }, i) {
    const look = text ? "head-cell" : "head-cell number";
    const cell = element("div", { class: look, role: "columnheader", "aria-colindex": i + 1, "data-column": key });
    if (title === "") {
      cell.append(element("span", { class: "hidden-text" }, "Favourite"));
      return cell;
    }
    const arrow = element("span", { class: "arrow", "aria-hidden": "true" });
    const sorter = button({ tabindex: "-1", title: hint ?? "" }, () => this.#page.listing.sortBy(key), title, arrow);
    cell.append(sorter);
    this.#cells.set(key, { cell, sorter, arrow });
    return cell;
  }

  /** Show the order, and whether a newer one is waiting. */
  show() {
    const { sort, waiting } = this.#page.view;
    setText(this.#held, waiting ? "· order held" : "");
    for (const [key, { cell, arrow }] of this.#cells) {
      const way = key !== sort.key ? null : sort.descending ? "descending" : "ascending";
      setAttribute(cell, "aria-sort", way);
      setText(arrow, { descending: "▼", ascending: "▲" }[way] ?? "");
    }
  }

  /** Focus the sorted column, or the first; where the head cannot be seen, the rows. */
  focus() {
    if (phone.matches) this.#page.grid.focus();
    else (this.#cells.get(this.#page.view.sort.key) ?? this.#cells.get("symbol")).sorter.focus();
  }

  get #sorters() {
    return Array.from(this.#cells.values(), ({ sorter }) => sorter);
  }

  #move(from, step) {
    this.#sorters[this.#sorters.indexOf(from) + step]?.focus();
  }
}

/**
 * One pooled row: the same elements for whichever quote it is bound to.
 *
 * Promises: while it is bound to a quote, only text nodes, classes and transforms change, and only those whose input
 * has changed.
 */
export class Row {
  /** @type {import("../store/quote.js").Quote | null} */
  quote = null;
  /** Its place in the list, or its last one. @type {number | null} */
  index = null;
  element = element("div", { class: "row", role: "row", tabindex: "-1" });

  #page;
  #flashes;
  #cells = new Map();
  #labelled = null; // the state that its name was made in

  /**
   * @param {object} page see main.js
   * @param {Flashes} flashes
   * @param {Column[]} columns
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
    this.#labelled = null; // even if it has the focus: its name is another symbol's
    this.stopFlashes();
    this.paint();
    this.paintSlowly();
  }

  /** Move to this place in the list. */
  place(index, rowHeight) {
    this.element.style.top = `${index * rowHeight}px`; // with a transform Firefox selects text in other rows, too
    if (index === this.index) return;
    this.index = index;
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
    // Some screen readers read out what has the focus whenever its name changes, which would be with every price.
    if (this.element === document.activeElement && state === this.#labelled) return;
    this.#labelled = state;
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
    setAttribute(this.element, "data-state", state === "live" ? null : state);
    this.stopFlashes();
    return state;
  }

  /** End the row's flashes at once. */
  stopFlashes() {
    for (const key of Object.values(FLASHING)) this.#flashes.stop(this.#cells.get(key)?.element);
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
    this.stop(cell);
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
