/**
 * The last hour of one symbol: a ring of closes, one a minute, the newest one being the price now.
 *
 * Promises: minutes of which nothing is known stay unknown; a price that the page received itself is never
 * overwritten by an older one from the service.
 */

export const POINTS = 60;

const MINUTE_MS = 60_000;

export class Trend {
  /** Grows with every change that a drawing would show. */
  revision = 0;

  #closes = new Float32Array(POINTS).fill(NaN);
  #minute = 0; // of the last slot, in minutes since 1970 UTC

  /** A price was received. */
  push(price, atMs) {
    this.advance(atMs);
    this.#closes[POINTS - 1] = price;
    this.revision += 1;
  }

  /** Let the hour end now. */
  advance(nowMs) {
    const minute = Math.floor(nowMs / MINUTE_MS);
    const passed = minute - this.#minute;
    if (passed <= 0) return;
    this.#minute = minute;
    this.#closes.copyWithin(0, Math.min(passed, POINTS));
    this.#closes.fill(NaN, Math.max(0, POINTS - passed));
    this.revision += 1;
  }

  /** Put the service's closes, the last one ending at `endMs`, where nothing is known. */
  fill(closes, endMs) {
    const lastMinute = Math.floor((endMs - 1) / MINUTE_MS);
    this.advance(endMs - 1);
    closes.forEach((close, i) => {
      const slot = POINTS - 1 - (this.#minute - lastMinute) - (closes.length - 1 - i);
      if (slot >= 0 && slot < POINTS && typeof close === "number" && Number.isNaN(this.#closes[slot])) {
        this.#closes[slot] = close;
      }
    });
    this.revision += 1;
  }

  /** The closes as [slot, price], oldest first, slots 0…POINTS-1; unknown ones left out. */
  points() {
    const known = [];
    this.#closes.forEach((close, slot) => {
      if (!Number.isNaN(close)) known.push([slot, close]);
    });
    return known;
  }

  /** Percent from the oldest known close to the newest; null with fewer than two. */
  change() {
    const first = this.#closes.find((close) => !Number.isNaN(close));
    const last = this.#closes.findLast((close) => !Number.isNaN(close));
    const firstSlot = this.#closes.indexOf(first);
    if (first === undefined || firstSlot === this.#closes.lastIndexOf(last)) return null;
    return (last / first - 1) * 100;
  }
}
