/**
 * The bars of one symbol in one interval: loaded from the service, continued with the prices that this page receives.
 *
 * Promises: oldest first, without a hole; an interval without updates repeats the close before it, as at the service;
 * what the service can no longer tell after a long time away is marked as missing. Knows nothing of charts.
 */

const MINUTE_MS = 60_000;
const MOST_CARRIED = 20_000; // bars without updates: two weeks of minutes

/** The intervals to choose from, in the order of their keys. */
export const INTERVALS = [
  { key: "1m", title: "1m", ms: MINUTE_MS },
  { key: "5m", title: "5m", ms: 5 * MINUTE_MS },
  { key: "15m", title: "15m", ms: 15 * MINUTE_MS },
  { key: "1h", title: "1h", ms: 60 * MINUTE_MS },
  { key: "4h", title: "4h", ms: 240 * MINUTE_MS },
  { key: "1d", title: "1D", ms: 1440 * MINUTE_MS },
];

/**
 * @typedef {object} Bar
 * @property {number} t its beginning, ms
 * @property {number} open
 * @property {number} high
 * @property {number} low
 * @property {number} close
 * @property {number | null} volume
 * @property {boolean} own it is the venue's own
 * @property {boolean} gap data was missing in it
 * @property {boolean} [carried] made here: the service has not sent it yet
 */

export class Bars {
  /** @type {Bar[]} */
  list = [];

  /** @param {number} spanMs length of a bar */
  constructor(spanMs) {
    this.spanMs = spanMs;
  }

  /** When the newest bar ends, ms. */
  get endMs() {
    return this.list.length === 0 ? -Infinity : this.list.at(-1).t + this.spanMs;
  }

  /**
   * Merge bars of the service: closed ones replace ours, an open one is joined with what was seen here.
   * @param {unknown[][]} rows as `/api/candles` has them
   */
  merge(rows) {
    const known = new Map(this.list.map((bar) => [bar.t, bar]));
    for (const bar of this.list) if (bar.carried && bar.t < rows[0][0]) bar.gap = true;
    for (const row of rows) {
      const [theirs, open] = parse(row);
      const ours = known.get(theirs.t);
      known.set(theirs.t, open && ours !== undefined ? joined(theirs, ours) : theirs);
    }
    this.list = [...known.values()].sort((a, b) => a.t - b.t);
  }

  /** A price was received now. Does nothing before any bar was loaded, or if the last one is too old to go on from. */
  push(price, nowMs) {
    const t = Math.floor(nowMs / this.spanMs) * this.spanMs;
    let last = this.list.at(-1);
    if (last === undefined || t < last.t || t - last.t > MOST_CARRIED * this.spanMs) return;
    while (last.t < t) {
      const { close } = last;
      last = { t: last.t + this.spanMs, open: close, high: close, low: close, close, volume: null, own: false, gap: false, carried: true };
      if (last.t === t) Object.assign(last, { open: price, high: price, low: price });
      this.list.push(last);
    }
    last.close = price;
    last.high = Math.max(last.high, price);
    last.low = Math.min(last.low, price);
  }
}

function parse([t, open, high, low, close, volume, flags]) {
  const bar = { t, open, high, low, close, volume, own: flags.includes("v"), gap: flags.includes("g") };
  return [bar, flags.includes("o")];
}

function joined(theirs, ours) {
  return { ...theirs, high: Math.max(theirs.high, ours.high), low: Math.min(theirs.low, ours.low), close: ours.close };
}
