/**
 * The last answers of `/api/status`, and the rates and quantiles of now that follow from their differences: the service
 * only counts from its start. Pure.
 */

const KEPT = 60; // answers: two minutes
const RECENT = 5; // answers that a figure of now is taken over

export class Window {
  #answers = [];

  /** @param {object} answer */
  add(answer) {
    // After a restart the counts begin anew.
    if (this.#answers.at(-1)?.started_at !== answer.started_at) this.#answers = [];
    this.#answers.push(answer);
    if (this.#answers.length > KEPT) this.#answers.shift();
  }

  get latest() {
    return this.#answers.at(-1);
  }

  /** The n-th answer, counted from one. */
  at(n) {
    return this.#answers[n - 1];
  }

  /** A counter's growth per second, lately; null before two answers. @param {(answer: object) => number} counter */
  rate(counter, end = this.#answers.length) {
    const [first, last] = this.#ends(end);
    if (first === undefined || last.time <= first.time) return null; // its clock may have been set back
    return ((counter(last) - counter(first)) / (last.time - first.time)) * 1000;
  }

  /**
   * The values at these shares of a histogram, lately, in its unit; null where nothing was counted.
   * @param {"flush_s" | "fanout_s" | "loop_s"} name @param {number[]} shares
   */
  quantiles(name, shares, end = this.#answers.length) {
    const [first, last] = this.#ends(end);
    if (first === undefined) return null;
    const counts = last[name].counts.map((count, i) => count - first[name].counts[i]);
    return quantiles(last[name].bounds, counts, shares);
  }

  /** A figure as of each answer, oldest first. @param {(end: number) => number | null} figure */
  course(figure) {
    return this.#answers.map((_, i) => figure(i + 1));
  }

  #ends(end) {
    if (end < 2) return [undefined, undefined];
    return [this.#answers[Math.max(0, end - 1 - RECENT)], this.#answers[end - 1]];
  }
}

/** Quantiles of bucket counts, interpolated within a bucket; values above the last bound count as that bound. */
export function quantiles(bounds, counts, shares) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return null;
  return shares.map((share) => {
    let below = 0;
    for (const [i, bound] of bounds.entries()) {
      if (below + counts[i] >= share * total && counts[i] > 0) {
        const from = i === 0 ? 0 : bounds[i - 1];
        return from + ((share * total - below) / counts[i]) * (bound - from);
      }
      below += counts[i];
    }
    return bounds.at(-1);
  });
}
