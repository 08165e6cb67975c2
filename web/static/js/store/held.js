/**
 * What the service says while the prices stand still: merged, so that it is never more than a snapshot.
 *
 * Promises: applying what `take` returns has the effect of applying every frame that was held, in order.
 */

export class Held {
  /** How many updates of symbols are waiting. */
  updates = 0;

  #quotes = new Map();
  #gone = new Set();
  #feeds = new Map();
  #replace = false;

  /** @param {object} frame checked by net/protocol.js @param {import("../net/socket.js").Kind} kind */
  add(frame, { replace, old }) {
    if (replace) {
      this.#quotes.clear();
      this.#gone.clear();
      this.#feeds.clear();
      this.#replace = true;
    }
    for (const [symbol, fields] of Object.entries(frame.quotes ?? {})) {
      const known = this.#quotes.get(symbol);
      if (known === undefined) this.#quotes.set(symbol, fields);
      else Object.assign(known, fields);
      this.#gone.delete(symbol);
      if (!old) this.updates += 1;
    }
    for (const symbol of frame.gone ?? []) {
      this.#quotes.delete(symbol);
      this.#gone.add(symbol);
    }
    for (const [name, fields] of Object.entries(frame.feeds ?? {})) {
      this.#feeds.set(name, { ...this.#feeds.get(name), ...fields });
    }
  }

  /** Everything at once, as a frame and its kind; nothing is held any more. */
  take() {
    const frame = {
      quotes: Object.fromEntries(this.#quotes), gone: [...this.#gone], feeds: Object.fromEntries(this.#feeds),
    };
    const kind = { replace: this.#replace, first: false, old: true };
    this.#quotes = new Map();
    this.#gone = new Set();
    this.#feeds = new Map();
    this.#replace = false;
    this.updates = 0;
    return { frame, kind };
  }
}
