/**
 * The panel's chart with its controls: intervals, candles or line, the legend, and the message instead of a chart.
 *
 * Promises: without the library or the bars there is a sentence in the chart's place, and the rest of the panel works;
 * the live bar is drawn at most ten times a second; an outdated answer is dropped. To screen readers the chart is a
 * slider, whose values are the bars.
 */

import { loadBars } from "../net/details.js";
import { Bars, INTERVALS } from "../store/bars.js";
import { alertsOf } from "./alerting.js";
import { AlertLines } from "./alertlines.js";
import { loadChart } from "./chart.js";
import { watchTheme } from "./colours.js";
import { button, element, onKeys, setAttribute, setText } from "./elements.js";

const BARS = 500;
const LATEST = 2; // bars that are loaded again when one has ended, besides those that are not known
const SETTLED_MS = 2000; // so long after its end the service has a bar
const DRAW_MS = 100;
const KINDS = { candles: "Candles", line: "Line" };
const NO_LIBRARY = "The chart library could not be loaded. Everything else works without it. Retrying in 30 s.";
const NO_BARS = "No prices have been recorded yet.";
const AGAIN_MS = 30_000;

export class ChartPane {
  controls = element("div", { class: "chart-bar", role: "group", "aria-label": "Chart" });
  element = element("div", { class: "chart-box" });

  #page;
  #buttons = new Map(); // interval -> its button
  #kindButton = button({ class: "chart-kind" }, () => this.#chooseKind());
  #place = element("div", { class: "chart", role: "slider", tabindex: "0", "aria-valuemin": "0" });
  #legend = element("div", { class: "legend", "aria-hidden": "true" });
  #values = {};
  #note = element("span", { class: "legend-note" });
  #message = element("p", { class: "chart-message", role: "status" });
  #text = element("span");
  #retry = button({ class: "plain-button" }, () => this.load(), "Retry");
  #chart = null;
  #lines = null;
  #quote = null;
  #bars = null;
  #request = 0; // the number of the last request; answers to earlier ones are dropped
  #settledMs = -Infinity; // the end of the last bar that the service was asked for
  #loadedMs = -Infinity; // and of the last one that it has sent
  #againMs = Infinity; // when a failed request is repeated
  #price = null;
  #drawnMs = -Infinity;
  #firstDirty = null;
  #pointed = null; // index of the bar whose values are shown, if it is not the last
  #timeText = String;

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
    for (const [i, { key, title }] of INTERVALS.entries()) {
      const made = button({ "aria-keyshortcuts": String(i + 1) }, () => this.chooseInterval(i + 1), title);
      this.#buttons.set(key, made);
      this.controls.append(made);
    }
    this.controls.append(this.#kindButton);
    for (const name of ["O", "H", "L", "C"]) {
      this.#values[name] = element("b");
      this.#legend.append(element("span", {}, name, " ", this.#values[name]));
    }
    this.#legend.append(this.#note);
    this.#message.append(this.#text, this.#retry);
    const link = element("a", { class: "credit", href: "https://www.tradingview.com/", target: "_blank", rel: "noopener" }, "TradingView");
    this.element.append(this.#place, this.#legend, this.#message, link);
    watchTheme(() => this.#chart?.repaint());
    const last = () => this.#bars.list.length - 1;
    const moves = { ArrowLeft: (at) => at - 1, ArrowRight: (at) => at + 1, Home: () => 0, End: last };
    onKeys(this.#place, Object.fromEntries(Object.entries(moves).map(([key, move]) => [key, ({ altKey, ctrlKey, metaKey }) => {
      if (altKey || ctrlKey || metaKey) return false; // the browser's own: Alt+← is Back
      return this.#point(Math.max(0, Math.min(last(), move(this.#pointed ?? last()))));
    }])));
    this.#place.addEventListener("blur", () => this.#point(null));
    this.#markChoices();
  }

  get #interval() {
    return INTERVALS.find(({ key }) => key === this.#page.prefs.get("tf"));
  }

  /** Show another symbol's bars; null for none. @param {import("../store/quote.js").Quote | null} quote */
  show(quote) {
    this.#quote = quote;
    this.#bars = null;
    this.#pointed = null;
    this.#legend.hidden = true;
    this.#say("");
    this.element.classList.add("without-chart"); // the one that is drawn is another symbol's
    this.#againMs = Infinity;
    this.#request += 1;
    if (quote !== null) this.load();
  }

  /** Show the values of a bar; null: of the last one. */
  #point(index) {
    this.#chart?.point(index);
    this.#pointed = index;
    this.#showLegend();
    this.#sayBar();
  }

  // Only when the user has moved: a value that changed with every price would be read out each time.
  #sayBar() {
    const { list } = this.#bars ?? { list: [] };
    const index = this.#pointed ?? list.length - 1;
    if (index < 0) return;
    setAttribute(this.#place, "aria-valuemax", String(list.length - 1));
    setAttribute(this.#place, "aria-valuenow", String(index));
    const time = this.#timeText(list[index].t);
    setAttribute(this.#place, "aria-valuetext", `${time}: ${Array.from(this.#legend.children, (part) => part.textContent).join(" ")}`);
  }

  /** @param {number} n counted from one */
  chooseInterval(n) {
    const { prefs } = this.#page;
    prefs.set("tf", INTERVALS[n - 1].key);
    this.#markChoices();
    if (this.#quote !== null) this.load();
  }

  #chooseKind() {
    this.#page.prefs.cycle("chart");
    this.#markChoices();
    this.#draw(true);
  }

  #markChoices() {
    const { prefs } = this.#page;
    for (const [key, one] of this.#buttons) setAttribute(one, "aria-pressed", String(key === prefs.get("tf")));
    const kind = KINDS[prefs.get("chart")];
    setText(this.#kindButton, kind);
    setAttribute(this.#kindButton, "aria-label", `Chart type: ${kind}`);
  }

  /** Load all bars, at the start and after a time without a connection. */
  async load() {
    const quote = this.#quote;
    const interval = this.#interval;
    this.#againMs = Infinity;
    this.#request += 1;
    const request = this.#request;
    const [library, rows] = await Promise.allSettled([loadChart(), loadBars(quote.symbol, interval.key, BARS)]);
    if (request !== this.#request) return;
    if (library.status === "rejected") return this.#say(NO_LIBRARY, true);
    if (rows.status === "rejected") return this.#say(`The chart data could not be loaded: ${rows.reason.message}. Retrying in 30 s.`, true);
    if (rows.value.length === 0) return this.#say(NO_BARS, true);
    const fresh = this.#bars === null || this.#bars.spanMs !== interval.ms;
    if (fresh) {
      this.#bars = new Bars(interval.ms);
      this.#pointed = null;
    }
    this.#bars.merge(rows.value);
    this.#say("");
    this.#prepare(library.value);
    this.#price = null;
    this.#settledMs = this.#loadedMs = this.#bars.endMs - interval.ms;
    this.#take();
    this.#draw(!fresh);
    this.#sayBar();
    setAttribute(this.#place, "aria-label", `${interval.title} chart of ${quote.symbol}`);
  }

  #prepare(Chart) {
    if (this.#chart !== null) return;
    this.#chart = new Chart(this.#place);
    this.#chart.onPoint = (index) => {
      this.#pointed = index;
      this.#showLegend();
    };
    const round = (price) => Number(price.toFixed(this.#quote.decimals ?? 8));
    this.#lines = new AlertLines(this.#chart, this.#place, alertsOf(this.#page), round);
  }

  /** The price may have changed. @param {import("../store/quote.js").Quote} quote of the symbol shown */
  paint(quote) {
    this.#quote = quote;
    if (this.#bars === null || this.#chart === null) return;
    this.#take();
    const now = performance.now();
    if (this.#firstDirty === null || now - this.#drawnMs < DRAW_MS) return;
    this.#drawnMs = now;
    this.#chart.update(this.#firstDirty);
    this.#firstDirty = null;
    this.#showLegend();
  }

  /** Twice a second: what the throttle held back, alert lines, and the service's version of a bar that has ended. */
  paintSlowly(quote) {
    this.#quote = quote;
    if (performance.now() > this.#againMs) this.load();
    if (this.#bars === null || this.#chart === null) return;
    this.paint(quote);
    this.#lines.show(this.#quote.instrument, this.#chart.colours);
    const ended = this.#bars.endMs - this.#bars.spanMs;
    if (this.#page.clock.now() > ended + SETTLED_MS && ended !== this.#settledMs) this.#settle(ended);
  }

  async #settle(ended) {
    this.#settledMs = ended;
    const request = this.#request;
    const missing = (ended - this.#loadedMs) / this.#bars.spanMs; // many, after a time away
    const rows = await loadBars(this.#quote.symbol, this.#interval.key, Math.min(BARS, missing + LATEST)).catch(() => []);
    if (request !== this.#request || rows.length === 0) return; // tried again with the next bar
    this.#loadedMs = ended;
    this.#bars.merge(rows);
    this.#draw(true);
  }

  #take() {
    const { price } = this.#quote;
    if (price === null || price === this.#price) return;
    if (this.#price === null && !this.#page.stream.live) return; // an old price is not one of now
    this.#price = price;
    const before = this.#bars.list.length - 1;
    this.#bars.push(price, this.#page.clock.now());
    this.#firstDirty ??= before;
  }

  /** Draw it anew: the format of times or numbers has changed. */
  redraw() {
    this.#draw(true);
  }

  #draw(keepPlace) {
    if (this.#bars === null || this.#chart === null) return;
    const { prefs, numbers, times } = this.#page;
    const { decimals } = this.#quote;
    const format = (price) => numbers.price(price, decimals);
    const days = this.#interval.key === "1d";
    const shiftMs = (ms) => (days ? 0 : times.shiftMs(ms));
    const scale = { decimals, format, formatTime: (ms) => timeText(ms, days), shiftMs, days };
    this.#timeText = (ms) => timeText(ms + shiftMs(ms), days);
    this.#chart.draw(this.#bars.list, prefs.get("chart"), scale, keepPlace);
    this.#firstDirty = null;
    this.#lines.show(this.#quote.instrument, this.#chart.colours);
    this.#showLegend();
  }

  #showLegend() {
    const { numbers } = this.#page;
    const bar = this.#bars?.list[this.#pointed ?? this.#bars.list.length - 1];
    this.#legend.hidden = bar === undefined;
    if (bar === undefined) return;
    const values = { O: bar.open, H: bar.high, L: bar.low, C: bar.close };
    for (const [name, value] of Object.entries(values)) setText(this.#values[name], numbers.price(value, this.#quote.decimals));
    const notes = [];
    if (this.#pointed !== null && bar.volume !== null) notes.push(`Volume ${numbers.volume(bar.volume)}`);
    if (this.#pointed !== null && bar.own) notes.push(`${this.#quote.source ?? "the venue"}’s own bar`);
    if (this.#pointed !== null && bar.gap) notes.push("incomplete data");
    setText(this.#note, notes.join(" · "));
  }

  #say(text, retry = false) {
    setText(this.#text, text);
    this.#message.hidden = text === "";
    this.#retry.hidden = !retry;
    if (retry) this.#againMs = performance.now() + AGAIN_MS;
    this.element.classList.toggle("without-chart", text !== "");
  }
}

/** 25 Nov 20:50, as the chart's own axis has it. */
function timeText(ms, days) {
  const [, day, month, year, time] = new Date(ms).toUTCString().split(" ");
  return days ? `${day} ${month} ${year}` : `${day} ${month} ${time.slice(0, 5)}`;
}
