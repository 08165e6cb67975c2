/**
 * The details of one symbol: price, chart, book, day, sources. Loaded when it first opens.
 *
 * Promises: every number that it shows is one that the page has; what cannot be shown leaves a sentence in its place
 * and breaks nothing else. Later.js opens and closes it.
 */

import { age, direction, MISSING } from "../fmt.js";
import { nearest } from "../store/nearest.js";
import { instrumentOf } from "../store/quote.js";
import { AlertChips } from "./alertchips.js";
import { ARROWS, CLASSES } from "./cells.js";
import { ChartPane } from "./chartpane.js";
import { button, drawing, element, icon, setAttribute, setText } from "./elements.js";
import { dragToClose } from "./sheet.js";
import { Sources } from "./sources.js";

const NEAREST = 3;

export class Panel {
  #element;
  #page;
  #symbol = null;
  #known = null; // whether the symbol exists; null: not known yet
  #wasLive = false;
  #shownPrice = ""; // as text, to tell which digits change
  #chart;
  #sources;
  #chips;
  #parts = {};

  /** @param {HTMLElement} place @param {object} page see main.js */
  constructor(place, page) {
    this.#element = place;
    this.#page = page;
    this.#chart = new ChartPane(page);
    this.#sources = new Sources(page);
    this.#chips = new AlertChips(page);
    const p = this.#parts;
    p.missing = element("div", { class: "panel-missing" });
    p.body = element("div", { class: "panel-body" },
      this.#price(), this.#chart.controls, this.#chart.element, this.#book(), this.#day(), this.#sources.element, this.#chips.element);
    p.head = this.#head();
    place.replaceChildren(p.head, p.body, p.missing);
    dragToClose(place, p.head, () => page.details.close());
  }

  /** @param {string | null} symbol null: the panel has closed */
  show(symbol) {
    this.#symbol = symbol;
    this.#known = null;
    this.#shownPrice = "";
    if (symbol === null) {
      this.#chart.show(null);
      this.#sources.show(null);
      this.#enlarge(false);
      return;
    }
    this.#element.scrollTop = 0;
    setText(this.#parts.base, symbol);
    setText(this.#parts.rest, "");
    this.#parts.body.hidden = this.#parts.missing.hidden = true; // until it is known whether there is such a symbol
    this.paint();
    this.paintSlowly();
  }

  /** @param {number} n counted from one */
  chooseInterval(n) {
    if (this.#symbol !== null) this.#chart.chooseInterval(n);
  }

  /** Times or numbers read otherwise now. */
  redraw() {
    this.paint();
    this.#chart.redraw();
  }

  /** Paint what may have changed with any frame. */
  paint() {
    const quote = this.#find();
    if (quote === undefined) return;
    this.#paintPrice(quote);
    this.#paintBook(quote);
    this.#chart.paint(quote);
    this.#sources.paint();
  }

  /** Paint what changes by itself, or may be late. */
  paintSlowly() {
    const quote = this.#find();
    const { stream, market } = this.#page;
    if (quote === undefined) return;
    if (stream.live && !this.#wasLive) this.#chart.load(); // the bars of a time away
    this.#wasLive = stream.live;
    this.#paintHead(quote);
    this.#paintDay(quote);
    this.#chart.paintSlowly(quote);
    this.#chips.paintSlowly(quote);
    this.#sources.paintSlowly(market.quotes.get(instrumentOf(this.#symbol)));
  }

  #find() {
    const { market } = this.#page;
    if (this.#symbol === null) return undefined;
    const quote = market.quotes.get(this.#symbol) ?? market.venues.get(this.#symbol);
    const known = quote !== undefined;
    if (known !== this.#known && (known || market.filled)) this.#settle(quote);
    return quote;
  }

  // Whether the symbol exists has just become known, or has changed.
  #settle(quote) {
    this.#known = quote !== undefined;
    this.#parts.body.hidden = !this.#known;
    this.#parts.missing.hidden = this.#known;
    this.#wasLive = this.#page.stream.live;
    this.#chart.show(quote ?? null);
    this.#sources.show(this.#known ? instrumentOf(this.#symbol) : null);
    if (this.#known) this.#paintHead(quote);
    else this.#sayMissing();
  }

  #sayMissing() {
    const { market, details } = this.#page;
    const names = nearest(this.#symbol, market.quotes.keys(), NEAREST);
    const buttons = names.map((name) => button({ class: "plain-button" }, () => details.open(name), name));
    const p = this.#parts;
    setText(p.name, "");
    p.star.hidden = p.enlarge.hidden = true;
    p.missing.replaceChildren(
      element("p", {}, `${this.#symbol} · not listed here`),
      ...(names.length === 0 ? [] : [element("p", { class: "nearest" }, "Did you mean:"), ...buttons]),
    );
  }

  // Building

  #head() {
    const { details, listing, lists } = this.#page;
    const p = this.#parts;
    p.base = element("span");
    p.rest = element("span");
    p.name = element("p", { class: "panel-name" });
    p.star = button({ class: "icon-button" }, () => {
      listing.toggle(lists.favourites, instrumentOf(this.#symbol));
      this.paintSlowly();
    }, drawing("star"));
    const enlarge = () => this.#enlarge(!this.#element.classList.contains("large"));
    p.enlarge = button({ class: "icon-button enlarge", "aria-label": "Enlarge" }, enlarge, icon("icon-enlarge"));
    const closer = button({ class: "icon-button close", "aria-label": "Close details" }, () => details.close(), icon("icon-clear"));
    const title = element("h2", {}, p.base, p.rest);
    return element("header", { class: "panel-head" }, title, p.name, p.star, p.enlarge, closer);
  }

  #enlarge(on) {
    this.#element.classList.toggle("large", on);
    setAttribute(this.#parts.enlarge, "aria-pressed", String(on));
  }

  #price() {
    const p = this.#parts;
    p.same = element("span");
    p.changed = element("span");
    p.price = element("p", { class: "price" }, p.same, p.changed);
    p.arrow = element("span", { class: "arrow", "aria-hidden": "true" });
    p.change = element("span");
    p.percent = element("span");
    p.way = element("p", { class: "panel-change" }, p.arrow, p.change, p.percent);
    p.state = element("p", { class: "panel-state" });
    return element("div", { class: "panel-price" }, p.price, p.way, p.state);
  }

  #book() {
    const p = this.#parts;
    for (const side of ["bid", "ask"]) {
      p[side] = element("b", { class: side === "bid" ? "up" : "down" });
      p[`${side}_size`] = element("span", { class: "size" });
      p[`${side}_share`] = element("i");
    }
    p.spread = element("span", { class: "spread", title: "Spread, in price and basis points" });
    const best = element("div", { class: "book-best" }, hidden("Bid"), p.bid, p.bid_size, p.spread, hidden("Ask"), p.ask_size, p.ask);
    p.shares = element("div", { class: "book-shares", "aria-hidden": "true" }, p.bid_share, p.ask_share);
    return element("section", { class: "book", "aria-label": "Best bid and ask" }, best, p.shares);
  }

  #day() {
    const list = element("dl", { class: "day", "aria-label": "24 hours" });
    for (const [field, title] of [["open", "Open"], ["high", "High"], ["low", "Low"], ["volume", "Volume"]]) {
      this.#parts[field] = element("dd");
      list.append(element("div", {}, element("dt", {}, title), this.#parts[field]));
    }
    return list;
  }

  // Painting

  #paintHead(quote) {
    const { lists, freshness } = this.#page;
    const p = this.#parts;
    setText(p.base, quote.parts[0]);
    setText(p.rest, quote.parts[1]);
    setText(p.name, quote.name ?? "");
    setAttribute(p.name, "title", quote.name);
    p.star.hidden = p.enlarge.hidden = false;
    setAttribute(p.star, "aria-label", `Favourite ${quote.instrument}`);
    setAttribute(p.star, "aria-pressed", String(lists.favourites.symbols.has(quote.instrument)));
    const state = freshness.state(quote);
    setAttribute(this.#element, "data-state", state === "live" ? null : state);
    setText(p.state, state === "live" ? "" : stateText(state, age(freshness.ageMs(quote))));
  }

  #paintPrice({ price, decimals, change_pct: percent, difference, tick, isMid }) {
    const { numbers } = this.#page;
    const p = this.#parts;
    const text = numbers.price(price, decimals);
    if (text !== this.#shownPrice) {
      const same = this.#shownPrice === "" ? text.length : commonLength(this.#shownPrice, text);
      setText(p.same, text.slice(0, same));
      setText(p.changed, text.slice(same));
      p.changed.className = CLASSES.get(tick);
      setAttribute(p.price, "title", numbers.fixed(price, decimals));
      this.#shownPrice = text;
    }
    const way = direction(percent);
    setText(p.arrow, ARROWS.get(way));
    p.way.className = `panel-change ${CLASSES.get(way)}`;
    setText(p.change, isMid ? "mid" : difference === null ? "" : numbers.difference(difference, decimals));
    setText(p.percent, percent === null ? "" : numbers.percent(percent));
  }

  #paintBook(quote) {
    const { numbers } = this.#page;
    const p = this.#parts;
    for (const side of ["bid", "ask"]) {
      setText(p[side], numbers.price(quote[side], quote.decimals));
      setText(p[`${side}_size`], sizeText(quote[`${side}_size`], numbers));
    }
    setText(p.spread, spreadText(quote, numbers));
    const [bid, ask] = [quote.bid_size, quote.ask_size];
    p.shares.hidden = bid === null || ask === null || bid + ask === 0;
    if (p.shares.hidden) return;
    const share = Math.round((bid / (bid + ask)) * 200) / 200; // finer steps could not be seen
    p.bid_share.style.flexGrow = String(share);
    p.ask_share.style.flexGrow = String(1 - share);
  }

  #paintDay(quote) {
    const { numbers } = this.#page;
    for (const field of ["open", "high", "low"]) {
      setText(this.#parts[field], numbers.price(quote[field], quote.decimals));
      setAttribute(this.#parts[field], "title", numbers.fixed(quote[field], quote.decimals));
    }
    setText(this.#parts.volume, numbers.volume(quote.volume));
  }
}

function hidden(text) {
  return element("span", { class: "hidden-text" }, text);
}

function commonLength(a, b) {
  if (a.length !== b.length) return 0;
  let i = 0;
  while (i < a.length && a[i] === b[i]) i += 1;
  return i;
}

function stateText(state, ageText) {
  return { stale: `No data for ${ageText}`, down: `Source down, price is ${ageText} old`, halted: "Halted", closed: "Closed" }[state] ?? "Gone";
}

function sizeText(size, numbers) {
  if (size === null) return "";
  if (size >= 1000) return numbers.volume(size);
  if (size > 0 && size < 0.0005) return `<${numbers.fixed(0.001, 3)}`;
  return numbers.fixed(size, size < 10 ? 3 : size < 100 ? 2 : 1);
}

function spreadText({ bid, ask, decimals, spreadBp }, numbers) {
  if (spreadBp === null) return MISSING;
  return `${numbers.price(ask - bid, decimals)} · ${numbers.fixed(spreadBp, spreadBp < 0.1 ? 2 : 1)} bp`;
}
