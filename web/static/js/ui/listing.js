/**
 * What is listed, as the user chooses it: list, search, filters, order; and changes of the lists themselves.
 *
 * Promises: every choice is in the page's URL at once and is announced; a shared list is not stored.
 */

import { DEFAULT_SORT, sortFrom, sortName } from "../store/view.js";
import { columnOf } from "./rows.js";

export class Listing {
  #page;
  #unsaid = false; // the count is still to be announced, once it is known

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
  }

  /** The chosen list. */
  get list() {
    const { lists, prefs } = this.#page;
    return lists.find(lists.shared !== null && prefs.get("symbols") !== "" ? "shared" : prefs.get("list"));
  }

  /** Apply what the URL and storage say. */
  start() {
    const { prefs, view, search, stream, market } = this.#page;
    view.sort = sortFrom(prefs.get("sort"));
    market.feed = prefs.get("feed");
    view.currency = prefs.get("quote");
    if (prefs.embedded && this.list.key === "shared") {
      stream.wanted.only = Array.from(this.list.symbols, (name) => view.symbolOf(name));
    }
    search.text = prefs.get("q");
    view.query = prefs.get("q").trim();
    this.showLists();
  }

  /** The lists have changed, or another one is chosen. */
  showLists() {
    const { tabs, lists, view, market, stream } = this.#page;
    const { list } = this;
    view.list = list;
    market.listed = new Set([...(list.symbols ?? [])].filter((symbol) => symbol.includes(":")));
    stream.ask();
    this.forgetVenues();
    tabs.show(lists.all, list);
    this.#show();
  }

  choose(key) {
    const { prefs } = this.#page;
    prefs.set("symbols", key === "shared" ? [...this.#page.lists.shared.symbols].join() : "");
    if (key !== "shared") prefs.set("list", key);
    this.#page.grid.toTop();
    this.showLists();
    this.#say("list", `List ${this.list.title}.`);
  }

  /** The list before or after the chosen one. */
  step(way) {
    const { all } = this.#page.lists;
    const at = all.findIndex(({ key }) => key === this.list.key);
    this.choose(all[(at + way + all.length) % all.length].key);
  }

  /** Make a list and let the user type its title. @param {string[]} [symbols] */
  create(symbols = []) {
    this.#begin(this.#page.lists.create("New list", symbols));
  }

  #begin(list) {
    if (list === null) return this.#page.toasts.say("list", "There is no room for more lists. Delete one first.");
    this.choose(list.key);
    this.#page.tabs.rename(list);
  }

  rename(list, title) {
    const { lists, prefs } = this.#page;
    const chosen = this.list === list;
    lists.rename(list, title);
    if (chosen) prefs.set("list", list.key);
    this.showLists();
  }

  move(list, way) {
    const { lists, tabs } = this.#page;
    if (!lists.move(list, way)) return;
    this.showLists();
    tabs.focus(list);
    this.#say("list", `${list.title} moved ${way < 0 ? "left" : "right"}.`);
  }

  remove(list) {
    const { lists, toasts, tabs } = this.#page;
    const chosen = this.list === list;
    const undo = lists.remove(list);
    if (chosen) this.choose("all");
    else this.showLists();
    tabs.focus(this.list);
    toasts.say("list", `List ${list.title} deleted.`, {
      label: "Undo",
      run: () => {
        undo();
        this.choose(list.key);
        tabs.focus(list);
      },
    });
  }

  /** Keep the shared list. */
  save() {
    this.#begin(this.#page.lists.save());
  }

  /** Put a symbol into a list or take it out; taking out can be undone. */
  toggle(list, symbol) {
    const { lists, toasts } = this.#page;
    const had = list.symbols.has(symbol);
    const added = lists.toggle(list, symbol);
    if (!had && !added) return toasts.say("list", `${list.title} is full. Remove a symbol first.`);
    const text = `${symbol} ${added ? "added to" : "removed from"} ${list.title}.`;
    if (added || list.key === "favourites") this.#say("list", text);
    else toasts.say("list", text, { label: "Undo", run: () => lists.toggle(list, symbol) });
  }

  /** Sort by a column: descending, then ascending, then back to the default. */
  sortBy(key) {
    const { sort } = this.#page.view;
    const next = sort.key !== key ? `-${key}` : sort.descending ? key : "";
    this.order(next === sortName(DEFAULT_SORT) ? "" : next);
  }

  /** @param {string} sort an order as text, see store/view.js */
  order(sort) {
    const { view, prefs, paintOrder } = this.#page;
    prefs.set("sort", sort);
    view.sort = sortFrom(prefs.get("sort"));
    const { title } = columnOf(view.sort.key);
    this.#say("sort", `Sorted by ${title}, ${view.sort.descending ? "descending" : "ascending"}.`);
    view.refresh();
    paintOrder();
  }

  searchFor(query) {
    const { view, prefs, numbers, grid } = this.#page;
    grid.toTop();
    view.query = query.trim();
    prefs.set("q", view.query);
    this.#show();
    if (view.query !== "") this.#say("search", `${numbers.counted(view.rows.length, "symbol")} found.`);
  }

  /** @param {"feed" | "quote"} name @param {string} value empty for all */
  filter(name, value) {
    const { view, prefs, stream, market, grid } = this.#page;
    const current = grid.currentQuote;
    grid.toTop();
    prefs.set(name, value);
    view.currency = prefs.get("quote");
    if (market.feed !== prefs.get("feed")) {
      market.feed = prefs.get("feed");
      stream.ask();
      this.forgetVenues();
      if (current !== null) grid.select(view.symbolOf(current.instrument)); // the same one of that feed
    }
    this.#show();
    this.#unsaid = view.rows.length === 0;
    if (!this.#unsaid || !stream.socket.asking) this.#sayCount();
  }

  #sayCount() {
    const { view, numbers } = this.#page;
    this.#unsaid = false;
    this.#say("filter", `${numbers.counted(view.rows.length, "symbol")} listed.`);
  }

  /** A change of the subscription has been answered. @param {boolean} held the rows must not move now */
  answered(held) {
    const { view, paintList, stream } = this.#page;
    this.forgetVenues(); // updates still on their way when a venue was dropped have made incomplete records
    view.refresh(held && view.rows.length > 0);
    paintList();
    if (this.#unsaid && !stream.socket.asking) this.#sayCount();
  }

  showAll() {
    this.filter("feed", "");
    this.filter("quote", "");
  }

  /** Drop venues' own symbols that nothing shows any more. */
  forgetVenues() {
    const { market, stream } = this.#page;
    const { details } = stream.wanted;
    if (stream.paused) return; // until it ends they would not come again
    market.forgetVenues((symbol) => {
      const [venue, instrument] = symbol.split(":");
      return venue !== market.feed && instrument !== details && !market.listed.has(symbol);
    });
  }

  #show() {
    this.#page.view.refresh();
    this.#page.paintList();
  }

  #say(topic, sentence) {
    this.#page.announcer.say(topic, sentence);
  }
}
