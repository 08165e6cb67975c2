/**
 * The measurements of the last few seconds, and their quantiles.
 */

export class RecentSamples {
  #spanMs;
  #samples = []; // [atMs, value], oldest first

  constructor(spanMs) {
    this.#spanMs = spanMs;
  }

  add(atMs, value) {
    this.#samples.push([atMs, value]);
  }

  clear() {
    this.#samples = [];
  }

  /** The values at the given shares (0.5: the median) of what is recent at `nowMs`; null if there is nothing. */
  quantiles(nowMs, shares) {
    const firstKept = this.#samples.findIndex(([atMs]) => atMs > nowMs - this.#spanMs);
    this.#samples = firstKept < 0 ? [] : this.#samples.slice(firstKept);
    if (this.#samples.length === 0) return null;
    const sorted = this.#samples.map(([, value]) => value).sort((a, b) => a - b);
    return shares.map((share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]);
  }
}
