/**
 * The one place that speaks to screen readers by itself.
 *
 * Promises: at most one announcement in two seconds; what comes meanwhile is said together afterwards. Prices are
 * never announced.
 */

const PAUSE_MS = 2000;

export class Announcer {
  #region;
  #waiting = new Map(); // topic -> sentence: only the last word on a topic matters
  #timer = null;

  /** @param {HTMLElement} region a polite live region */
  constructor(region) {
    this.#region = region;
  }

  /** Say a sentence soon. A later one on the same topic replaces it while it waits. */
  say(topic, sentence) {
    this.#waiting.delete(topic);
    this.#waiting.set(topic, sentence);
    if (this.#timer === null) this.#speak();
  }

  #speak() {
    this.#timer = null;
    if (this.#waiting.size === 0) return;
    this.#region.textContent = [...this.#waiting.values()].join(" "); // a new text, even if it reads the same
    this.#waiting.clear();
    this.#timer = setTimeout(() => this.#speak(), PAUSE_MS);
  }
}
