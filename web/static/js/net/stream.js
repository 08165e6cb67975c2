/**
 * The stream as the page lives with it: paused by its user, left alone in a hidden tab, taken up again.
 *
 * Promises: while paused what is shown stands still, what is asked for comes, and nothing is lost; messages never queue
 * up, they are merged; a tab that nobody looks at asks for less after a while, and on return for everything at once,
 * before which nothing is live.
 */

import { Held } from "../store/held.js";
import { LiveSocket } from "./socket.js";
import { Wanted } from "./wanted.js";

const AWAY_AFTER_MS = 30_000;

export class Stream {
  wanted = new Wanted();
  /** When the user paused it, monotonic ms; null while it runs. @type {number | null} */
  pausedAtMs = null;
  /** @type {LiveSocket} */
  socket;

  #market;
  #alerts;
  #clock;
  #painter;
  #held = new Held();
  #awayTimer = null;
  #behind = false; // less was asked for since everything was told

  /**
   * @param {object} options
   * @param {string} options.url
   * @param {typeof import("./early.js").early} options.early
   * @param {import("./clock.js").ServerClock} options.clock
   * @param {import("../store/market.js").Market} options.market
   * @param {import("../store/alerts.js").Alerts} options.alerts
   * @param {{state(state), hello(message), data(frame, kind, wasFilled: boolean), answered(), resumed()}}
   *   options.painter
   *   `answered`: what was asked for meanwhile has come
   */
  constructor({ url, early, clock, market, alerts, painter }) {
    this.#market = market;
    this.#alerts = alerts;
    this.#clock = clock;
    this.#painter = painter;
    const listener = {
      state: (state) => painter.state(state),
      hello: (message) => painter.hello(message),
      data: (frame, kind) => this.#data(frame, kind),
    };
    this.socket = new LiveSocket({ url, early, clock, subscription: this.wanted.subscription, listener });
  }

  get paused() {
    return this.pausedAtMs !== null;
  }

  /** Whether what is shown may have changed without our knowing. */
  get late() {
    return this.socket.late || (this.#behind && !this.wanted.away);
  }

  /** Updates that wait for the end of the pause. */
  get waiting() {
    return this.#held.updates;
  }

  /** Ask for what `wanted` says now. */
  ask() {
    this.socket.want(this.wanted.subscription);
  }

  pause() {
    this.pausedAtMs ??= performance.now();
  }

  resume() {
    if (!this.paused) return;
    this.pausedAtMs = null;
    const { frame, kind } = this.#held.take();
    this.#market.apply(frame, kind, performance.now());
    this.#painter.resumed();
  }

  /** Nobody can see the page now. @param {string | null} current the instrument that the keyboard is at */
  hide(current) {
    this.#awayTimer ??= setTimeout(() => {
      this.wanted.away = this.#behind = true;
      this.wanted.current = current;
      this.ask();
    }, AWAY_AFTER_MS);
  }

  /** Somebody looks again. */
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
    this.#alerts.take(frame, kind.old, this.#clock.now());
    // What was asked for while away is not all there is, whatever it replaces at the service, and whenever it comes.
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

  /** What no pause holds, for it was not there before. */
  #unseen({ quotes = {} }) {
    return Object.fromEntries(Object.entries(quotes).filter(([symbol]) => this.#market.find(symbol) === undefined));
  }
}
