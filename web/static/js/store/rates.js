/**
 * Updates per second over the last few seconds, by source. A mean, so that a polled feed does not blink.
 */

const KEPT = 5;

export class Rates {
  #buckets = [];

  /** @param {Map<string, number>} counts since the last call @param {number} seconds that they took */
  add(counts, seconds) {
    this.#buckets.push({ counts, seconds });
    if (this.#buckets.length > KEPT) this.#buckets.shift();
  }

  /** @returns {Map<string, number>} per second, by source */
  get bySource() {
    const seconds = this.#buckets.reduce((sum, bucket) => sum + bucket.seconds, 0);
    const rates = new Map();
    for (const { counts } of this.#buckets) {
      for (const [source, count] of counts) rates.set(source, (rates.get(source) ?? 0) + count / seconds);
    }
    return rates;
  }

  /** Per second, all sources together. */
  get total() {
    return [...this.bySource.values()].reduce((sum, rate) => sum + rate, 0);
  }
}
