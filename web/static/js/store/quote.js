/**
 * The record of one symbol: the protocol's fields under the protocol's names, and what is derived from them: its last
 * hour, and how fresh it is.
 *
 * Promises: one object per symbol, changed in place for as long as the symbol is listed, so that rows can refer to it;
 * a value that its field cannot have counts as missing.
 */

import { MOST_DECIMALS } from "../fmt.js";

const NUMBERS = [
  "last", "bid", "ask", "bid_size", "ask_size", "open", "high", "low", "volume", "quote_volume", "change_pct",
];
const TEXTS = ["state", "source", "name"];
/** The last time that a Date can be. */
export const LATEST_MS = 8.64e15;
/** Whether a field can have a value. */
const CHECKS = new Map([
  ...NUMBERS.map((field) => [field, Number.isFinite]),
  ["ts", (value) => Number.isFinite(value) && Math.abs(value) <= LATEST_MS],
  ["decimals", (value) => Number.isInteger(value) && value >= 0 && value <= MOST_DECIMALS],
  ...TEXTS.map((field) => [field, (value) => typeof value === "string"]),
]);
/** All fields of a symbol in the protocol. */
export const FIELDS = [...CHECKS.keys()];
const NEWEST_WEIGHT = 1 / 8; // in a running average
const SAME_PERCENT = 0.02; // tolerance for rounding
/** In a trend, one a minute. */
export const POINTS = 60;
const MINUTE_MS = 60_000;
const LEAST_LIMIT_MS = 5000;
const UNKNOWN_RHYTHM_LIMIT_MS = 60_000;
const MOST_LIMIT_MS = 3_600_000;
const RHYTHMS = 8;

/** The instrument of a symbol: "BTC-USD" of "alpha:BTC-USD". */
export function instrumentOf(symbol) {
  return symbol.slice(symbol.indexOf(":") + 1);
}

export class Quote {
  /** Directions of the changes since the last painting, -1, 0 or 1; `price` is that of the price shown. */
  moves;
  /** When they happened, monotonic ms. */
  movedAtMs = 0;
  /** Direction of the last change of the price; 0 until one is seen. */
  tick = 0;
  /** The service has dropped the symbol; it stays in the list until the list may move. */
  gone = false;
  /** A list names it, but the service has no such symbol. */
  unlisted = false;
  trend = new Trend();

  /** When it was last updated, monotonic ms. */
  heardAtMs = 0;
  /** Its usual time between two updates, ms, and how many of them that is based on. */
  rhythmMs = null;
  beats = 0;

  /** How old its prices are when they arrive, ms; null until one has arrived. */
  lagMs = null;
  /** How many updates have arrived live. */
  updates = 0;

  /** @param {string} symbol */
  constructor(symbol) {
    this.symbol = symbol;
    /** What is traded, wherever: BTC-USD. */
    this.instrument = instrumentOf(symbol);
    /** The venue whose own price this is; empty for a consolidated one. */
    this.venue = symbol.slice(0, -this.instrument.length - 1);
    const hyphen = this.instrument.lastIndexOf("-");
    const baseEnd = hyphen > 0 ? hyphen : this.instrument.length;
    /** What is before and behind the hyphen: "BTC", "-USD"; a plain name has an empty second part. */
    this.parts = [this.instrument.slice(0, baseEnd), this.instrument.slice(baseEnd)];
    this.clear();
    this.rest();
  }

  /** Its moves have been painted, or are too old for that. */
  rest() {
    this.moves = { price: 0, bid: 0, ask: 0 };
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
      const fits = CHECKS.get(field);
      if (fits !== undefined) this[field] = fits(fields[field]) ? fields[field] : null;
    }
    this.gone = false;
    this.heardAtMs = nowMs;
    if (quiet) return;
    this.#beat(this.ts !== null && ts !== null ? this.ts - ts : nowMs - heardAtMs);
    for (const side in before) this.#move(side, before[side], this[side], nowMs);
    this.tick = this.moves.price || this.tick;
  }

  /** An update has arrived now, server ms; `tsBefore` is the time of the price before it. */
  measure(now, tsBefore) {
    this.updates += 1;
    if (this.ts === null || this.ts === tsBefore) return;
    const lagMs = Math.max(0, now - this.ts); // the clock may be off by half a round trip
    this.lagMs = averaged(this.lagMs, lagMs);
  }

  #move(side, before, after, nowMs) {
    if (before === null || after === null || before === after) return;
    this.moves[side] = after > before ? 1 : -1;
    this.movedAtMs = nowMs;
  }

  #beat(gapMs) {
    if (gapMs <= 0) return;
    this.rhythmMs = averaged(this.rhythmMs, gapMs);
    this.beats += 1;
  }

  /** The price to show: the last trade, else the middle of bid and ask. */
  get price() {
    return this.last ?? (this.bid !== null && this.ask !== null ? (this.bid + this.ask) / 2 : null);
  }

  get isMid() {
    return this.last === null && this.price !== null;
  }

  /** How far the price has moved in 24 hours. */
  get difference() {
    const { price, open, change_pct: percent } = this;
    if (price === null) return null;
    const byPercent = percent === null || percent <= -100 ? null : price - price / (1 + percent / 100);
    // Where a market has sessions the percentage counts from the last close, but `open` is the session's.
    const fromOpen = open !== null && (byPercent === null || Math.abs((price / open - 1) * 100 - percent) < SAME_PERCENT);
    return fromOpen ? price - open : byPercent;
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

/**
 * The last hour of one symbol: a ring of closes, one a minute, the newest one being the price now.
 *
 * Promises: minutes without data stay unknown; a price that the page received itself is never overwritten by an older
 * one from the service.
 */
class Trend {
  /** Grows with every change that would be drawn. */
  revision = 0;

  #closes = new Float32Array(POINTS).fill(NaN);
  #minute = 0; // of the last slot, in minutes since 1970 UTC

  /** A price was received. */
  push(price, atMs) {
    this.advance(atMs);
    this.#closes[POINTS - 1] = price;
    this.revision += 1;
  }

  /** Shift the hour so that it ends now. */
  advance(nowMs) {
    const minute = Math.floor(nowMs / MINUTE_MS);
    const passed = minute - this.#minute;
    if (passed <= 0) return;
    this.#minute = minute;
    this.#closes.copyWithin(0, Math.min(passed, POINTS));
    this.#closes.fill(NaN, Math.max(0, POINTS - passed));
    this.revision += 1;
  }

  /** Fill in the service's closes, the last one ending at `endMs`, where nothing is known. */
  fill(closes, endMs) {
    const lastMinute = Math.floor((endMs - 1) / MINUTE_MS);
    this.advance(endMs - 1);
    closes.forEach((close, i) => {
      const slot = POINTS - 1 - (this.#minute - lastMinute) - (closes.length - 1 - i);
      const isOpen = slot >= 0 && slot < POINTS && !isKnown(this.#closes[slot]);
      if (isOpen && typeof close === "number") this.#closes[slot] = close;
    });
    this.revision += 1;
  }

  /** The closes as [slot, price], oldest first, slots 0…POINTS-1; unknown ones left out. */
  points() {
    return Array.from(this.#closes, (close, slot) => [slot, close]).filter(([, close]) => isKnown(close));
  }

  /** Percent from the oldest known close to the newest; null with fewer than two. */
  change() {
    const first = this.#closes.findIndex(isKnown);
    const last = this.#closes.findLastIndex(isKnown);
    return first < last ? (this.#closes[last] / this.#closes[first] - 1) * 100 : null;
  }
}

/** A running average; null: there is none yet. */
function averaged(before, value) {
  return before === null ? value : before + (value - before) * NEWEST_WEIGHT;
}

function isKnown(close) {
  return !Number.isNaN(close);
}

/**
 * How fresh a quote is.
 *
 * Promises: while connected, the server alone decides; while disconnected, prices age by this page's own clock, each
 * by its symbol's rhythm, as the server would judge it. When nothing has arrived for so long that any price may have
 * changed, none is live.
 */
export class Freshness {
  #clock;
  #stream;

  /**
   * @param {import("../net/protocol.js").ServerClock} clock
   * @param {import("../net/stream.js").Stream} stream
   */
  constructor(clock, stream) {
    this.#clock = clock;
    this.#stream = stream;
  }

  /** `live`, or what is wrong: `stale`, `halted`, `closed`, `down`, `gone`, `unlisted`. */
  state(quote) {
    if (quote.unlisted) return "unlisted";
    if (quote.gone) return "gone";
    const said = quote.state ?? "live";
    if (said !== "live") return said;
    if (this.#stream.late) return "stale";
    return this.#stream.live || this.ageMs(quote) <= limitMs(quote) ? "live" : "stale";
  }

  /** Time since the exchange made the price; if that is unknown, since this page received it. */
  ageMs(quote) {
    const age = quote.ts === null ? performance.now() - quote.heardAtMs : this.#clock.now() - quote.ts;
    return Math.max(0, age);
  }

  /** Whether a live quote is old enough to say its age. */
  isAgeing(quote) {
    return this.ageMs(quote) > limitMs(quote) / 2;
  }
}

function limitMs({ beats, rhythmMs }) {
  if (beats < RHYTHMS) return UNKNOWN_RHYTHM_LIMIT_MS;
  return Math.min(MOST_LIMIT_MS, Math.max(LEAST_LIMIT_MS, RHYTHMS * rhythmMs));
}
