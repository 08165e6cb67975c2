/**
 * What narrows a list: the search field, and the filters for feed and quote currency.
 */

import { element } from "./elements.js";

const ANY = { feed: "All", quote: "Any" };
const MOST_CURRENCIES = 60;

/** Filters as you type; Escape clears it; on a narrow screen it takes the header's place. */
export class Search {
  #input;
  #header;
  #page;

  /** @param {HTMLElement} header that contains the field and the button that opens it @param {object} page see main.js */
  constructor(header, page) {
    this.#header = header;
    this.#page = page;
    this.#input = header.querySelector("input");
    this.#input.addEventListener("input", () => page.listing.searchFor(this.#input.value));
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#input.addEventListener("blur", () => this.#close());
    header.querySelector("#search-open").addEventListener("click", () => this.open());
    // Keeps the focus in the field, which would hide the button before the click arrives.
    const button = header.querySelector("#search-clear");
    button.addEventListener("pointerdown", (event) => event.preventDefault());
    button.addEventListener("click", () => {
      this.clear();
      this.#input.focus(); // the button disappears
    });
  }

  /** The text in the field. */
  set text(text) {
    this.#input.value = text;
    this.#header.classList.toggle("searching", text !== "");
  }

  /** Set the placeholder. */
  describe(text) {
    this.#input.placeholder = text;
  }

  open() {
    this.#header.classList.add("searching");
    this.#input.focus();
    this.#input.select();
  }

  clear() {
    this.text = "";
    this.#page.listing.searchFor("");
  }

  #key(event) {
    if (event.isComposing) return; // Enter accepts what an input method offers
    if (event.key === "Escape") {
      this.clear();
      this.#input.blur();
    } else if (event.key === "ArrowDown") {
      this.#page.grid.focus();
    } else if (event.key === "Enter") {
      this.#page.openBest();
    } else {
      return;
    }
    event.preventDefault();
  }

  // A search that is not empty stays visible.
  #close() {
    if (this.#input.value === "") this.#header.classList.remove("searching");
  }
}

/** The filters beside the lists. */
export class Filters {
  #page;
  #selects;
  #shown = "";

  /** @param {HTMLSelectElement} feed @param {HTMLSelectElement} quote @param {object} page see main.js */
  constructor(feed, quote, page) {
    this.#page = page;
    this.#selects = { feed, quote };
    for (const [name, select] of Object.entries(this.#selects)) {
      select.addEventListener("change", () => page.listing.filter(name, select.value));
    }
  }

  /** Offer what the market has, and the present choice even if the market does not have it. */
  show() {
    const { market, view } = this.#page;
    const state = [market.membership, ...market.feeds.keys(), view.feed, view.currency].join();
    if (state === this.#shown) return;
    this.#shown = state;
    // A replay is one feed with prices of many.
    const venues = [...market.sources].filter((source) => typeof source === "string");
    this.#fill("feed", [...new Set([...market.feeds.keys(), ...venues])].sort(), view.feed);
    this.#fill("quote", currencies(market), view.currency);
  }

  /** The options: values and texts. @param {"feed" | "quote"} name */
  options(name) {
    return Array.from(this.#selects[name].options, ({ value, text }) => [value, text]);
  }

  #fill(name, values, chosen) {
    const select = this.#selects[name];
    const all = [...new Set(["", ...values, chosen])];
    // Only if they differ: the user may be choosing.
    if (all.join() !== Array.from(select.options, ({ value }) => value).join()) {
      select.replaceChildren(...all.map((value) => element("option", { value }, value || ANY[name])));
    }
    select.value = chosen;
  }
}

/** The quote currencies, most common first. */
function currencies(market) {
  const counts = new Map();
  for (const { parts } of market.quotes.values()) {
    if (parts[1] !== "") counts.set(parts[1].slice(1), (counts.get(parts[1].slice(1)) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, MOST_CURRENCIES).map(([currency]) => currency);
}
