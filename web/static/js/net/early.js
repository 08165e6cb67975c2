/**
 * The page's first connection: opened, and asked for everything, while the rest of the page is still loading.
 *
 * Promises: nothing that comes before the page is ready is lost, and its order is kept. Imports next to nothing, so
 * that nothing is waited for. An embedded page opens none: it may want a few symbols only.
 */

import { introduction } from "./token.js";

const TYPES = ["open", "message", "close"];
const SUBSCRIPTION = { symbols: ["*"], interval_ms: 50 };

class Early {
  /** What it asks for: what nearly every page shows. */
  subscription = SUBSCRIPTION;

  #ws = new WebSocket(new URL("ws", document.baseURI.replace(/^http/, "ws")));
  #events = [];
  #keep = (event) => this.#events.push(event);

  constructor() {
    this.#ws.addEventListener("open", () => {
      const messages = [...introduction(), { op: "subscribe", id: 1, ...SUBSCRIPTION }];
      for (const message of messages) this.#ws.send(JSON.stringify(message));
    });
    for (const type of TYPES) this.#ws.addEventListener(type, this.#keep);
  }

  /** The connection, and what has happened on it so far. Whoever takes it listens from now on. */
  take() {
    for (const type of TYPES) this.#ws.removeEventListener(type, this.#keep);
    return { ws: this.#ws, events: this.#events };
  }
}

export const early = new URLSearchParams(location.search).has("embed") ? null : new Early();
