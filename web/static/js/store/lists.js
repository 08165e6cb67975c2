/**
 * The user's lists of symbols. So far there is one, the favourites.
 */

import { readJson, writeJson } from "./prefs.js";

const STORAGE_KEY = "ticker.favourites.v1";

export class Favourites {
  #storage;
  #symbols;

  /** @param {Storage | null} storage */
  constructor(storage) {
    this.#storage = storage;
    this.#symbols = new Set(readJson(storage, STORAGE_KEY, []).filter((symbol) => typeof symbol === "string"));
  }

  /** How many of them are among these. @param {Map<string, unknown>} quotes */
  countIn(quotes) {
    return [...this.#symbols].filter((symbol) => quotes.has(symbol)).length;
  }

  has(symbol) {
    return this.#symbols.has(symbol);
  }

  /** Add it, or take it out; says whether it is in now. */
  toggle(symbol) {
    if (!this.#symbols.delete(symbol)) this.#symbols.add(symbol);
    writeJson(this.#storage, STORAGE_KEY, [...this.#symbols]);
    return this.#symbols.has(symbol);
  }
}
