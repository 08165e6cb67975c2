/**
 * Which feed's prices are listed, and which quote currency: two choices beside the lists.
 */

import { element } from "./elements.js";

const ANY = { feed: "All", quote: "Any" };
const MOST_CURRENCIES = 60;

export class Filters {
  /** Told `feed` or `quote`, and the value that was chosen; empty for all. */
  onChoose = () => {};

  #selects;
  #shown = "";

  /** @param {HTMLSelectElement} feed @param {HTMLSelectElement} quote */
  constructor(feed, quote) {
    this.#selects = { feed, quote };
    for (const [name, select] of Object.entries(this.#selects)) {
      select.addEventListener("change", () => this.onChoose(name, select.value));
    }
  }

  /**
   * Offer what the market has.
   * @param {import("../store/market.js").Market} market
   * @param {{feed: string, quote: string}} chosen offered even if the market does not have them
   */
  show(market, chosen) {
    const state = [market.membership, [...market.feeds.keys()].join(), chosen.feed, chosen.quote].join();
    if (state === this.#shown) return;
    this.#shown = state;
    this.#fill("feed", [...market.feeds.keys()].sort(), chosen.feed);
    this.#fill("quote", currencies(market), chosen.quote);
  }

  /** What can be chosen: values and texts. @param {"feed" | "quote"} name */
  options(name) {
    return Array.from(this.#selects[name].options, ({ value, text }) => [value, text]);
  }

  #fill(name, values, chosen) {
    const select = this.#selects[name];
    const all = [...new Set(["", ...values, chosen])];
    // Not made anew for nothing: somebody may be choosing.
    if (all.join() !== Array.from(select.options, ({ value }) => value).join()) {
      select.replaceChildren(...all.map((value) => element("option", { value }, value || ANY[name])));
    }
    select.value = chosen;
  }
}

/** What most symbols are quoted in comes first. */
function currencies(market) {
  const counts = new Map();
  for (const { parts } of market.quotes.values()) {
    if (parts[1] !== "") counts.set(parts[1].slice(1), (counts.get(parts[1].slice(1)) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, MOST_CURRENCIES).map(([currency]) => currency);
}
