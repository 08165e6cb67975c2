/**
 * Requests over HTTP, and the past of the trends.
 *
 * Promises: a service without the endpoint is asked once and never again; a request that fails or times out is
 * repeated after a while.
 */

import { token } from "../store/kept.js";

const SPARKLINE_POINTS = 60;
const SPARKLINE_SYMBOLS = 100; // in one request
const AGAIN_MS = 10_000;
const DEADLINE_MS = 10_000;

/**
 * Ask the service, with the token if there is one.
 * @param {string} path below the page's
 * @param {AbortSignal | null} [signal] null: no deadline
 */
export function ask(path, signal = AbortSignal.timeout(DEADLINE_MS)) {
  const headers = token() === null ? {} : { Authorization: `Bearer ${token()}` };
  return fetch(new URL(path, document.baseURI), { signal, headers });
}

export class Sparklines {
  #asked = new Set();
  #absent = false;
  #waiting = false;
  #notBeforeMs = -Infinity;

  /** Load every symbol again, after a time away. */
  forget() {
    this.#asked.clear();
    this.#notBeforeMs = -Infinity;
  }

  /**
   * The past closes of symbols that were not loaded yet, one request at a time.
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
      const response = await ask(`api/sparklines?${query}`);
      this.#absent = response.status === 404;
      if (response.ok) return await response.json();
    } catch {
      // The stream reports a lost connection; meanwhile the trend grows from live prices.
    } finally {
      this.#waiting = false;
    }
    for (const symbol of wanted) this.#asked.delete(symbol);
    this.#notBeforeMs = performance.now() + AGAIN_MS;
    return null;
  }
}
