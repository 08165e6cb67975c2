/**
 * The table: a pool of rows over a list of any length.
 *
 * Promises: only rows in view, and the current one, have elements, except for paper; a quote keeps its row element while
 * it is in view, however the order changes; scrolling is painted in the next frame. Never sorts or filters.
 */

import { cellText, rowLabel } from "./cells.js";
import { Flashes, Row, fitting, template } from "./rows.js";
import { element, find, phone } from "./elements.js";

const OVERSCAN_ROWS = 3; // above and below
const DRAWN_PX = 3; // a press that moved no farther is a click
const FLASH_WITHIN_MS = 250; // a move that is painted later is not news any more
const TEN_DIGITS_PX = 81; // their width where text is as large as the columns expect
const PAPER_PX = 700; // narrower than any upright sheet
const MOST_ON_PAPER = 2000; // rows

export class Grid {
  #element = find("#grid");
  #body = find(".grid-body");
  #page;
  #flashes = new Flashes();
  /** @type {import("../store/quote.js").Quote[]} */
  #quotes = [];
  #indexes = new Map(); // symbol -> place in the list
  #rows = new Map(); // symbol -> row in use
  #spare = [];
  #current = null; // symbol of the current row, which has the focus when the grid has it
  #chosen = []; // columns
  #rowHeight = 30;
  #viewHeight = 0;
  #scrollTop = 0; // as far as it is known: to ask for it amid changes would cost a layout
  #pressedAt = 0; // where the mouse was pressed, to tell a click from a selection of text
  #digits = element("span", { class: "digits", "aria-hidden": "true" }, "0123456789");
  #tracks = ""; // the columns' widths
  #printed = false;
  #layoutJob = () => this.#layout();

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
    this.#element.addEventListener("scroll", () => {
      this.#scrollTop = this.#element.scrollTop;
      page.scheduler.soon(this.#layoutJob);
    }, { passive: true });
    this.#body.addEventListener("keydown", (event) => this.#key(event));
    this.#body.addEventListener("focusin", (event) => this.#enter(event.target));
    this.#body.addEventListener("click", (event) => this.#click(event));
    this.#body.addEventListener("contextmenu", (event) => this.#menu(event));
    this.#body.addEventListener("copy", (event) => this.#copy(event));
    // Pressing a star does not move the focus to its row.
    this.#body.addEventListener("mousedown", (event) => {
      this.#pressedAt = event.clientX;
      if (event.target.closest("button")) event.preventDefault();
    });
    this.#element.after(this.#digits);
    const room = new ResizeObserver(() => this.measure());
    for (const one of [this.#element, this.#digits]) room.observe(one);
    addEventListener("beforeprint", () => this.#print(true));
    addEventListener("afterprint", () => this.#print(false));
  }

  /** The chosen columns that fit now. @type {import("./rows.js").Column[]} */
  columns = [];

  /** Symbols that have a row now. */
  get symbolsInView() {
    return this.#rows.keys();
  }

  /** The current row's quote, or null if it is not in the list. */
  get currentQuote() {
    return this.#quotes[this.#indexes.get(this.#current)] ?? null;
  }

  get hasFocus() {
    return this.#body.contains(document.activeElement);
  }

  /** A quote's row in words, for screen readers. */
  labelOf(quote) {
    return rowLabel(quote, this.#page.freshness.state(quote), this.#page);
  }

  /** Where a quote's menu opens: below its symbol. */
  placeOf({ symbol }) {
    const { left, bottom } = this.#rows.get(symbol).element.children[1].getBoundingClientRect();
    return { x: left, y: bottom };
  }

  /** Have these columns, as far as they fit. @param {import("./rows.js").Column[]} columns */
  use(columns) {
    this.#chosen = columns;
    this.measure();
  }

  /** Make every row anew: the columns or the formats have changed. */
  rebuild() {
    const hadFocus = this.hasFocus;
    for (const row of [...this.#rows.values(), ...this.#spare]) {
      row.stopFlashes();
      row.element.remove();
    }
    this.#rows.clear();
    this.#spare = [];
    this.#layout();
    if (hadFocus) this.#rows.get(this.#current)?.element.focus({ preventScroll: true });
  }

  /** End all flashes at once. */
  calm() {
    for (const row of this.#rows.values()) row.stopFlashes();
  }

  /** Whether cells flash. */
  set flashing(on) {
    this.#flashes.wanted = on;
    if (!on) this.calm();
  }

  /** Show this list. Rows move, none is rebuilt that stays in view, the scroll position stays. */
  show(quotes) {
    const hadFocus = this.hasFocus;
    const place = this.#indexes.get(this.#current) ?? 0;
    this.#quotes = quotes;
    this.#indexes = new Map(quotes.map((quote, i) => [quote.symbol, i]));
    this.#element.setAttribute("aria-rowcount", quotes.length + 1);
    this.#body.style.height = `${quotes.length * this.#rowHeight}px`;
    if (hadFocus && !this.#indexes.has(this.#current)) {
      // The focus keeps its place in the list.
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
      quote.rest();
    }
  }

  /** Paint what changes by itself: ages, trends, freshness. */
  paintSlowly() {
    for (const row of this.#rows.values()) row.paintSlowly();
  }

  /** Paint every row, for instance because the connection's state has changed. */
  paintAll() {
    for (const row of this.#rows.values()) row.paint();
  }

  /** Paint everything as it is now, without flashes. */
  settle(dirty) {
    for (const quote of dirty) quote.rest();
    this.calm();
    this.paintAll();
    this.paintSlowly();
  }

  /** Bring the rows' order in the document in line with the screen, for screen readers and copying. */
  arrange() {
    let next = null;
    for (const [symbol] of [...this.#rows].sort(([a], [b]) => this.#indexes.get(b) - this.#indexes.get(a))) {
      const { element } = this.#rows.get(symbol);
      const focused = element.contains(document.activeElement); // moving it would lose the focus
      if (element.nextElementSibling !== next && !focused) this.#body.insertBefore(element, next);
      next = element;
    }
  }

  /** Scroll to the top: this is another list. */
  toTop() {
    this.#element.scrollTop = this.#scrollTop = 0;
  }

  /** Make this symbol's row the current one, without moving the focus. */
  select(symbol) {
    this.#current = symbol;
    this.#layout();
  }

  /** Focus the current row, or the first in view. */
  focus() {
    const row = this.#rows.get(this.#current) ?? this.#rows.get(this.#quotes[this.#firstInView()]?.symbol);
    row?.element.focus();
  }

  /** Measure the room there is. */
  measure() {
    const style = getComputedStyle(this.#element);
    const rowHeight = parseFloat(style.getPropertyValue("--row-height"));
    const headHeight = parseFloat(style.getPropertyValue("--grid-head-height"));
    this.#viewHeight = this.#element.clientHeight - headHeight;
    if (rowHeight !== this.#rowHeight) {
      this.#rowHeight = rowHeight;
      this.#body.style.height = `${this.#quotes.length * rowHeight}px`;
    }
    // Larger where the browser has a least size for text, where the user spaces it out, and in a wide font.
    const scale = Math.max(1, this.#digits.offsetWidth / TEN_DIGITS_PX);
    const width = this.#printed ? PAPER_PX : this.#element.clientWidth;
    const columns = fitting(this.#chosen, width / scale, phone.matches && !this.#printed);
    const tracks = template(columns, scale);
    if (tracks !== this.#tracks) this.#change(columns, tracks);
    this.#page.scheduler.soon(this.#layoutJob);
  }

  #change(columns, tracks) {
    this.columns = columns;
    this.#tracks = tracks;
    this.#element.setAttribute("aria-colcount", columns.length);
    this.#element.style.setProperty("--columns", tracks);
    this.#page.head.use(columns);
    this.rebuild();
  }

  /** On paper there are all rows, in their order, and the columns that fit. */
  #print(printed) {
    this.#printed = printed;
    this.measure();
    this.rebuild(); // afterwards to be rid of what only paper needed
    this.arrange();
  }

  #firstInView() {
    const most = this.#quotes.length * this.#rowHeight - this.#viewHeight;
    return Math.max(0, Math.floor(Math.min(this.#scrollTop, most) / this.#rowHeight));
  }

  #layout() {
    const top = this.#printed ? 0 : this.#firstInView();
    const first = Math.max(0, top - OVERSCAN_ROWS);
    const inView = this.#printed ? MOST_ON_PAPER : Math.ceil(this.#viewHeight / this.#rowHeight) + 1;
    const end = Math.min(this.#quotes.length, top + inView + OVERSCAN_ROWS);
    const wanted = new Map();
    for (let i = first; i < end; i += 1) wanted.set(this.#quotes[i].symbol, i);
    if (this.currentQuote !== null) wanted.set(this.#current, this.#indexes.get(this.#current));
    for (const [symbol, row] of this.#rows) {
      if (!wanted.has(symbol)) {
        this.#rows.delete(symbol);
        this.#spare.push(row);
      }
    }
    for (const [symbol, index] of wanted) this.#seat(this.#quotes[index], index, symbol);
    for (const row of this.#spare) row.element.hidden = true;
    this.#markRows(top);
  }

  #seat(quote, index, symbol) {
    const known = this.#rows.get(symbol);
    const row = known ?? this.#freeRow(index);
    this.#rows.set(symbol, row);
    row.element.hidden = false;
    if (known?.quote !== quote) row.bind(quote); // a free one has not been painted lately, whatever it shows
    row.place(index, this.#rowHeight);
  }

  /** A row not in use: one in that place, so that nothing moves when all are in another order; else the last one. */
  #freeRow(index) {
    const there = this.#spare.findIndex((one) => one.index === index);
    return this.#spare.splice(there, 1).at(0) ?? this.#newRow();
  }

  #newRow() {
    const row = new Row(this.#page, this.#flashes, this.columns);
    this.#body.append(row.element);
    return row;
  }

  #markRows(top) {
    const tabStop = (this.currentQuote ?? this.#quotes[top])?.symbol;
    for (const [symbol, row] of this.#rows) {
      row.mark({ current: symbol === this.#current, tabStop: symbol === tabStop });
    }
  }

  #click({ target, clientX }) {
    const row = this.#rows.get(target.closest(".row")?.dataset.symbol);
    if (row === undefined) return;
    const action = target.closest("button")?.dataset.action;
    if (action !== undefined) {
      this.#page.actions.onRow(action, row.quote);
      return;
    }
    this.#enter(target);
    const drawn = Math.abs(clientX - this.#pressedAt) > DRAWN_PX && !getSelection().isCollapsed;
    if (!drawn) this.#page.open(row.quote); // else text was selected
  }

  // Copies selected rows for a spreadsheet: tabs between cells, where the browser would put line breaks.
  #copy(event) {
    if (!String(getSelection()).trim().includes("\n")) return; // part of one cell
    const marked = (node) => getSelection().containsNode(node, true);
    const rows = [...this.#body.children].filter((row) => !row.hidden && marked(row));
    const columns = this.columns.map((_, i) => rows.map(({ children }) => children[i]))
      .filter((cells) => cells.some((cell) => cell.textContent !== "" && marked(cell)));
    const lines = rows.map((_, i) => columns.map((cells) => cellText(cells[i])).join("\t"));
    event.clipboardData.setData("text/plain", lines.join("\n"));
    event.preventDefault();
  }

  // Also by the menu key, Shift+F10 and a long press.
  #menu(event) {
    const row = event.target.closest(".row");
    if (row === null || this.#page.prefs.embedded) return; // an embedded page has the browser's own menu
    event.preventDefault();
    const { quote } = this.#rows.get(row.dataset.symbol);
    const pointed = event.clientX > 0 || event.clientY > 0;
    this.#page.actions.openRowMenu(quote, pointed && event.button !== 0 ? { x: event.clientX, y: event.clientY } : this.placeOf(quote));
  }

  #enter(target) {
    const symbol = target.closest(".row")?.dataset.symbol;
    if (symbol !== undefined && symbol !== this.#current) this.select(symbol);
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" && event.target.matches(".row")) {
      event.preventDefault();
      this.#page.open(this.currentQuote);
      return;
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
    if (goal < 0) this.#page.head.focus();
    else if (goal <= last) this.#moveTo(goal);
  }

  #moveTo(index) {
    this.#page.hold.keyed();
    this.#current = this.#quotes[index].symbol;
    const top = index * this.#rowHeight;
    const bottom = top + this.#rowHeight - this.#viewHeight;
    this.#element.scrollTop = this.#scrollTop = Math.min(top, Math.max(bottom, this.#scrollTop));
    this.#layout();
    this.#rows.get(this.#current).element.focus({ preventScroll: true });
  }
}
