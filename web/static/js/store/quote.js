/**
 * The record of one symbol: the protocol's fields under the protocol's names, and what follows from them.
 *
 * Promises: one object per symbol for the life of the page's list, changed in place, so that rows can hold on to it;
 * a value of the wrong type is "not known".
 */

import { Trend } from "./trend.js";

const NUMBERS = [
  "last", "bid", "ask", "bid_size", "ask_size", "open", "high", "low", "volume", "quote_volume", "change_pct", "ts",
  "decimals",
];
const TEXTS = ["state", "source", "name"];
const FIELD_TYPES = new Map([
  ...NUMBERS.map((field) => [field, "number"]),
  ...TEXTS.map((field) => [field, "string"]),
]);
/** All that the protocol tells of a symbol. */
export const FIELDS = [...FIELD_TYPES.keys()];
const RHYTHM_WEIGHT = 1 / 8;
const SAME_PERCENT = 0.02; // what rounding may make of it

export class Quote {
  /** Directions of the changes since the last painting, -1, 0 or 1; `price` is that of the price shown. */
  moves = { price: 0, bid: 0, ask: 0 };
  /** When they happened, monotonic ms. */
  movedAtMs = 0;
  /** Direction of the last change of the price; 0 until one is seen. */
  tick = 0;
  /** The service has dropped the symbol; it stays in the list until the list may move. */
  gone = false;
  /** A list names it, but the service has no such symbol. */
  unlisted = false;
  trend = new Trend();

  /** When the server last said something of it, monotonic ms. */
  heardAtMs = 0;
  /** Its usual time between two changes, ms, and how many of them that is based on. */
  rhythmMs = 0;
  beats = 0;

  /** How old its prices are when they come, ms; null until one was seen to come. */
  lagMs = null;
  /** How many updates were seen to come. */
  updates = 0;

  /** @param {string} symbol */
  constructor(symbol) {
    this.symbol = symbol;
    const colon = symbol.indexOf(":");
    /** The venue whose own price this is; empty for a consolidated one. */
    this.venue = symbol.slice(0, Math.max(0, colon));
    /** What is traded, wherever: BTC-USD. */
    this.instrument = symbol.slice(colon + 1);
    const hyphen = this.instrument.lastIndexOf("-");
    /** What is before and behind the hyphen: "BTC", "-USD"; a plain name has an empty second part. */
    this.parts = hyphen > 0 ? [this.instrument.slice(0, hyphen), this.instrument.slice(hyphen)] : [this.instrument, ""];
    this.clear();
  }

  /** Forget every field. */
  clear() {
    for (const field of FIELDS) this[field] = null;
  }

  /**
   * Merge fields as they came.
   * @param {object} fields
   * @param {number} nowMs monotonic
   * @param {boolean} quiet whether this is old news, which moves nothing
   */
  assign(fields, nowMs, quiet) {
    const before = { price: this.price, bid: this.bid, ask: this.ask };
    const ts = this.ts;
    const heardAtMs = this.heardAtMs;
    for (const field of Object.keys(fields)) {
      const type = FIELD_TYPES.get(field);
      if (type !== undefined) this[field] = typeof fields[field] === type ? fields[field] : null;
    }
    this.gone = false;
    this.heardAtMs = nowMs;
    if (quiet) return;
    this.#beat(this.ts !== null && ts !== null ? this.ts - ts : nowMs - heardAtMs);
    this.#move("price", before.price, this.price, nowMs);
    this.#move("bid", before.bid, this.bid, nowMs);
    this.#move("ask", before.ask, this.ask, nowMs);
    this.tick = this.moves.price || this.tick;
  }

  /** An update came now, server ms; `tsBefore` is the time of the price before it. */
  measure(now, tsBefore) {
    this.updates += 1;
    if (this.ts === null || this.ts === tsBefore) return;
    const lagMs = Math.max(0, now - this.ts); // the clock is known to half a round trip
    this.lagMs = this.lagMs === null ? lagMs : this.lagMs + (lagMs - this.lagMs) * RHYTHM_WEIGHT;
  }

  #move(side, before, after, nowMs) {
    if (before === null || after === null || before === after) return;
    this.moves[side] = after > before ? 1 : -1;
    this.movedAtMs = nowMs;
  }

  #beat(gapMs) {
    if (gapMs <= 0) return;
    this.rhythmMs = this.beats === 0 ? gapMs : this.rhythmMs + (gapMs - this.rhythmMs) * RHYTHM_WEIGHT;
    this.beats += 1;
  }

  /** The price to show: the last trade, else the middle of bid and ask. */
  get price() {
    return this.last ?? (this.bid !== null && this.ask !== null ? (this.bid + this.ask) / 2 : null);
  }

  get isMid() {
    return this.last === null && this.price !== null;
  }

  /** What the price has moved over 24 hours. */
  get difference() {
    const { price, open, change_pct: percent } = this;
    if (price === null) return null;
    const told = percent === null || percent <= -100 ? null : price - price / (1 + percent / 100);
    // A market that closes counts from its last close, and its open is the session's.
    const fromOpen = open !== null && (told === null || Math.abs((price / open - 1) * 100 - percent) < SAME_PERCENT);
    return fromOpen ? price - open : told;
  }

  /** Ask over bid, in hundredths of a percent of their middle. */
  get spreadBp() {
    if (this.bid === null || this.ask === null) return null;
    return ((this.ask - this.bid) / ((this.ask + this.bid) / 2)) * 10_000;
  }

  /** Where a price lies between the low and the high of 24 hours, 0…1. */
  placeInRange(price) {
    if (price === null || this.low === null || this.high === null || this.high <= this.low) return null;
    return Math.min(1, Math.max(0, (price - this.low) / (this.high - this.low)));
  }
}
