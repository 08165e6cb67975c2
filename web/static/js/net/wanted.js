/**
 * What the page asks the service for, as what it shows changes.
 *
 * Promises: whatever is shown is asked for; while nobody looks, only what can still tell something: the selected
 * symbol and those with alerts.
 */

const INTERVAL_MS = 50; // frames come as batches
const AWAY_INTERVAL_MS = 1000;
const MOST_NAMES = 500; // a service refuses more than 1,000 patterns
const NOTHING = "-"; // no symbol's name, for something has to be asked for
const AWAY_FIELDS = ["last", "bid", "ask", "change_pct", "ts", "state"];

export class Wanted {
  /** The only symbols that the page will ever show; null: all. @type {string[] | null} */
  only = null;
  /** A venue whose own prices are listed, or empty. */
  feed = "";
  /** Venues' own symbols that the chosen list names. @type {Iterable<string>} */
  listed = [];
  /** The instrument whose details are open, or null. @type {string | null} */
  details = null;
  /** Symbols with alerts. @type {string[]} */
  watched = [];
  /** Nobody has looked for a while. */
  away = false;
  /** The instrument that the keyboard is at, or null. @type {string | null} */
  current = null;

  /** @returns {{symbols: string[], fields?: string[], interval_ms: number}} */
  get subscription() {
    return this.away ? this.#least() : { symbols: this.#patterns(), interval_ms: INTERVAL_MS };
  }

  #patterns() {
    const { only, feed, listed, details } = this;
    const names = new Set(only === null ? ["*", ...listed] : [...only, ...this.watched]);
    const patterns = names.size <= MOST_NAMES ? names : new Set(Array.from(names, allAlike));
    if (feed !== "" && only === null) patterns.add(`${feed}:*`);
    if (details !== null) patterns.add(`*:${details}`);
    return [...patterns];
  }

  #least() {
    const symbols = new Set(this.watched);
    const selected = this.details ?? this.current;
    if (selected !== null) symbols.add(selected);
    if (symbols.size === 0) symbols.add(NOTHING);
    return { symbols: [...symbols], fields: AWAY_FIELDS, interval_ms: AWAY_INTERVAL_MS };
  }
}

/** Everything of the venue that a symbol is of: `alpha:*`, or `*` for consolidated ones. */
function allAlike(symbol) {
  return `${symbol.slice(0, symbol.indexOf(":") + 1)}*`;
}
