/**
 * A line for each venue of an instrument: its state, price, lag and rate, whether it is the source now, and whether it
 * was before.
 */

import { loadSources } from "../net/details.js";
import { age } from "../fmt.js";
import { FIXED_AGES } from "./cells.js";
import { element, mark, setAttribute, setText, showMark } from "./elements.js";

const RATE_SAMPLES = 10; // two a second

export class Sources {
  element = element("table", { class: "sources" });

  #page;
  #body = element("tbody");
  #rows = new Map(); // venue symbol -> its elements and samples
  #instrument = null;
  #source = null;
  #answer = null;

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
    const titles = ["Source", "Last", "Lag", "Rate"].map((title) => element("th", { scope: "col" }, title));
    titles[2].title = "Delay from the venue’s clock to this page; for a quiet symbol, the age of its price";
    titles[3].title = "Updates received per second";
    this.element.append(element("thead", {}, element("tr", {}, ...titles)), this.#body);
  }

  /** Show another instrument's venues. @param {string | null} instrument "BTC-USD" */
  show(instrument) {
    this.#instrument = instrument;
    this.#source = this.#answer = null;
    this.#rows.clear();
    this.#body.replaceChildren();
  }

  /** The prices alone, in the same frame as the panel's own, which is one of them. */
  paint() {
    const { market, numbers } = this.#page;
    for (const [symbol, { last }] of this.#rows) {
      const quote = market.venues.get(symbol);
      if (quote !== undefined) setText(last, numbers.price(quote.price, quote.decimals));
    }
  }

  /** @param {import("../store/quote.js").Quote | undefined} quote of the instrument */
  paintSlowly(quote) {
    const { venues } = this.#page.market;
    const own = [...venues.keys()].filter((symbol) => symbol.endsWith(`:${this.#instrument}`));
    if (quote !== undefined && quote.source !== this.#source) this.#turned(quote.source);
    this.element.hidden = own.length === 0;
    for (const symbol of this.#rows.keys()) if (!venues.has(symbol)) this.#drop(symbol);
    own.sort((a, b) => this.#rank(a) - this.#rank(b) || (a < b ? -1 : 1));
    own.forEach((symbol, i) => {
      const row = this.#rows.get(symbol) ?? this.#add(symbol);
      if (this.#body.children[i] !== row.element) this.#body.insertBefore(row.element, this.#body.children[i] ?? null);
      this.#paintRow(row, venues.get(symbol));
    });
    this.paint();
  }

  async #turned(source) {
    const { announcer, market } = this.#page;
    if (this.#source !== null && source !== null) {
      const state = market.venues.get(`${this.#source}:${this.#instrument}`)?.state ?? "gone";
      const why = state === "live" ? "" : `, ${this.#source} is ${state}`;
      announcer.say("source", `${this.#instrument} now comes from ${source}${why}.`);
    }
    this.#source = source;
    const instrument = this.#instrument;
    const answer = await loadSources(instrument).catch(() => null); // without an answer the lines are sorted by name
    if (instrument === this.#instrument && answer !== null) this.#answer = answer;
  }

  #rank(symbol) {
    const rank = this.#answer?.venues.indexOf(venueOf(symbol)) ?? -1;
    return rank < 0 ? Infinity : rank;
  }

  #add(symbol) {
    const row = {
      mark: mark(),
      state: element("span", { class: "hidden-text" }),
      tag: element("span", { class: "tag" }),
      last: element("td"),
      lag: element("td"),
      rate: element("td"),
      samples: [],
    };
    const venue = element("div", { class: "venue" }, element("span", {}, venueOf(symbol)), row.state, row.tag);
    const head = element("th", { scope: "row" }, row.mark, venue);
    row.element = element("tr", {}, head, row.last, row.lag, row.rate);
    this.#rows.set(symbol, row);
    return row;
  }

  #drop(symbol) {
    this.#rows.get(symbol).element.remove();
    this.#rows.delete(symbol);
  }

  #paintRow(row, quote) {
    const { numbers, freshness } = this.#page;
    const state = freshness.state(quote);
    setAttribute(row.element, "data-state", state);
    showMark(row.mark, state);
    setText(row.state, ` ${state}`);
    setText(row.lag, this.#lag(quote, state));
    setText(row.rate, `${rateText(this.#rate(row, quote), numbers)}/s`);
    this.#paintTag(row.tag, venueOf(quote.symbol));
  }

  #lag(quote, state) {
    const { freshness } = this.#page;
    if (FIXED_AGES[state] !== undefined) return FIXED_AGES[state];
    if (state !== "live" || freshness.isAgeing(quote) || quote.lagMs === null) return age(freshness.ageMs(quote));
    return quote.lagMs < 1000 ? `${Math.round(quote.lagMs)} ms` : age(quote.lagMs);
  }

  #rate({ samples }, { updates }) {
    const now = performance.now();
    samples.push([now, updates]);
    if (samples.length > RATE_SAMPLES) samples.shift();
    const [firstMs, first] = samples[0];
    return now > firstMs ? ((updates - first) / (now - firstMs)) * 1000 : 0;
  }

  #paintTag(tag, venue) {
    const { before, since } = this.#answer ?? {};
    const now = venue === this.#source;
    const left = !now && venue === before && this.#answer.source === this.#source;
    setAttribute(tag, "class", now ? "tag now" : "tag");
    setText(tag, now ? "source" : left ? `until ${this.#page.times.clock(since)}` : "");
    setAttribute(tag, "title", left ? `${this.#source} took over from ${venue}` : null);
  }
}

function venueOf(symbol) {
  return symbol.slice(0, symbol.indexOf(":"));
}

function rateText(rate, numbers) {
  return rate === 0 ? "0" : numbers.fixed(rate, rate < 99.95 ? 1 : 0);
}
