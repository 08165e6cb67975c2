/**
 * What the frame of the page says once a second: connection, rates, counts, feeds, and what is wrong. No prices.
 */

import { clock as clockText } from "../fmt/time.js";
import { noticeFor } from "./notice.js";

const DELAYED_MS = 1000;
const SHARES = [0.5, 0.95];

export class Figures {
  /** Server kinds of `hello`. @type {string[]} */
  helloKinds = [];

  #page;
  /** Messages and bytes that came each second. */
  perSecond = { messages: 0, bytes: 0 };

  #received = { atMs: performance.now(), messages: 0, bytes: 0 };

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
  }

  /** How the stream is, in a word. */
  condition() {
    const { stream, latencies } = this.#page;
    const { socket } = stream;
    const now = performance.now();
    if (socket.state.name !== "live") return socket.state.name;
    if (stream.paused) return "paused";
    const slow = (latencies.quantiles(now, [0.5])?.[0] ?? 0) > DELAYED_MS;
    return stream.late || slow ? "delayed" : "live";
  }

  retryInMs() {
    const { state } = this.#page.stream.socket;
    return state.name === "offline" ? state.retryAtMs - performance.now() : null;
  }

  /** The state alone, the moment that it changes. */
  showState() {
    this.#page.status.showState(this.condition(), this.aside);
  }

  /** What follows the word. */
  get aside() {
    const { stream, numbers } = this.#page;
    if (stream.paused && stream.socket.state.name === "live") {
      const forMs = performance.now() - stream.pausedAtMs;
      return ` ${clockText(forMs).slice(forMs < 3_600_000 ? 3 : 0)} · ${numbers.count(stream.waiting)} updates waiting`;
    }
    const retryInMs = this.retryInMs();
    return retryInMs === null ? "" : ` · retry in ${Math.max(1, Math.ceil(retryInMs / 1000))} s`;
  }

  show() {
    const { head, view, status, latencies, frameTimes, rates, stream, clock, times, feeds, market } = this.#page;
    const { socket } = stream;
    const now = performance.now();
    head.show(view.sort, view.waiting);
    status.show({
      state: this.condition(),
      aside: this.aside,
      latencyMs: latencies.quantiles(now, SHARES),
      frameMs: frameTimes.quantiles(now, [0.5])?.[0] ?? null,
      ratePerSecond: rates.total,
      version: socket.position.version,
      gaps: socket.counts.gaps,
      time: times.clock(clock.now()),
      zone: times.label,
    });
    feeds.show(market, socket.state.name === "live" ? rates.bySource : null, clock.now());
    feeds.showKinds(new Set([...this.helloKinds, ...market.kinds]));
    this.#page.title();
    if (market.filled) this.#showCounts();
    this.showNotice();
  }

  #showCounts() {
    const { tabs, numbers, market, lists, search, breadth, view, filters } = this.#page;
    for (const { key, symbols } of lists.all) tabs.showCount(key, numbers.count(symbols?.size ?? market.quotes.size));
    search.describe(`Search ${numbers.count(market.quotes.size)} symbols`);
    breadth.show(view.breadth());
    filters.show(market, { feed: view.feed, quote: view.currency });
  }

  showNotice() {
    const { stream, market, view, list, notice, numbers, skeleton } = this.#page;
    const filters = [view.feed && `feed ${view.feed}`, view.currency && `quote ${view.currency}`];
    const said = noticeFor({
      state: stream.socket.state, retryInMs: this.retryInMs(), filled: market.filled, rows: view.rows.length,
      asking: stream.socket.asking,
      query: view.query, list: list(), filters: filters.filter(Boolean).join(", "),
      leftOut: market.leftOut.size === 0 ? "" : numbers.count(market.leftOut.size),
      shown: numbers.count(market.quotes.size),
    });
    if (said !== null) skeleton.hidden = true;
    notice.show(said, view.rows.length === 0);
  }

  /** Messages and bytes a second since the last call; once a second. */
  count() {
    const { messages, bytes } = this.#page.stream.socket.counts;
    const atMs = performance.now();
    const seconds = Math.max(0.001, (atMs - this.#received.atMs) / 1000);
    this.perSecond = {
      messages: (messages - this.#received.messages) / seconds,
      bytes: (bytes - this.#received.bytes) / seconds,
    };
    this.#received = { atMs, messages, bytes };
  }
}
