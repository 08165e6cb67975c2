/**
 * The list as shown: which quotes, in which order.
 *
 * Promises: an order that the user asked for comes at once; an order that only the market asks for comes when it is
 * called for, and never while the list is held. What is missing sorts last both ways; equals sort by symbol.
 */

export const DEFAULT_SORT = { key: "volume", descending: true };

/** What each column sorts by: a number, text, or null for "nothing known". */
export const SORT_VALUES = {
  symbol: (quote) => quote.symbol,
  last: (quote) => quote.price,
  change: (quote) => quote.change_pct,
  trend: (quote) => quote.trend.change(),
  range: (quote) => quote.placeInRange(quote.price),
  bid: (quote) => quote.bid,
  ask: (quote) => quote.ask,
  spread: (quote) => quote.spreadBp,
  volume: (quote) => quote.quote_volume,
  age: (quote) => (quote.ts === null ? null : -quote.ts),
};

export class View {
  /** @type {import("./quote.js").Quote[]} */
  rows = [];
  sort = DEFAULT_SORT;
  /** A better order is waiting because the list was held. */
  waiting = false;

  #market;
  #query = "";
  #members = null;

  /** @param {import("./market.js").Market} market */
  constructor(market) {
    this.#market = market;
  }

  get query() {
    return this.#query;
  }

  /** Show only quotes whose symbol or name contains this. */
  search(query) {
    this.#query = query.trim();
    this.refresh();
  }

  /** Show only these symbols; null for all. @param {{has(symbol: string): boolean} | null} members */
  choose(members) {
    this.#members = members;
    this.refresh();
  }

  /** Descending, then ascending, then the default again. */
  cycleSort(key) {
    const current = this.sort.key === key;
    if (!current) this.sort = { key, descending: true };
    else this.sort = this.sort.descending ? { key, descending: false } : DEFAULT_SORT;
    this.refresh();
  }

  /**
   * Bring the list up to date.
   * @param {boolean} [held] the list must not move now
   * @returns {boolean} whether it has changed
   */
  refresh(held = false) {
    const rows = this.#ordered();
    const same = rows.length === this.rows.length && rows.every((quote, i) => quote === this.rows[i]);
    this.waiting = held && !same;
    if (same || held) return false;
    this.rows = rows;
    return true;
  }

  /** Quotes of the chosen list, whatever the search. */
  *listed() {
    for (const quote of this.#market.quotes.values()) {
      if (this.#members === null || this.#members.has(quote.symbol)) yield quote;
    }
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
    const needle = this.#query.toLowerCase();
    const valueOf = SORT_VALUES[this.sort.key];
    const entries = [];
    for (const quote of this.listed()) {
      if (needle === "" || matches(quote, needle)) entries.push({ quote, value: valueOf(quote) });
    }
    const sign = this.sort.descending ? -1 : 1;
    entries.sort((a, b) => compare(a.value, b.value, sign) || (a.quote.symbol < b.quote.symbol ? -1 : 1));
    return entries.map(({ quote }) => quote);
  }
}

function matches({ symbol, name }, needle) {
  return symbol.toLowerCase().includes(needle) || (name !== null && name.toLowerCase().includes(needle));
}

function compare(a, b, sign) {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -sign : sign;
}
