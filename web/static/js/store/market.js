/**
 * Everything the page knows of the market: a record per symbol, a record per feed.
 *
 * Promises: after any data frame it equals the server's view; records keep their identity through snapshots and
 * reconnects; symbols that a service still loading has not named yet stay, marked as down; what has changed since it
 * was last painted is in `dirty`. Knows nothing of lists, rows or sockets.
 */

import { Quote } from "./quote.js";

const MOST_SYMBOLS = 20_000; // of each kind; the rest is counted and left out

export class Market {
  /** The consolidated symbols, which the list shows. @type {Map<string, Quote>} */
  quotes = new Map();
  /** Venues' own symbols, `alpha:BTC-USD`, as far as they are subscribed to. @type {Map<string, Quote>} */
  venues = new Map();
  /** Those of them that the list names: they count like the consolidated ones. @type {Set<string>} */
  listed = new Set();
  /** A venue whose own prices are listed instead, or empty. */
  feed = "";
  /** @type {Map<string, {state: string, since: number, kind: string, clock: string, message: string | null}>} */
  feeds = new Map();
  /** Quotes that have changed since they were last painted; painting them clears it. */
  dirty = new Set();
  /** Grows whenever a symbol is added or removed. */
  membership = 0;
  /** Symbols beyond the limit. @type {Set<string>} */
  leftOut = new Set();
  /** False until the first data. */
  filled = false;

  #clock;
  #asked = []; // patterns that the service has answered
  #unnamed = new Set(); // symbols that the last snapshot did not name, perhaps because it came too early
  #epoch = null; // of the last snapshot
  #delivering = new Set(); // feeds that have delivered in that epoch
  #received = new Map(); // source -> symbol updates since they were last taken
  #heardAt = new Map(); // source -> server time of its last update

  /** @param {import("../net/protocol.js").ServerClock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /**
   * Apply a snapshot or update.
   * @param {object} frame checked by net/protocol.js
   * @param {import("../net/socket.js").Kind} kind
   * @param {number} nowMs monotonic
   */
  apply(frame, { replace, old, asked }, nowMs) {
    if (asked !== undefined) this.#asked = asked.symbols;
    const quotes = Object.entries(frame.quotes ?? {});
    if (replace) this.#beginReplace(frame);
    if (old) this.#heardAt.clear(); // before it we were not listening, and cannot tell which feed was silent
    for (const [symbol, fields] of quotes) this.#merge(symbol, fields, nowMs, { replace, quiet: old });
    for (const symbol of frame.gone ?? []) this.#remove(symbol);
    for (const [name, fields] of Object.entries(frame.feeds ?? {})) {
      this.feeds.set(name, { ...this.feeds.get(name), ...fields });
      if (["live", "stale"].includes(fields.state)) this.#delivering.add(name);
    }
    this.filled = true;
    if (this.settled) for (const symbol of this.#unnamed) this.#remove(symbol);
  }

  #beginReplace(frame) {
    this.feeds.clear();
    this.leftOut.clear();
    if (frame.epoch !== this.#epoch) this.#delivering.clear();
    this.#epoch = frame.epoch;
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
    let quote = quotes.get(symbol);
    if (quote === undefined) {
      // Once left out it stays out until the next snapshot: an update alone would make half a record.
      if (quotes.size >= MOST_SYMBOLS || this.leftOut.has(symbol)) {
        this.leftOut.add(symbol);
        return;
      }
      quote = new Quote(symbol);
      quotes.set(symbol, quote);
      this.membership += 1;
    }
    const { price, ts } = quote;
    if (replace) quote.clear();
    quote.assign(fields, nowMs, quiet);
    if (!quiet) this.#hear(quote, ts);
    this.#delivering.add(quote.source);
    this.dirty.add(quote);
    if (quote.price !== null && quote.price !== price) quote.trend.push(quote.price, this.#clock.now());
  }

  #hear(quote, tsBefore) {
    const now = this.#clock.now();
    if (tsBefore !== null) quote.measure(now, tsBefore);
    if (quote.source === null) return;
    this.#heardAt.set(quote.source, now);
    // A venue's other symbols arrive besides those of the list; counting both would count updates twice.
    const { symbol, venue, source } = quote;
    const isListed = venue === "" ? source !== this.feed : venue === this.feed || this.listed.has(symbol);
    if (isListed) this.#received.set(source, (this.#received.get(source) ?? 0) + 1);
  }

  /** The record of a symbol, consolidated or a venue's own. */
  find(symbol) {
    return this.#mapOf(symbol).get(symbol);
  }

  #mapOf(symbol) {
    return symbol.includes(":") ? this.venues : this.quotes;
  }

  /** Drop venue symbols that are not subscribed to any more. @param {(symbol: string) => boolean} unwanted */
  forgetVenues(unwanted) {
    for (const symbol of this.venues.keys()) {
      if (unwanted(symbol)) this.venues.delete(symbol);
    }
    this.#asked = this.#asked.filter((pattern) => !unwanted(pattern)); // what is forgotten is not missing
  }

  #remove(symbol) {
    this.leftOut.delete(symbol);
    this.#unnamed.delete(symbol);
    const quotes = this.#mapOf(symbol);
    const quote = quotes.get(symbol);
    if (quote === undefined) return;
    quotes.delete(symbol);
    quote.gone = true;
    this.membership += 1;
    this.dirty.add(quote);
  }

  /** Symbol updates received since the last call, by source. Snapshots and resumed frames do not count. */
  takeReceived() {
    const received = this.#received;
    this.#received = new Map();
    return received;
  }

  /** Whether every feed has reported its symbols; one that has been down from the start has not. */
  get settled() {
    const said = ([name, { state }]) => state === "failed" || (state !== "connecting" && this.#delivering.has(name));
    return this.feeds.size > 0 && [...this.feeds].every(said);
  }

  /** Whether the service has no such symbol. Until every feed has reported its symbols, none is known to be missing. */
  lacks(symbol) {
    const [venue, instrument] = symbol.split(":");
    const isAsked = (pattern) => pattern === symbol || pattern === `${venue}:*`;
    return this.settled && (instrument === undefined || this.#asked.some(isAsked));
  }

  /** The feeds whose prices are listed now, without those on standby. */
  get sources() {
    const sources = new Set([this.feed]);
    for (const { source } of this.quotes.values()) sources.add(source);
    for (const symbol of this.listed) sources.add(this.venues.get(symbol)?.source);
    return sources;
  }

  /** Since when a feed has sent no data, server ms: its last update, else the beginning of its state. */
  silentSince(name) {
    return Math.min(this.feeds.get(name).since, this.#heardAt.get(name) ?? Infinity);
  }
}
