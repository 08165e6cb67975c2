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
  /** Those of them that the list names: they count like the consolidated ones. @type {Set<string>} */
  listed = new Set();
  /** A venue whose own prices are listed instead, or empty. */
  feed = "";
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
  #asked = []; // patterns that the service has been heard on
  #unnamed = new Set(); // symbols that the last snapshot did not name, though it may have been too early to
  #epoch = null; // the service's life that these are of
  #delivering = new Set(); // feeds that have delivered in it
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
    if (old) this.#heardAt.clear(); // who was not listening cannot say what was silent
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
      // Once left out it stays so until the next snapshot: an update alone would make half a record.
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
    // A venue's other symbols come beside the list's; counted with them, they would count twice.
    const { symbol, venue, source } = quote;
    const isListed = venue === "" ? source !== this.feed : venue === this.feed || this.listed.has(symbol);
    if (!isListed) return;
    this.#received.set(quote.source, (this.#received.get(quote.source) ?? 0) + 1);
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

  /** Whether every feed has said which symbols it has; one that is down from the start has not. */
  get settled() {
    const said = ([name, { state }]) => state === "failed" || (state !== "connecting" && this.#delivering.has(name));
    return this.feeds.size > 0 && [...this.feeds].every(said);
  }

  /** Whether the service has no such symbol. Before every feed has said what it has, nothing is known to be missing. */
  lacks(symbol) {
    const [venue, instrument] = symbol.split(":");
    const isAsked = (pattern) => pattern === symbol || pattern === `${venue}:*`;
    return this.settled && (instrument === undefined || this.#asked.some(isAsked));
  }

  /** The feeds whose prices are listed now, rather than those of feeds that go before them. */
  get sources() {
    const sources = new Set([this.feed]);
    for (const { source } of this.quotes.values()) sources.add(source);
    for (const symbol of this.listed) sources.add(this.venues.get(symbol)?.source);
    return sources;
  }

  /** What kinds of feeds these are. */
  get kinds() {
    const kinds = new Set();
    for (const source of this.sources) if (this.feeds.has(source)) kinds.add(this.feeds.get(source).kind);
    return kinds;
  }

  /** Since when a feed has been without data, server ms: its last update, else when its state began. */
  silentSince(name) {
    return Math.min(this.feeds.get(name).since, this.#heardAt.get(name) ?? Infinity);
  }
}
