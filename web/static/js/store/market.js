/**
 * Everything the page knows of the market: a record per symbol, a record per feed.
 *
 * Promises: after any data frame it equals what the server meant; records keep their identity through snapshots
 * and reconnects; what a service that is still loading does not name yet stays, marked as down; what changed since the
 * last painting is in `dirty`. Knows nothing of lists, rows or sockets.
 */

import { Quote } from "./quote.js";

const MOST_SYMBOLS = 20_000; // of one kind; what is more is counted and left out

export class Market {
  /** The consolidated symbols, which the list shows. @type {Map<string, Quote>} */
  quotes = new Map();
  /** Venues' own symbols, `alpha:BTC-USD`, as far as somebody asked for them. @type {Map<string, Quote>} */
  venues = new Map();
  /** @type {Map<string, {state: string, since: number, kind: string, clock: string, message: string | null}>} */
  feeds = new Map();
  /** Quotes that changed since they were last painted; whoever paints takes them out. */
  dirty = new Set();
  /** Grows whenever a symbol comes or goes. */
  membership = 0;
  /** Symbols that there was no room for. @type {Set<string>} */
  leftOut = new Set();
  /** False until the first data. */
  filled = false;

  #clock;
  #unnamed = new Set(); // symbols that the last snapshot did not name, though it may have been too early to
  #received = new Map(); // source -> symbol updates since they were last taken
  #sources = new Map(); // source -> how many symbols have their price from it
  #heardAt = new Map(); // source -> server time of its last update

  /** @param {import("../net/clock.js").ServerClock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /**
   * Apply a snapshot or update.
   * @param {object} frame checked by net/protocol.js
   * @param {import("../net/socket.js").Kind} kind
   * @param {number} nowMs monotonic
   */
  apply(frame, { replace, old }, nowMs) {
    const quotes = Object.entries(frame.quotes ?? {});
    if (replace) this.#beginReplace(frame);
    if (old) this.#heardAt.clear(); // who was not listening cannot say what was silent
    for (const [symbol, fields] of quotes) this.#merge(symbol, fields, nowMs, { replace, quiet: old });
    for (const symbol of frame.gone ?? []) this.#remove(symbol);
    for (const [name, fields] of Object.entries(frame.feeds ?? {})) {
      this.feeds.set(name, { ...this.feeds.get(name), ...fields });
    }
    this.filled = true;
    if (this.settled) for (const symbol of this.#unnamed) this.#remove(symbol);
  }

  #beginReplace(frame) {
    this.feeds.clear();
    this.leftOut.clear();
    for (const quote of [...this.quotes.values(), ...this.venues.values()]) {
      if (Object.hasOwn(frame.quotes ?? {}, quote.symbol)) continue;
      this.#unnamed.add(quote.symbol);
      quote.state = "down";
      this.dirty.add(quote);
    }
  }

  #merge(symbol, fields, nowMs, { replace, quiet: old }) {
    const quiet = this.#unnamed.delete(symbol) || old;
    const quotes = this.#mapOf(symbol);
    const listed = quotes === this.quotes;
    let quote = quotes.get(symbol);
    if (quote === undefined) {
      // Once left out it stays so until the next snapshot: an update alone would make half a record.
      if (quotes.size >= MOST_SYMBOLS || this.leftOut.has(symbol)) {
        this.leftOut.add(symbol);
        return;
      }
      quote = new Quote(symbol);
      quotes.set(symbol, quote);
      this.membership += 1;
    }
    const { source, price, ts } = quote;
    if (replace) quote.clear();
    quote.assign(fields, nowMs, quiet);
    if (!quiet) this.#hear(quote, ts, listed);
    this.dirty.add(quote);
    if (quote.price !== null && quote.price !== price) quote.trend.push(quote.price, this.#clock.now());
    if (listed) this.#countSource(source, quote.source);
  }

  #hear(quote, tsBefore, listed) {
    const now = this.#clock.now();
    if (tsBefore !== null) quote.measure(now, tsBefore);
    if (quote.source === null) return;
    this.#heardAt.set(quote.source, now);
    // A venue's own symbols come beside the list's; counted with them, they would count twice.
    if (listed) this.#received.set(quote.source, (this.#received.get(quote.source) ?? 0) + 1);
  }

  /** The record of a symbol, consolidated or a venue's own. */
  find(symbol) {
    return this.#mapOf(symbol).get(symbol);
  }

  #mapOf(symbol) {
    return symbol.includes(":") ? this.venues : this.quotes;
  }

  /** Nobody asks for these venue symbols any more. @param {(symbol: string) => boolean} unwanted */
  forgetVenues(unwanted) {
    for (const symbol of this.venues.keys()) {
      if (unwanted(symbol)) this.venues.delete(symbol);
    }
  }

  #remove(symbol) {
    this.leftOut.delete(symbol);
    this.#unnamed.delete(symbol);
    const quotes = this.#mapOf(symbol);
    const quote = quotes.get(symbol);
    if (quote === undefined) return;
    quotes.delete(symbol);
    if (quotes === this.quotes) this.#countSource(quote.source, null);
    quote.gone = true;
    this.membership += 1;
    this.dirty.add(quote);
  }

  #countSource(before, after) {
    if (before === after) return;
    if (before !== null) this.#sources.set(before, this.#sources.get(before) - 1);
    if (after !== null) this.#sources.set(after, (this.#sources.get(after) ?? 0) + 1);
  }

  /** Symbol updates received since the last call, by source. Snapshots and resumed frames do not count. */
  takeReceived() {
    const received = this.#received;
    this.#received = new Map();
    return received;
  }

  /** Whether every feed has said which symbols it has. */
  get settled() {
    return this.feeds.size > 0 && ![...this.feeds.values()].some(({ state }) => state === "connecting");
  }

  /** What kinds of feeds the prices in the market come from now. */
  get kinds() {
    const kinds = new Set();
    for (const [source, symbols] of this.#sources) {
      if (symbols > 0 && this.feeds.has(source)) kinds.add(this.feeds.get(source).kind);
    }
    return kinds;
  }

  /** Whether any symbol's price comes from this feed now, rather than from one that goes before it. */
  isSource(name) {
    return (this.#sources.get(name) ?? 0) > 0;
  }

  /** Since when a feed has been without data, server ms: its last update, else when its state began. */
  silentSince(name) {
    return Math.min(this.feeds.get(name).since, this.#heardAt.get(name) ?? Infinity);
  }
}
