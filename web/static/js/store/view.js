/**
 * The list as shown: which quotes, in which order.
 *
 * Promises: an order that the user chooses is applied at once; a new order of the market's making is applied by
 * `refresh`, and never while the list is held. Missing values sort last both ways; ties sort by symbol.
 */

import { nameIn } from "./choices.js";
import { Quote } from "./quote.js";

export const DEFAULT_SORT = { key: "volume", descending: true };
const MOST_OUTSIDE = 100; // symbols that a search finds outside the list
const COST_SHARE = 20; // sorting takes at most a twentieth of the time

/** What each column sorts by: a number, text, or null for "nothing known". */
export const SORT_VALUES = {
  symbol: (quote) => quote.instrument,
  last: (quote) => quote.price,
  change: (quote) => quote.change_pct,
  trend: (quote) => quote.trend.change(),
  range: (quote) => quote.placeInRange(quote.price),
  bid: (quote) => quote.bid,
  ask: (quote) => quote.ask,
  spread: (quote) => quote.spreadBp,
  volume: (quote) => quote.quote_volume,
  age: (quote) => (quote.ts === null ? null : -quote.ts),
  difference: (quote) => quote.difference,
  open: (quote) => quote.open,
  high: (quote) => quote.high,
  low: (quote) => quote.low,
  bidsize: (quote) => quote.bid_size,
  asksize: (quote) => quote.ask_size,
  source: (quote) => quote.source,
  updated: (quote) => quote.ts,
};

/** "-volume" as an order, or the default one. */
export function sortFrom(text) {
  const key = text.replace(/^-/, "");
  const known = Object.hasOwn(SORT_VALUES, key) && text !== sortName(DEFAULT_SORT);
  return known ? { key, descending: text.startsWith("-") } : DEFAULT_SORT;
}

/** An order as text: "-volume". */
export function sortName({ key, descending }) {
  return `${descending ? "-" : ""}${key}`;
}

export class View {
  /** @type {import("./quote.js").Quote[]} */
  rows = [];
  sort = DEFAULT_SORT;
  /** A better order is waiting because the list was held. */
  waiting = false;
  /** Show only what matches this, the best match first. */
  query = "";
  /** Show what this list names. @type {import("./choices.js").List} */
  list;
  /** Show what is quoted in this currency; empty for any. */
  currency = "";

  #market;
  #placeholders = new Map(); // symbols that a list names but the service does not have
  #dueMs = 0;

  /** @param {import("./market.js").Market} market */
  constructor(market) {
    this.#market = market;
  }

  /** Whether a quote is shown although the list does not have it: a search found it. */
  isOutside(quote) {
    return this.list.own === true && !this.list.symbols.has(nameIn(this.list, quote));
  }

  /**
   * Bring the list up to date.
   * @param {boolean} [held] the list must not move now
   * @returns {boolean} whether it has changed
   */
  refresh(held = false) {
    const startedMs = performance.now();
    const rows = this.#ordered();
    const same = rows.length === this.rows.length && rows.every((quote, i) => quote === this.rows[i]);
    this.waiting = held && !same;
    this.#dueMs = performance.now() + (performance.now() - startedMs) * COST_SHARE;
    if (held && !same) return this.#renew();
    if (!same) this.rows = rows;
    return !same;
  }

  /** Keep each row in its place, but replace the records of symbols that had gone and are back. */
  #renew() {
    const lost = this.rows.filter(({ gone, unlisted }) => gone || unlisted);
    const found = new Map(lost.map((quote) => [quote, this.#market.find(quote.symbol)]));
    if (![...found.values()].some(Boolean)) return false;
    this.rows = this.rows.map((quote) => found.get(quote) ?? quote);
    return true;
  }

  /** The same because time has passed; the longer the list, the more rarely. */
  refreshInTime(held) {
    return performance.now() >= this.#dueMs && this.refresh(held);
  }

  /** The quotes that can be listed, by symbol: of one venue, or consolidated. */
  get #quotes() {
    return this.#market.feed === "" ? this.#market.quotes : this.#market.venues;
  }

  get #prefix() {
    const { feed } = this.#market;
    return feed === "" ? "" : `${feed}:`;
  }

  /** The symbol under which an instrument is listed now; a feed's own price is always the same one. */
  symbolOf(name) {
    return name.includes(":") ? name : this.#prefix + name;
  }

  /** Quotes of the chosen list, whatever the search. */
  *listed() {
    const prefix = this.#prefix;
    if (this.list.symbols === null) {
      for (const quote of this.#quotes.values()) {
        if (this.#admits(quote, prefix)) yield quote;
      }
      return;
    }
    const symbols = Array.from(this.list.symbols, (name) => this.symbolOf(name));
    for (const symbol of new Set(symbols)) {
      const quote = this.#market.find(symbol) ?? this.#placeholder(symbol);
      if (quote !== null && this.#admits(quote, prefix)) yield quote;
    }
  }

  #admits({ symbol, parts }, prefix) {
    return symbol.startsWith(prefix) && (this.currency === "" || parts[1] === `-${this.currency}`);
  }

  #placeholder(symbol) {
    if (!this.#market.lacks(symbol) || this.#market.feed !== "") return null;
    let quote = this.#placeholders.get(symbol);
    if (quote === undefined) {
      quote = new Quote(symbol);
      quote.unlisted = true;
      this.#placeholders.set(symbol, quote);
    }
    return quote;
  }

  /** How many of the list rise, stand and fall over 24 hours. */
  breadth() {
    const counts = { rising: 0, unchanged: 0, falling: 0 };
    for (const { change_pct: change } of this.listed()) {
      if (change > 0) counts.rising += 1;
      else if (change < 0) counts.falling += 1;
      else if (change === 0) counts.unchanged += 1;
    }
    return counts;
  }

  #ordered() {
    const needle = this.query.toLowerCase();
    const entries = this.#matching(this.listed(), needle, 0);
    if (needle !== "" && this.list.own) {
      const outside = this.#matching(this.#outside(), needle, 10).sort(this.#compare);
      entries.push(...outside.slice(0, MOST_OUTSIDE));
    }
    return entries.sort(this.#compare).map(({ quote }) => quote);
  }

  *#outside() {
    const prefix = this.#prefix;
    for (const quote of this.#quotes.values()) {
      if (this.isOutside(quote) && this.#admits(quote, prefix)) yield quote;
    }
  }

  #matching(quotes, needle, farther) {
    const valueOf = SORT_VALUES[this.sort.key];
    const ranked = this.sort === DEFAULT_SORT; // a chosen order goes before the rank
    const entries = [];
    for (const quote of quotes) {
      const rank = needle === "" ? 0 : rankOf(quote, needle);
      if (rank !== null) entries.push({ quote, rank: (ranked ? rank : 0) + farther, value: valueOf(quote) });
    }
    return entries;
  }

  #compare = (a, b) => {
    if (a.rank !== b.rank) return a.rank - b.rank;
    const way = compareValues(a.value, b.value, this.sort.descending ? -1 : 1);
    return way || (a.quote.symbol < b.quote.symbol ? -1 : 1);
  };
}

function compareValues(a, b, sign) {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -sign : sign;
}

/**
 * How well a quote answers a search.
 * @param {{instrument: string, parts: string[], name: string | null}} quote
 * @param {string} needle lower case, not empty
 * @returns {number | null} 0 is best; null: it does not match
 */
function rankOf({ instrument, parts, name }, needle) {
  const symbol = instrument.toLowerCase();
  const at = symbol.indexOf(needle);
  if (at >= 0) {
    if (symbol === needle || (at === 0 && needle.length === parts[0].length)) return 0; // all of it, or all of its base
    if (at === 0) return 1;
    return at === parts[0].length + 1 && at + needle.length === symbol.length ? 2 : 4; // what it is quoted in
  }
  if (name === null) return null;
  const place = name.toLowerCase().indexOf(needle);
  if (place < 0) return null;
  return place === 0 || name[place - 1] === " " ? 3 : 5;
}
