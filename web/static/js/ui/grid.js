/**
 * The table: a pool of rows over a list of any length.
 *
 * Promises: only what is in view (and the row the keyboard is at) has elements; a quote keeps its row element while
 * both are in view, however the order changes; scrolling is painted in the next frame. Never sorts or filters.
 */

import { COLUMNS } from "./columns.js";
import { Flashes } from "./flash.js";
import { Row } from "./row.js";

const OVERSCAN_ROWS = 3; // above and below
const FLASH_WITHIN_MS = 250; // a move that could not be painted by then is no news

export class Grid {
  #element;
  #body;
  #surroundings;
  #scheduler;
  #flashes = new Flashes();
  /** @type {import("../store/quote.js").Quote[]} */
  #quotes = [];
  #indexes = new Map(); // symbol -> place in the list
  #rows = new Map(); // symbol -> row in use
  #spare = [];
  #current = null; // symbol that the keyboard is at
  #rowHeight = 30;
  #viewHeight = 0;
  #layoutJob = () => this.#layout();

  /**
   * @param {HTMLElement} gridElement
   * @param {import("./cells.js").Surroundings} surroundings
   * @param {import("./scheduler.js").Scheduler} scheduler
   */
  constructor(gridElement, surroundings, scheduler) {
    this.#element = gridElement;
    this.#body = gridElement.querySelector(".grid-body");
    this.#surroundings = surroundings;
    this.#scheduler = scheduler;
    gridElement.ariaColCount = String(COLUMNS.length);
    gridElement.addEventListener("scroll", () => scheduler.soon(this.#layoutJob), { passive: true });
    this.#body.addEventListener("keydown", (event) => this.#key(event));
    this.#body.addEventListener("focusin", (event) => this.#enter(event.target));
    this.#body.addEventListener("click", (event) => this.#click(event.target));
    // A star is pressed without taking the keyboard to its row.
    this.#body.addEventListener("mousedown", (event) => event.target.closest("button") && event.preventDefault());
    new ResizeObserver(() => this.#measure()).observe(gridElement);
  }

  /** Told when the keyboard moves the current row. */
  onMove = () => {};
  /** Told the symbol whose star was pressed. */
  onStar = () => {};
  /** Told the symbol whose row was clicked, or at which Enter was pressed. */
  onOpen = () => {};
  /** Told when a key wants to leave the rows upwards. */
  onLeaveUp = () => {};

  /** The symbol that the keyboard is at, or null if it is not in the list. */
  get current() {
    return this.#indexes.has(this.#current) ? this.#current : null;
  }

  /** Symbols that have a row now. */
  get symbolsInView() {
    return this.#rows.keys();
  }

  /** Show this list. Rows move, none is rebuilt that stays in view, the scroll position stays. */
  show(quotes) {
    const hadFocus = this.#body.contains(document.activeElement);
    const place = this.#indexes.get(this.#current) ?? 0;
    this.#quotes = quotes;
    this.#indexes = new Map(quotes.map((quote, i) => [quote.symbol, i]));
    this.#element.ariaRowCount = String(quotes.length + 1);
    this.#body.style.height = `${quotes.length * this.#rowHeight}px`;
    if (hadFocus && this.current === null) {
      // The keyboard stays where it was, on what is there now.
      this.#current = quotes[Math.min(place, quotes.length - 1)]?.symbol ?? null;
    }
    this.#layout();
    if (hadFocus) this.#rows.get(this.#current)?.element.focus({ preventScroll: true });
  }

  /**
   * Paint quotes that have changed, and flash what moved.
   * @param {Iterable<import("../store/quote.js").Quote>} dirty
   */
  paint(dirty) {
    const now = performance.now();
    for (const quote of dirty) {
      const row = this.#rows.get(quote.symbol);
      if (row?.quote === quote) {
        row.paint();
        if (now - quote.movedAtMs < FLASH_WITHIN_MS) row.flash();
      }
      quote.moves.price = quote.moves.bid = quote.moves.ask = 0;
    }
  }

  /** Paint what changes by itself: ages, trends, freshness. */
  paintSlowly() {
    for (const row of this.#rows.values()) row.paintSlowly();
  }

  /** Paint every row in view anew, for instance because the connection's state has changed. */
  paintAll() {
    for (const row of this.#rows.values()) row.paint();
  }

  /** Make this symbol's row the current one, without moving the keyboard. */
  select(symbol) {
    this.#current = symbol;
    this.#layout();
  }

  /** Move the keyboard to the current row, or to the first in view. */
  focus() {
    const row = this.#rows.get(this.#current) ?? this.#rows.get(this.#quotes[this.#firstInView()]?.symbol);
    row?.element.focus();
  }

  #measure() {
    const style = getComputedStyle(this.#element);
    const rowHeight = parseFloat(style.getPropertyValue("--row-height"));
    const headHeight = parseFloat(style.getPropertyValue("--grid-head-height"));
    this.#viewHeight = this.#element.clientHeight - headHeight;
    if (rowHeight !== this.#rowHeight) {
      this.#rowHeight = rowHeight;
      this.#body.style.height = `${this.#quotes.length * rowHeight}px`;
    }
    this.#scheduler.soon(this.#layoutJob);
  }

  #firstInView() {
    return Math.max(0, Math.floor(this.#element.scrollTop / this.#rowHeight));
  }

  #layout() {
    const first = Math.max(0, this.#firstInView() - OVERSCAN_ROWS);
    const inView = Math.ceil(this.#viewHeight / this.#rowHeight) + 1;
    const end = Math.min(this.#quotes.length, this.#firstInView() + inView + OVERSCAN_ROWS);
    const wanted = new Map();
    for (let i = first; i < end; i += 1) wanted.set(this.#quotes[i].symbol, i);
    if (this.current !== null) wanted.set(this.#current, this.#indexes.get(this.#current));
    for (const [symbol, row] of this.#rows) {
      if (!wanted.has(symbol)) {
        this.#rows.delete(symbol);
        this.#spare.push(row);
      }
    }
    for (const [symbol, index] of wanted) this.#seat(this.#quotes[index], index, symbol);
    for (const row of this.#spare) row.element.hidden = true;
    this.#markRows();
  }

  #seat(quote, index, symbol) {
    let row = this.#rows.get(symbol);
    if (row === undefined) {
      row = this.#spare.pop() ?? this.#newRow();
      row.element.hidden = false;
      this.#rows.set(symbol, row);
    }
    if (row.quote !== quote) row.bind(quote);
    row.place(index, this.#rowHeight);
  }

  #newRow() {
    const row = new Row(this.#surroundings, this.#flashes);
    this.#body.append(row.element);
    return row;
  }

  #markRows() {
    const tabStop = this.current ?? this.#quotes[this.#firstInView()]?.symbol;
    for (const [symbol, row] of this.#rows) {
      row.mark({ current: symbol === this.#current, tabStop: symbol === tabStop });
    }
  }

  #click(target) {
    const symbol = target.closest(".row")?.dataset.symbol;
    if (symbol === undefined) return;
    if (target.closest("button")) {
      this.onStar(symbol);
      return;
    }
    this.#enter(target);
    this.onOpen(symbol);
  }

  #enter(target) {
    const symbol = target.closest(".row")?.dataset.symbol;
    if (symbol === undefined || symbol === this.#current) return;
    this.#current = symbol;
    this.#layout();
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" && event.target.matches(".row")) {
      event.preventDefault();
      this.onOpen(this.current);
    }
    const index = this.#indexes.get(this.#current) ?? this.#firstInView();
    const page = Math.max(1, Math.floor(this.#viewHeight / this.#rowHeight) - 1);
    const last = this.#quotes.length - 1;
    const goals = {
      ArrowUp: index - 1,
      ArrowDown: index + 1,
      PageUp: Math.max(0, index - page),
      PageDown: Math.min(last, index + page),
      Home: 0,
      End: last,
    };
    const goal = goals[event.key];
    if (goal === undefined) return;
    event.preventDefault();
    if (goal < 0) this.onLeaveUp();
    else if (goal <= last) this.#moveTo(goal);
  }

  #moveTo(index) {
    this.onMove();
    this.#current = this.#quotes[index].symbol;
    const top = index * this.#rowHeight;
    const bottom = top + this.#rowHeight - this.#viewHeight;
    const { scrollTop } = this.#element;
    this.#element.scrollTop = Math.min(top, Math.max(bottom, scrollTop));
    this.#layout();
    this.#rows.get(this.#current).element.focus({ preventScroll: true });
  }
}
