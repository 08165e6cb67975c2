/**
 * One stream that outlives its connections.
 *
 * Promises: it is always connected, or waiting for its next try, or has said why it will not try again; a lost
 * connection resumes from the cursor; silence, gaps and refusals are detected here and nowhere else.
 * Never touches the page; stores no prices.
 */

import { FIELDS } from "../store/quote.js";
import { connect, early, introduction } from "./early.js";
import { Position, PROTOCOL, decode } from "./protocol.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const SLOWER_TRIES = 4; // after "too many messages": as if this many tries had failed
const LATE_HEARTBEATS = 1.5;
const SILENT_HEARTBEATS = 2.5;
const MOST_PATIENCE = 8; // times as long: over a slow line a snapshot takes a minute, and no script sees its progress
const WATCH_MS = 500;
const SLEEP_MS = 10_000; // the least jump of the wall clock ahead of the monotonic one that means a sleep
const LEAST_STILL_MS = 2000; // browsers let the timers of a hidden page run once a second
const DOUBTED_MS = 1000; // the time a connection has to prove that it survived what may have been a sleep
const PING_MS = 5000; // once the clock is settled; until then, with every check that finds the last one answered
const GAP_AGAIN_MS = 30_000;
const SUBSCRIBE_ID = 1;
const TOO_MANY_MESSAGES = 4029;
const LONGEST_BYE_MS = 3_600_000; // a timer of more than 24 days would fire at once

/** Close codes after which trying again cannot help, and the `reason` of the resulting state. */
const FINAL = { 1003: "refused", 1007: "refused", 1009: "refused", 4000: "refused", 4001: "denied" };

/**
 * @typedef {{name: "connecting"} | {name: "live"} | {name: "offline", retryAtMs: number}
 *   | {name: "ended", reason: "protocol" | "refused" | "denied" | "bye", detail?: string}} State
 *   `retryAtMs` is monotonic.
 */

/**
 * How to take a data frame.
 * @typedef {object} Kind
 * @property {boolean} replace it is a snapshot
 * @property {boolean} first it is the first of a connection, or after a time in which nothing was seen
 * @property {boolean} old it answers a subscription, so its prices may be old
 * @property {object} asked the subscription that was last answered, which a snapshot covers
 */

export class LiveSocket {
  /** @type {State} */
  state = { name: "connecting" };
  position = new Position();
  counts = { gaps: 0, malformed: 0, resumes: 0, messages: 0, bytes: 0 };
  heartbeatMs = 5000;

  #subscription; // to ask for; set before the first connection
  #clock;
  #listener;
  #heardAtMs = 0; // the last message of this connection, or its beginning
  #currentAtMs = -Infinity; // until when nothing was missing
  #awakeAtMs = 0; // the last check, or message
  #aheadMs = Infinity; // the wall clock's lead over the monotonic one at the last check
  #doubtedUntilMs = Infinity; // when a pong must have come after what may have been a sleep or a standstill
  #early = early; // the connection that was opened while the page was loading, until it is taken over
  #ws = null;
  #fresh = true; // no data frame on this connection yet, or since a sleep
  #answering = false; // the next data frame answers a subscription
  #questions = new Map(); // subscriptions sent on this connection and not answered yet, by message id
  #asked; // the one that was last answered
  #failures = 0;
  #retryTimer = null;
  #watchTimer = null;
  #bye = null;
  #lastId = SUBSCRIBE_ID;
  #ping = { id: 0, sentMs: 0, answered: false };
  #roundTripMs = 0; // of the last answered ping on this connection
  #patience = 1; // doubles with each silent connection, until one is quick
  #gapAtMs = -Infinity;

  /**
   * @param {import("./protocol.js").ServerClock} clock fed with the server's times
   * @param {{state(state: State, before: State), hello(message), data(message, kind: Kind)}} listener
   */
  constructor(clock, listener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  /**
   * Whether prices may have changed unnoticed: after too long a silence or disconnection, or on a line so slow that
   * what arrives is old. A pong queues behind all that was sent before it, and is as late.
   */
  get late() {
    const now = performance.now();
    const limitMs = LATE_HEARTBEATS * this.heartbeatMs;
    return now - this.#currentAtMs > limitMs || this.#lagMs(now) > limitMs;
  }

  /** Whole seconds until the next try; null if none is scheduled. */
  get retryInS() {
    const { name, retryAtMs } = this.state;
    return name === "offline" ? Math.max(1, Math.ceil((retryAtMs - performance.now()) / 1000)) : null;
  }

  /** Whether a subscription has not been answered yet. */
  get asking() {
    return this.#answering || this.#questions.size > 0;
  }

  #lagMs(now) {
    const { sentMs, answered } = this.#ping;
    return Math.max(this.#roundTripMs, answered ? 0 : now - sentMs);
  }

  /** Stop waiting: the network is back, or the page is visible again. */
  wake() {
    if (this.state.name === "offline") this.connect();
  }

  /** Connect now: at the start, or because the user pressed Retry. */
  connect() {
    if (this.#ws !== null) return;
    this.#slept();
    clearTimeout(this.#retryTimer);
    this.#bye = null;
    this.#fresh = true;
    this.#doubtedUntilMs = Infinity;
    this.#heardAtMs = this.#awakeAtMs = performance.now();
    this.#ping = { id: 0, sentMs: this.#heardAtMs, answered: true };
    this.#roundTripMs = 0;
    const asked = this.#early?.subscription ?? null;
    const { ws, events } = this.#early?.take() ?? { ws: connect(), events: [] };
    this.#early = null;
    this.#ws = ws;
    const handlers = {
      open: () => this.#opened(asked),
      message: (event) => this.#received(event.data),
      close: (event) => this.#closed(event.code),
    };
    // Late events of an abandoned connection are ignored.
    const handle = (event) => ws === this.#ws && handlers[event.type](event);
    for (const type of Object.keys(handlers)) ws.addEventListener(type, handle);
    this.#watchTimer = setInterval(() => this.#watch(), WATCH_MS);
    this.#enter({ name: "connecting" });
    events.forEach(handle);
  }

  /**
   * Subscribe to this, and to nothing else, on this connection and on those after it.
   * @param {{symbols: string[], fields?: string[], interval_ms: number}} subscription what `subscribe` carries besides
   *   `op`, `id` and `cursor`
   */
  want(subscription) {
    const before = this.#subscription;
    this.#subscription = subscription;
    if (this.#ws?.readyState === WebSocket.OPEN) this.#change(before); // else the next connection asks for all of it
  }

  /** Send how the subscription differs from what this connection has subscribed to. */
  #change(before) {
    const subscription = this.#subscription;
    const dropped = before.symbols.filter((symbol) => !subscription.symbols.includes(symbol));
    const added = subscription.symbols.filter((symbol) => !before.symbols.includes(symbol));
    if (dropped.length > 0) this.#ask({ op: "unsubscribe", id: this.#nextId(), symbols: dropped });
    const { symbols, fields = FIELDS, interval_ms } = subscription;
    const other = before.fields?.join() !== subscription.fields?.join() || before.interval_ms !== interval_ms;
    if (added.length === 0 && !other) return;
    const details = other ? { fields, interval_ms } : {};
    this.#ask({ op: "subscribe", id: this.#nextId(), symbols: added.length > 0 ? added : symbols, ...details });
  }

  /** @param {object | null} asked the subscription that net/early.js has sent already */
  #opened(asked) {
    if (asked !== null) {
      this.#questions.set(SUBSCRIBE_ID, asked);
      this.#change(asked);
    } else {
      introduction().forEach((message) => this.#send(message));
      const message = { op: "subscribe", id: SUBSCRIBE_ID, ...this.#subscription };
      const cursor = this.position.cursor;
      this.#ask(cursor === null ? message : { ...message, cursor });
    }
    this.#sendPing();
  }

  #received(text) {
    this.#heardAtMs = performance.now();
    if (this.#stoodStill(this.#heardAtMs)) this.#doubt(this.#heardAtMs);
    if (this.state.name === "live") this.#keepCurrent();
    this.counts.messages += 1;
    this.counts.bytes += text.length; // nearly all of it is ASCII
    const message = decode(text);
    if (message === null) {
      this.counts.malformed += 1;
      return;
    }
    switch (message.type) {
      case "hello":
        return this.#hello(message);
      case "subscribed":
      case "unsubscribed":
        this.position.announce(message.selection);
        this.#answering = true;
        this.#asked = this.#questions.get(message.id) ?? this.#asked;
        this.#questions.delete(message.id);
        if (message.resumed) this.counts.resumes += 1;
        return;
      case "snapshot":
      case "update":
        return this.#data(message);
      case "heartbeat":
        this.position.take(message);
        return;
      case "pong":
        return this.#pong(message);
      case "error":
        return this.#refused(message);
      case "bye":
        this.#bye = message;
        return this.#closed(1012);
      // Other types are a newer server's.
    }
  }

  // What arrives before a pong may have been sent before the sleep or during the standstill.
  #keepCurrent() {
    if (this.#doubtedUntilMs === Infinity) this.#currentAtMs = this.#heardAtMs;
  }

  #pong({ id, time }) {
    if (id !== this.#ping.id) return;
    this.#ping.answered = true;
    this.#roundTripMs = performance.now() - this.#ping.sentMs;
    if (!this.late) this.#patience = 1;
    this.#clock.pong(this.#ping.sentMs, time);
    this.#doubtedUntilMs = Infinity;
    if (this.state.name === "live") this.#keepCurrent();
  }

  #hello(message) {
    if (message.protocol !== PROTOCOL) return this.#end("protocol");
    if (message.heartbeat_ms > 0) this.heartbeatMs = message.heartbeat_ms;
    this.#clock.hello(message.time);
    this.#listener.hello(message);
  }

  #refused(message) {
    this.#questions.delete(message.id); // an error without an id answers none of them
    if (message.retry === true) this.#retry(this.#jitter()); // which subscribes to everything anew
    else if (message.id === SUBSCRIBE_ID) this.#end("refused", String(message.message ?? ""));
  }

  #data(message) {
    const kind = this.position.take(message);
    if (kind === "gap") return this.#gap();
    if (kind === "old") return;
    const first = this.#fresh;
    const old = first || this.#answering || kind === "replace";
    this.#fresh = this.#answering = false;
    this.#failures = 0;
    this.#keepCurrent();
    if (this.state.name !== "live") this.#enter({ name: "live" });
    this.#listener.data(message, { replace: kind === "replace", first, old, asked: this.#asked });
  }

  // A cursor is valid only in the first subscribe of a connection, so resuming means reconnecting.
  #gap() {
    this.counts.gaps += 1;
    const again = performance.now() - this.#gapAtMs < GAP_AGAIN_MS;
    this.#gapAtMs = performance.now();
    if (again) {
      this.position.forget();
      this.#retry(this.#jitter());
    } else {
      this.#drop();
      this.connect();
    }
  }

  #closed(code) {
    if (this.#bye?.reconnect === false) return this.#end("bye", String(this.#bye.reason ?? ""));
    if (code in FINAL) return this.#end(FINAL[code]);
    if (code === TOO_MANY_MESSAGES) this.#failures = Math.max(this.#failures, SLOWER_TRIES);
    this.#retry(Math.max(this.#byeWait(), this.#jitter()));
  }

  #byeWait() {
    const [least, most] = Array.isArray(this.#bye?.retry_ms) ? this.#bye.retry_ms : [];
    return Number.isFinite(most - least) && most >= least ? Math.min(LONGEST_BYE_MS, least + Math.random() * (most - least)) : 0;
  }

  #jitter() {
    const limitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures);
    this.#failures += 1;
    return Math.random() * limitMs;
  }

  #retry(waitMs) {
    this.#drop();
    this.#retryTimer = setTimeout(() => this.connect(), waitMs);
    this.#enter({ name: "offline", retryAtMs: performance.now() + waitMs });
  }

  #end(reason, detail = "") {
    this.#drop();
    this.#enter({ name: "ended", reason, detail });
  }

  #drop() {
    const ws = this.#ws;
    this.#ws = null;
    clearInterval(this.#watchTimer);
    this.#questions.clear();
    this.#answering = false;
    ws?.close();
  }

  #watch() {
    const now = performance.now();
    const slept = this.#slept();
    if (this.#stoodStill(now) || slept) this.#doubt(now);
    const open = this.#ws.readyState === WebSocket.OPEN;
    const silent = now - this.#heardAtMs > (open ? this.#patience : 1) * SILENT_HEARTBEATS * this.heartbeatMs;
    if (silent && open) this.#patience = Math.min(MOST_PATIENCE, 2 * this.#patience);
    if (silent || now >= this.#doubtedUntilMs) this.#retry(this.#jitter());
    else if (this.#ping.answered && (!this.#clock.settled || now - this.#ping.sentMs >= PING_MS)) this.#sendPing();
  }

  #doubt(now) {
    this.#doubtedUntilMs = now + DOUBTED_MS;
    this.#fresh = true;
    this.#sendPing();
  }

  /** Whether the page has just stood still, as behind a print dialog, so that what comes now has waited. */
  #stoodStill(now) {
    const stillMs = now - this.#awakeAtMs;
    this.#awakeAtMs = now;
    return stillMs > Math.max(LEAST_STILL_MS, LATE_HEARTBEATS * this.heartbeatMs);
  }

  /** Whether the machine has slept, and its monotonic clock with it, or its wall clock was set ahead. */
  #slept() {
    const aheadMs = Date.now() - performance.now();
    const sleptMs = aheadMs - this.#aheadMs;
    this.#aheadMs = aheadMs;
    if (sleptMs < SLEEP_MS) return false;
    this.#clock.skip(sleptMs);
    this.#currentAtMs = -Infinity;
    return true;
  }

  #sendPing() {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    this.#ping = { id: this.#nextId(), sentMs: performance.now(), answered: false };
    this.#send({ op: "ping", id: this.#ping.id });
  }

  #nextId() {
    this.#lastId += 1;
    return this.#lastId;
  }

  #ask(message) {
    this.#questions.set(message.id, this.#subscription);
    this.#send(message);
  }

  #send(message) {
    this.#ws.send(JSON.stringify(message));
  }

  #enter(state) {
    const before = this.state;
    this.state = state;
    this.#listener.state(state, before);
  }
}
