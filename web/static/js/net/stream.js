/**
 * The stream as the page uses it: paused by the user, reduced in a hidden tab, resumed.
 *
 * Promises: while paused, what is shown stands still, new subscriptions are answered, and nothing is lost; messages
 * never queue up, they are merged; a hidden tab subscribes to less after a while, and to everything as soon as it is
 * visible again; until that has come nothing is live.
 */

import { INTERVAL_MS } from "./early.js";
import { LiveSocket } from "./socket.js";

const AWAY_AFTER_MS = 30_000;
const AWAY_INTERVAL_MS = 1000;
const MOST_NAMES = 500; // a service refuses more than 1,000 patterns
const NOTHING = "-"; // no symbol's name: a subscription cannot be empty
const AWAY_FIELDS = ["last", "bid", "ask", "change_pct", "ts", "state"];

export class Stream {
  /** What it subscribes to. @type {Wanted} */
  wanted;
  /** When the user paused it, monotonic ms; null while it runs. @type {number | null} */
  pausedAtMs = null;
  /** @type {LiveSocket} */
  socket;

  #market;
  #painter;
  #held = new Held();
  #awayTimer = null;
  #behind = false; // less was subscribed to since everything was last received

  /**
   * @param {object} options
   * @param {import("./protocol.js").ServerClock} options.clock
   * @param {import("../store/market.js").Market} options.market
   * @param {{state(state, before), hello(message), heard(frame, old: boolean), data(frame, kind, wasFilled: boolean),
   *   answered(), resumed()}} options.painter
   *   `heard`: a frame has come, even in a pause; `answered`: a change of the subscription has been answered
   */
  constructor({ clock, market, painter }) {
    this.wanted = new Wanted(market);
    this.#market = market;
    this.#painter = painter;
    const listener = { ...painter, data: (frame, kind) => this.#data(frame, kind) };
    this.socket = new LiveSocket(clock, listener);
  }

  get paused() {
    return this.pausedAtMs !== null;
  }

  /** Whether it is connected, and has sent data. */
  get live() {
    return this.socket.state.name === "live";
  }

  /** Whether what is shown may be outdated. */
  get late() {
    return this.socket.late || (this.#behind && !this.wanted.away);
  }

  /** Updates that wait for the end of the pause. */
  get waiting() {
    return this.#held.updates;
  }

  /** Subscribe to what `wanted` says now. */
  ask() {
    this.socket.want(this.wanted.subscription);
  }

  pause() {
    this.pausedAtMs ??= performance.now();
  }

  resume() {
    if (!this.paused) return;
    this.pausedAtMs = null;
    this.#market.apply(this.#held.frame, this.#held.kind, performance.now());
    this.#held = new Held();
    this.#painter.resumed();
  }

  /** The page is hidden now. @param {string | null} current the current row's instrument */
  hide(current) {
    this.#awayTimer ??= setTimeout(() => {
      this.wanted.away = this.#behind = true;
      this.wanted.current = current;
      this.ask();
    }, AWAY_AFTER_MS);
  }

  /** The page is visible again. */
  show() {
    clearTimeout(this.#awayTimer);
    this.#awayTimer = null;
    if (this.wanted.away) {
      this.wanted.away = false;
      this.ask();
    }
    this.socket.wake();
  }

  #data(frame, kind) {
    this.#painter.heard(frame, kind.old);
    // The reduced subscription of a hidden tab never covers everything, even in a snapshot that comes late.
    const whole = kind.asked?.fields === undefined;
    const first = kind.first || (whole && this.#behind && kind.replace);
    const meant = { ...kind, replace: kind.replace && whole, first };
    if (whole && first) this.#behind = false;
    const wasFilled = this.#market.filled;
    if (this.paused && wasFilled) {
      this.#held.add(frame, meant);
      const quotes = kind.old ? this.#unseen(frame) : undefined;
      this.#market.apply({ quotes, feeds: frame.feeds }, { replace: false, old: true, asked: kind.asked }, performance.now());
    } else {
      this.#market.apply(frame, meant, performance.now());
      this.#painter.data(frame, meant, wasFilled);
    }
    if (kind.old && wasFilled) this.#painter.answered();
  }

  /** The symbols that are new here, which a pause does not hold back. */
  #unseen({ quotes = {} }) {
    return Object.fromEntries(Object.entries(quotes).filter(([symbol]) => this.#market.find(symbol) === undefined));
  }
}

/**
 * What the page subscribes to.
 *
 * Promises: whatever is shown is subscribed to; while the page is hidden, only what can still be noticed: the selected
 * symbol and those with alerts.
 */
class Wanted {
  /** The only symbols that the page will ever show; null: all. @type {string[] | null} */
  only = null;
  /** The instrument whose details are open, or null. @type {string | null} */
  details = null;
  /** Symbols with alerts. @type {string[]} */
  watched = [];
  /** The page has been hidden for a while. */
  away = false;
  /** The current row's instrument, or null. @type {string | null} */
  current = null;

  #market;

  /** @param {import("../store/market.js").Market} market which knows what is listed */
  constructor(market) {
    this.#market = market;
  }

  /** @returns {{symbols: string[], fields?: string[], interval_ms: number}} */
  get subscription() {
    return this.away ? this.#least() : { symbols: this.#patterns(), interval_ms: INTERVAL_MS };
  }

  #patterns() {
    const { only, details } = this;
    const { feed, listed } = this.#market;
    const names = new Set(only === null ? ["*", ...listed] : [...only, ...this.watched]);
    const patterns = names.size <= MOST_NAMES ? names : new Set(Array.from(names, allAlike));
    if (feed !== "" && only === null) patterns.add(`${feed}:*`);
    if (details !== null) patterns.add(`*:${details}`);
    return [...patterns];
  }

  #least() {
    const symbols = new Set(this.watched);
    const selected = this.details ?? this.current;
    if (selected !== null) symbols.add(selected);
    if (symbols.size === 0) symbols.add(NOTHING);
    return { symbols: [...symbols], fields: AWAY_FIELDS, interval_ms: AWAY_INTERVAL_MS };
  }
}

/** The pattern of all symbols of the same venue: `alpha:*`, or `*` for consolidated ones. */
function allAlike(symbol) {
  return `${symbol.slice(0, symbol.indexOf(":") + 1)}*`;
}

/**
 * What arrives during a pause, merged, so that it is never more than a snapshot.
 *
 * Promises: applying `frame` as its `kind` says has the effect of applying every frame that was held, in order.
 */
class Held {
  /** How many updates of symbols are waiting. */
  updates = 0;

  #quotes = new Map();
  #gone = new Set();
  #feeds = new Map();
  #replace = false;
  #epoch;

  /** @param {object} frame checked by net/protocol.js @param {import("../net/socket.js").Kind} kind */
  add(frame, { replace, old }) {
    if (replace) {
      this.#quotes.clear();
      this.#gone.clear();
      this.#feeds.clear();
      this.#replace = true;
      this.#epoch = frame.epoch;
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

  /** Everything at once. */
  get frame() {
    return {
      epoch: this.#epoch, quotes: Object.fromEntries(this.#quotes), gone: [...this.#gone], feeds: Object.fromEntries(this.#feeds),
    };
  }

  get kind() {
    return { replace: this.#replace, first: false, old: true };
  }
}
