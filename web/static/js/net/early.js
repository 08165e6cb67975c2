/**
 * The page's first connection: opened, and subscribed to everything, while the rest of the page is still loading.
 *
 * Promises: nothing that arrives before the page is ready is lost or reordered. Imports next to nothing, so that it
 * waits for nothing. An embedded page opens none here: it may want only a few symbols.
 */

import { token } from "../store/kept.js";

const TYPES = ["open", "message", "close"];
export const INTERVAL_MS = 50; // frames come as batches
const SUBSCRIPTION = { symbols: ["*"], interval_ms: INTERVAL_MS };

/** The messages that open a connection. A token is sent there, since a URL would show it. */
export function introduction() {
  return token() === null ? [] : [{ op: "auth", token: token() }];
}

/** A new connection to the service. */
export function connect() {
  return new WebSocket(new URL("ws", document.baseURI.replace(/^http/, "ws")));
}

function begin() {
  const ws = connect();
  const events = [];
  const keep = (event) => events.push(event);
  ws.addEventListener("open", () => {
    const messages = [...introduction(), { op: "subscribe", id: 1, ...SUBSCRIPTION }];
    for (const message of messages) ws.send(JSON.stringify(message));
  });
  for (const type of TYPES) ws.addEventListener(type, keep);
  return {
    /** What it subscribes to: what nearly every page shows. */
    subscription: SUBSCRIPTION,
    /** The connection and its events so far. The caller listens from now on. */
    take() {
      for (const type of TYPES) ws.removeEventListener(type, keep);
      return { ws, events };
    },
  };
}

export const early = new URLSearchParams(location.search).has("embed") ? null : begin();
