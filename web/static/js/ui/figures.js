/**
 * What is updated once a second around the table: connection, rates, counts, feeds, notices; and the browser's tab with
 * its title and icon.
 *
 * Promises: a state is always shown by word, shape and colour together, on the page and in the icon; the title's price
 * is one that the page shows.
 */

import { age, clock as clockText } from "../fmt.js";
import { ARROWS } from "./cells.js";
import { element, find, lineThrough, mark, setAttribute, setText, showMark } from "./elements.js";

const DELAYED_MS = 1000;
/** Of which measurements there are quantiles: the median first. */
export const SHARES = [0.5, 0.95, 0.99];
const WORDS = { connecting: "Connecting", live: "Live", delayed: "Delayed", paused: "Paused", offline: "Offline" };
const RECENT_MS = 5000;
const RATES_KEPT = 5; // seconds
const TRACE_POINTS = 30;
const TRACE_LEAST_MS = 60;
const TRACE_WIDTH = 46;
const TRACE_HEIGHT = 16;
/** Of the mark on the icon, whatever the theme. */
const COLOURS = { connecting: "#e6b450", live: "#35c893", delayed: "#e6b450", paused: "#e8edf4", offline: "#ff7a72" };
const UNKNOWN = "unknown"; // a feed's state while this page is not connected
const STANDBY = "Delivering, but no price in the list comes from this feed now.";
const KIND_LABELS = { simulated: "Simulated market", replay: "Replayed market", delayed: "Delayed prices" };

export class Figures {
  /** From server to screen, ms. */
  latencies = new RecentSamples();
  /** The work in each frame, ms. */
  frameTimes = new RecentSamples();
  rates = new Rates();

  #page;
  #trace = [];

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
  }

  /** The state of the connection. @returns {keyof typeof WORDS} */
  get #condition() {
    const { stream } = this.#page;
    const { name } = stream.socket.state;
    if (name !== "live") return name === "ended" ? "offline" : name;
    if (stream.paused) return "paused";
    return stream.late || this.latencies.quantiles()[0] > DELAYED_MS ? "delayed" : "live";
  }

  /** The same in words, with details. */
  get state() {
    const { stream, numbers } = this.#page;
    const condition = this.#condition;
    const { retryInS } = stream.socket;
    if (retryInS !== null) return `${WORDS[condition]} · retry in ${retryInS} s`;
    if (condition !== "paused") return WORDS[condition];
    const forMs = performance.now() - stream.pausedAtMs;
    const minutes = clockText(forMs).slice(forMs < 3_600_000 ? 3 : 0);
    return `${WORDS[condition]} ${minutes} · ${numbers.counted(stream.waiting, "update")} waiting`;
  }

  /** Show the state alone, as soon as it changes. */
  showState() {
    setAttribute(find("#cluster"), "data-state", this.#condition);
    setAttribute(find("#cluster use"), "href", `#mark-${this.#condition}`);
    setText(find("#cluster .word"), this.state);
  }

  show() {
    const { head, stream, clock, times, feeds, market, numbers, notice } = this.#page;
    const { position, counts } = stream.socket;
    const up = ["live", "delayed"].includes(this.#condition);
    const [median, p95] = up ? this.latencies.quantiles() : [null, null];
    head.show();
    this.showState();
    this.#drawTrace(median);
    const texts = {
      "#cluster .cluster-latency b": numbers.count(median),
      "#cluster .cluster-rate b": numbers.count(up ? this.rates.total : null),
      "#figures .p50": numbers.count(median),
      "#figures .p95": numbers.count(p95),
      "#figures .sequence": numbers.count(position.version),
      "#figures .gaps": numbers.count(counts.gaps),
      "#figures .frame": numbers.fixed(this.frameTimes.quantiles()[0], 1),
      "#figures .time": times.clock(clock.now()),
      "#figures .zone": times.label,
    };
    for (const [place, text] of Object.entries(texts)) setText(find(place), text);
    feeds.show();
    this.showTab();
    if (market.filled) this.#showCounts();
    notice.show();
  }

  #drawTrace(median) {
    if (median === null) return;
    this.#trace.push(median);
    if (this.#trace.length > TRACE_POINTS) this.#trace.shift();
    // From zero, and never stretched below that, so that a quiet line means a quiet network.
    const most = Math.max(TRACE_LEAST_MS, ...this.#trace);
    const x = (i) => (i / Math.max(1, this.#trace.length - 1)) * TRACE_WIDTH;
    const y = (ms) => TRACE_HEIGHT - 2 - (ms / most) * (TRACE_HEIGHT - 4);
    const points = this.#trace.map((ms, i) => [x(i).toFixed(1), y(ms)]);
    setAttribute(find(".latency-trace path"), "d", lineThrough(points));
  }

  /** Show title and icon in the browser's tab. */
  showTab() {
    const { market, details, grid, freshness, numbers } = this.#page;
    const quote = market.find(details.symbol ?? grid.currentQuote?.instrument ?? "");
    const arrow = quote && freshness.state(quote) === "live" ? ARROWS.get(quote.tick) : "";
    const price = quote && `${numbers.price(quote.price, quote.decimals)} ${quote.symbol} · `;
    const title = [arrow, `${price ?? ""}Ticker`].filter(Boolean).join(" ");
    if (document.title !== title) document.title = title;
    const condition = this.#condition;
    const drawing = find("#tab-icon").cloneNode(true); // a change of the page's own would lay out the page each second
    drawing.lastElementChild.setAttribute("color", COLOURS[condition]);
    drawing.lastElementChild.replaceChildren(...find(`#mark-${condition}`).cloneNode(true).childNodes);
    setAttribute(find("#icon"), "href", `data:image/svg+xml,${encodeURIComponent(drawing.outerHTML)}`);
  }

  #showCounts() {
    const { tabs, numbers, market, lists, search, view, filters } = this.#page;
    for (const { key, symbols } of lists.all) tabs.showCount(key, numbers.count(symbols?.size ?? market.quotes.size));
    search.describe(`Search ${numbers.counted(market.quotes.size, "symbol")}`);
    filters.show();
    this.#showBreadth(view.breadth());
  }

  /** Show how many of the list rise and fall. */
  #showBreadth(counts) {
    const { numbers } = this.#page;
    const parts = find(".breadth-bar").children;
    const words = Object.entries(counts).map(([word, count], i) => {
      parts[i].style.flexGrow = String(count);
      parts[i].hidden = count === 0;
      return `${numbers.count(count)} ${word}`;
    });
    find("#breadth").hidden = !Object.values(counts).some(Boolean);
    setText(find("#breadth .rising"), numbers.count(counts.rising));
    setText(find("#breadth .falling"), numbers.count(counts.falling));
    setAttribute(find("#breadth"), "aria-label", words.join(", "));
  }
}

/** Updates per second by source, averaged so that a polled feed does not flicker. */
class Rates {
  #buckets = [];

  /** @param {Map<string, number>} counts since the last call @param {number} seconds that they took */
  add(counts, seconds) {
    this.#buckets.push({ counts, seconds });
    if (this.#buckets.length > RATES_KEPT) this.#buckets.shift();
  }

  /** @returns {Map<string, number>} per second, by source */
  get bySource() {
    const seconds = this.#buckets.reduce((sum, bucket) => sum + bucket.seconds, 0);
    const rates = new Map();
    for (const { counts } of this.#buckets) {
      for (const [source, count] of counts) rates.set(source, (rates.get(source) ?? 0) + count / seconds);
    }
    return rates;
  }

  /** Per second, all sources together. */
  get total() {
    return [...this.bySource.values()].reduce((sum, rate) => sum + rate, 0);
  }
}

/** Recent measurements and their quantiles. */
class RecentSamples {
  #samples = []; // [atMs, value], oldest first

  /** Measured just now. */
  add(value) {
    this.#samples.push([performance.now(), value]);
  }

  clear() {
    this.#samples = [];
  }

  /** The values at SHARES of the recent ones; null where there are none. @returns {(number | null)[]} */
  quantiles() {
    const sinceMs = performance.now() - RECENT_MS;
    this.#samples = this.#samples.filter(([atMs]) => atMs > sinceMs);
    const sorted = this.#samples.map(([, value]) => value).sort((a, b) => a - b);
    return SHARES.map((share) => sorted[Math.floor(share * sorted.length)] ?? null);
  }
}

/** The state of each feed in the status line, and the label that says when prices are not real or not live. */
export class Feeds {
  /** The kinds of prices that `hello` has announced; they count until feeds are known. @type {string[]} */
  helloKinds = [];

  #list = find("#feeds");
  #kindLabel = find("#kind-label");
  #page;
  #chips = new Map(); // feed name -> its elements

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
  }

  show() {
    const { figures, market, stream } = this.#page;
    const { bySource } = figures.rates;
    const sources = [...market.sources];
    const replayed = sources.filter((source) => source && !market.feeds.has(source)); // a replay's prices name other sources
    for (const [name, { item }] of this.#chips) {
      if (market.feeds.has(name)) continue;
      item.remove();
      this.#chips.delete(name);
    }
    for (const [name, feed] of [...market.feeds].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!this.#chips.has(name)) this.#chips.set(name, this.#newChip(name));
      const venues = feed.kind === "replay" ? [name, ...replayed] : [name];
      const rate = venues.reduce((sum, venue) => sum + (bySource.get(venue) ?? 0), 0);
      const isSource = venues.some((venue) => sources.includes(venue));
      this.#showChip(name, feed, stream.live ? feed.state : UNKNOWN, isSource, rate);
    }
    const known = [...market.feeds.values()]; // they may have changed since `hello`, as a gateway's do
    const kinds = new Set(known.length === 0 ? this.helloKinds : known.map((feed) => feed.kind));
    const label = Object.entries(KIND_LABELS).filter(([kind]) => kinds.has(kind)).map(([, words]) => words).join(" · ");
    this.#kindLabel.hidden = label === "";
    setText(this.#kindLabel, label);
  }

  #newChip(name) {
    const shape = mark();
    const aside = element("span", { class: "aside" });
    const figure = element("b");
    const item = element("li", { class: "feed" }, shape, element("span", {}, name), aside, figure);
    this.#list.append(item);
    return { shape, aside, figure, item };
  }

  #showChip(name, { message }, state, isSource, rate) {
    const { announcer, clock, market, numbers } = this.#page;
    const { shape, aside, figure, item } = this.#chips.get(name);
    const before = item.getAttribute("data-state") ?? UNKNOWN;
    if (before !== state && before !== UNKNOWN && state !== UNKNOWN) announcer.say(`feed ${name}`, `Feed ${name} is ${state}.`);
    setAttribute(item, "data-state", state);
    const standby = state === "live" && !isSource;
    setAttribute(item, "title", message ?? (standby ? STANDBY : null));
    showMark(shape, state);
    aside.hidden = state === "live" && isSource;
    const [about, said] = standby ? ["· standby", ""]
      : state === "live" ? ["", `${numbers.count(rate)}/s`]
      : state === "stale" ? ["· no data for", age(clock.now() - market.silentSince(name))]
      : ["·", state];
    setText(aside, about);
    setText(figure, said);
  }
}
