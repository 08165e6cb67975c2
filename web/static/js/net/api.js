/**
 * The few things that the page asks for over HTTP.
 *
 * Promises: a service without the endpoint is met with silence, once, not with repeated requests; what could not be
 * loaded, or does not come, is asked for again after a while.
 */

import { authorization } from "./token.js";

const SPARKLINE_POINTS = 60;
const SPARKLINE_SYMBOLS = 100; // in one request
const AGAIN_MS = 10_000;
export const DEADLINE_MS = 10_000; // of an answer

export class Sparklines {
  #base;
  #asked = new Set();
  #absent = false;
  #waiting = false;
  #notBeforeMs = -Infinity;

  /** @param {string} base address of the page */
  constructor(base) {
    this.#base = base;
  }

  /** Ask for every symbol again, after a time away. */
  forget() {
    this.#asked.clear();
    this.#notBeforeMs = -Infinity;
  }

  /**
   * The past closes of those symbols that have not been asked for yet, one request at a time.
   * @param {Iterable<string>} symbols
   * @returns {Promise<{end: number, closes: Object<string, (number | null)[]>} | null>} null: nothing new
   */
  async load(symbols) {
    if (this.#absent || this.#waiting || performance.now() < this.#notBeforeMs) return null;
    const wanted = [...symbols].filter((symbol) => !this.#asked.has(symbol)).slice(0, SPARKLINE_SYMBOLS);
    if (wanted.length === 0) return null;
    for (const symbol of wanted) this.#asked.add(symbol);
    this.#waiting = true;
    try {
      const query = `symbols=${wanted.map(encodeURIComponent).join(",")}&points=${SPARKLINE_POINTS}`;
      const signal = AbortSignal.timeout(DEADLINE_MS);
      const response = await fetch(new URL(`api/sparklines?${query}`, this.#base), { signal, headers: authorization() });
      this.#absent = response.status === 404;
      if (response.ok) return await response.json();
    } catch {
      // The connection is the stream's to report; the trend grows from live prices meanwhile.
    } finally {
      this.#waiting = false;
    }
    for (const symbol of wanted) this.#asked.delete(symbol);
    this.#notBeforeMs = performance.now() + AGAIN_MS;
    return null;
  }
}
