/**
 * The stream protocol as a reader sees it: messages out of text, and the place in the stream.
 *
 * Promises: text that is not a message of the protocol is null, never an exception; a frame is only ever applied on
 * top of what it was made for. Never sends, waits or touches prices.
 */

export const PROTOCOL = 1;

/** The message in a text frame, or null if there is none in it. Unknown types and fields pass through. */
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
    (message.gone === undefined || Array.isArray(message.gone))
  );
}

function isRecords(value) {
  return value === undefined || (isObject(value) && Object.values(value).every(isObject));
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

  /** This is what the next frame with data is of; until then what it adds is not known. */
  announce(selection) {
    this.#announced = selection;
  }

  /** Ask for everything next time. */
  forget() {
    this.epoch = this.version = this.selection = null;
  }

  /**
   * Take a snapshot, update or heartbeat, and say what it is.
   * @returns {"replace" | "merge" | "old" | "gap"} "gap": frames were lost before it, it must not be applied;
   *   "old": a repetition of what is known.
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
