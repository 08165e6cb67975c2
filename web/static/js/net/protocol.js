/**
 * The stream protocol as a reader sees it: decoding messages, the position in the stream, and the server's clock.
 *
 * Promises: text that is not a message of the protocol decodes to null, never an exception; a frame is only applied on
 * top of the version it was made for. Never sends, waits or touches prices.
 */

export const PROTOCOL = 1;

const KEPT_PONGS = 8;
const ENOUGH_PONGS = 3; // the first ones arrive while the page is busy starting, and are late

/** The message in a text frame, or null if it holds none. Unknown types and fields pass through. */
export function decode(text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(message) || typeof message.type !== "string") return null;
  return (CHECKS[message.type] ?? (() => true))(message) ? message : null;
}

const CHECKS = {
  __proto__: null,
  hello: (m) => Number.isInteger(m.protocol) && isCount(m.time),
  subscribed: (m) => typeof m.selection === "string",
  unsubscribed: (m) => typeof m.selection === "string",
  snapshot: (m) => isCount(m.epoch) && isCount(m.version) && isCount(m.time) && isPayload(m),
  update: (m) => isCount(m.since) && isCount(m.version) && isCount(m.time) && isPayload(m),
  heartbeat: (m) => isCount(m.version),
  pong: (m) => isCount(m.time),
};

function isPayload(message) {
  return (
    isRecords(message.quotes) &&
    isRecords(message.feeds) &&
    (message.gone === undefined || (Array.isArray(message.gone) && message.gone.every(isText)))
  );
}

function isRecords(value) {
  return value === undefined || (isObject(value) && Object.values(value).every(isObject));
}

function isText(value) {
  return typeof value === "string";
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value) {
  return Number.isInteger(value) && value >= 0;
}

/** How far this page has read, kept across connections. */
export class Position {
  epoch = null;
  version = null;
  selection = null;
  #announced = null;

  /** "EPOCH:VERSION:SEL" to resume from, or null when nothing has been read yet. */
  get cursor() {
    if (this.version === null || this.selection === null) return null;
    return `${this.epoch}:${this.version}:${this.selection}`;
  }

  /** The selection of the next data frame; until that arrives, what the selection adds is not known. */
  announce(selection) {
    this.#announced = selection;
  }

  /** Begin with a snapshot next time. */
  forget() {
    this.epoch = this.version = this.selection = null;
  }

  /**
   * Take a snapshot, update or heartbeat, and say how to apply it.
   * @returns {"replace" | "merge" | "old" | "gap"} "gap": frames before it were lost, it must not be applied;
   *   "old": it repeats what is known.
   */
  take(frame) {
    if (frame.type === "snapshot") {
      this.epoch = frame.epoch;
      this.version = frame.version;
      this.selection = this.#announced;
      return "replace";
    }
    if (frame.type === "heartbeat") {
      // "Nothing of yours has changed up to here" keeps the cursor young through quiet hours.
      if (this.version !== null) this.version = Math.max(this.version, frame.version);
      return "old";
    }
    if (this.version === null || frame.since > this.version) return "gap";
    if (frame.version < this.version) return "old";
    // An equal version is applied: a subscribe adds records without anything having changed.
    this.version = frame.version;
    this.selection = this.#announced;
    return "merge";
  }
}

/**
 * The server's clock as seen from this page.
 *
 * Promises: does not jump with the computer's wall clock, since it runs on the monotonic one; of the recent pings the
 * one with the shortest round trip decides, because its answer is the least delayed. Never sends anything.
 */
export class ServerClock {
  #offsetMs = null;
  #pongs = [];

  /** Whether it is known well enough to measure latency. */
  get settled() {
    return this.#pongs.length >= ENOUGH_PONGS;
  }

  /** The server's time in ms since 1970 UTC; this computer's until the server has sent its own. */
  now() {
    return this.#offsetMs === null ? Date.now() : performance.now() + this.#offsetMs;
  }

  /** The time in a connection's `hello`: good enough until the first pong, which is better by half a round trip. */
  hello(serverMs) {
    this.#pongs = [];
    this.#offsetMs = serverMs - performance.now();
  }

  /** The machine has slept for this long, and its monotonic clock with it; earlier measurements are void. */
  skip(ms) {
    this.#pongs = [];
    if (this.#offsetMs !== null) this.#offsetMs += ms;
  }

  /** A ping sent at the monotonic time `sentMs` has just been answered. */
  pong(sentMs, serverMs) {
    const roundTripMs = performance.now() - sentMs;
    this.#pongs.push({ roundTripMs, offsetMs: serverMs - sentMs - roundTripMs / 2 });
    if (this.#pongs.length > KEPT_PONGS) this.#pongs.shift();
    const best = this.#pongs.reduce((a, b) => (b.roundTripMs < a.roundTripMs ? b : a));
    this.#offsetMs = best.offsetMs;
  }
}
