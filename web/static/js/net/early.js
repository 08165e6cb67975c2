/**
 * The page's first connection: opened, and asked for everything, while the rest of the page is still loading.
 *
 * Promises: nothing that comes before the page is ready is lost, and its order is kept. Imports next to nothing, so
 * that nothing is waited for. An embedded page opens none: it may want a few symbols only.
 */

import { token } from "../store/kept.js";

const TYPES = ["open", "message", "close"];
const SUBSCRIPTION = { symbols: ["*"], interval_ms: 50 };

/** The messages that a connection begins with. A token is said there, for an address would show it. */
export function introduction() {
  return token() === null ? [] : [{ op: "auth", token: token() }];
}

function begin() {
  const ws = new WebSocket(new URL("ws", document.baseURI.replace(/^http/, "ws")));
  const events = [];
  const keep = (event) => events.push(event);
  ws.addEventListener("open", () => {
    const messages = [...introduction(), { op: "subscribe", id: 1, ...SUBSCRIPTION }];
    for (const message of messages) ws.send(JSON.stringify(message));
  });
  for (const type of TYPES) ws.addEventListener(type, keep);
  return {
    /** What it asks for: what nearly every page shows. */
    subscription: SUBSCRIPTION,
    /** The connection, and what has happened on it so far. Whoever takes it listens from now on. */
    take() {
      for (const type of TYPES) ws.removeEventListener(type, keep);
      return { ws, events };
    },
  };
}

export const early = new URLSearchParams(location.search).has("embed") ? null : begin();
