/**
 * Where the user chooses what is listed: the tabs of the lists, the search field, the filters for feed and quote
 * currency. What a choice does is in listing.js.
 */

import { button, drawing, element, find, icon, onKeys, setAttribute, setText } from "./elements.js";

const ANY = { feed: "All", quote: "Any" };
const MOST_CURRENCIES = 60;

/**
 * The tabs of the lists, each with its count; the user's own can be renamed, moved and deleted in place.
 *
 * Promises: a tab keeps its element while its list lives. Knows nothing of what is in a list.
 */
export class Tabs {
  #nav = find("#tabs");
  #page;
  #tabs = new Map(); // list -> {item, button, title, count}
  #current = null;
  #room = new ResizeObserver(() => this.#reveal()); // counts, and what stands beside the tabs, come later
  #more;
  #save;
  #new;

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
    const nav = this.#nav;
    const openMenu = () => page.actions.openListMenu(this.#current, this.#more);
    this.#more = button({ class: "icon-button tab-more", "aria-haspopup": "menu" }, openMenu, icon("icon-more"));
    this.#save = button({ class: "plain-button tab-save" }, () => page.listing.save(), "Save");
    const labels = { "aria-label": "New list", title: "New list" };
    this.#new = button({ class: "icon-button tab-new", ...labels }, () => page.listing.create(), icon("icon-plus"));
    this.#room.observe(nav);
    // A mouse wheel turns only one way.
    nav.addEventListener("wheel", ({ deltaX, deltaY }) => { if (deltaX === 0) nav.scrollLeft += deltaY; }, { passive: true });
  }

  /** @param {import("../store/choices.js").List[]} lists @param {import("../store/choices.js").List} current */
  show(lists, current) {
    const focused = document.activeElement;
    const tabs = new Map();
    const parts = [];
    for (const list of lists) {
      const known = this.#tabs.get(list) ?? this.#newTab(list);
      tabs.set(list, known);
      setText(known.title, list.title);
      setAttribute(known.button, "aria-current", list.key === current.key ? "true" : null);
      parts.push(known.button);
      if (list.key !== current.key) continue;
      if (list.own) parts.push(this.#more);
      if (list.key === "shared") parts.push(this.#save);
    }
    const moved = this.#current?.key !== current.key;
    this.#tabs = tabs;
    this.#current = current;
    setAttribute(this.#more, "aria-label", `Options for ${current.title}`);
    this.#place([...parts, this.#new]);
    if (this.#nav.contains(focused)) focused.focus();
    if (moved) this.#reveal();
  }

  /** Scroll to the chosen tab and the button that belongs to it. */
  #reveal() {
    for (const part of [this.#more, this.#save, this.#tabs.get(this.#current)?.button]) {
      if (part?.isConnected) part.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  /** @param {string} key @param {string} text formatted */
  showCount(key, text) {
    for (const [list, { count }] of this.#tabs) if (list.key === key) setText(count, text);
  }

  /** Let the user type a list's title. */
  rename(list) {
    const { button: tab } = this.#tabs.get(list);
    const input = element("input", { class: "tab-title", "aria-label": "List name", maxlength: "40" });
    input.value = list.title;
    tab.hidden = true;
    tab.after(input);
    input.focus();
    input.select();
    let done = false;
    const finish = (keep, back) => {
      if (done) return;
      done = true;
      input.remove();
      tab.hidden = false;
      if (back) tab.focus();
      if (keep) this.#page.listing.rename(list, input.value);
    };
    onKeys(input, { Enter: () => finish(true, true), Escape: () => finish(false, true) });
    input.addEventListener("blur", () => finish(true, false));
  }

  /** Focus the tab of a list. */
  focus(list) {
    this.#tabs.get(list)?.button.focus();
  }

  #newTab(list) {
    const tab = { title: element("span"), count: element("span", { class: "count" }) };
    tab.button = button({ class: "tab" }, () => this.#page.listing.choose(list.key), tab.title, tab.count);
    this.#room.observe(tab.button);
    if (list.key === "favourites") tab.button.prepend(drawing("star"));
    if (list.own) {
      tab.button.addEventListener("dblclick", () => this.rename(list));
      const { listing } = this.#page;
      onKeys(tab.button, {
        F2: () => this.rename(list),
        Delete: () => listing.remove(list),
        ArrowLeft: ({ altKey }) => altKey && listing.move(list, -1),
        ArrowRight: ({ altKey }) => altKey && listing.move(list, 1),
      });
      tab.button.title = "F2 to rename, Alt+← or Alt+→ to move, Delete to delete";
    }
    return tab;
  }

  // Only what has another place is moved, so that neither the focus nor a title being typed is lost.
  #place(parts) {
    const kept = (child) => parts.includes(child) || child.tagName === "INPUT";
    for (const child of [...this.#nav.children]) if (!kept(child)) child.remove();
    let next = this.#nav.firstElementChild;
    for (const part of parts) {
      if (next?.tagName === "INPUT") next = next.nextElementSibling;
      if (next === part) next = next.nextElementSibling;
      else this.#nav.insertBefore(part, next);
    }
  }
}

/** Filters as you type; Escape clears it; on a narrow screen it takes the header's place. */
export class Search {
  #input = find("#search");
  #header = find(".header");
  #page;

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
    this.#input.addEventListener("input", () => page.listing.searchFor(this.#input.value));
    onKeys(this.#input, {
      Escape: () => {
        this.clear();
        this.#input.blur();
      },
      ArrowDown: () => page.grid.focus(),
      Enter: () => page.openBest(),
    });
    this.#input.addEventListener("blur", () => this.#close());
    find("#search-open").addEventListener("click", () => this.open());
    // Keeps the focus in the field, which would hide the button before the click arrives.
    const clear = find("#search-clear");
    clear.addEventListener("pointerdown", (event) => event.preventDefault());
    clear.addEventListener("click", () => {
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

  // A search that is not empty stays visible.
  #close() {
    if (this.#input.value === "") this.#header.classList.remove("searching");
  }
}

/** The filters beside the lists. */
export class Filters {
  #page;
  #selects = { feed: find("#feed"), quote: find("#quote") };
  #shown = "";

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
    for (const [name, select] of Object.entries(this.#selects)) {
      select.addEventListener("change", () => page.listing.filter(name, select.value));
    }
  }

  /** Offer what the market has, and the present choice even if the market does not have it. */
  show() {
    const { market, view } = this.#page;
    const state = [market.membership, ...market.feeds.keys(), market.feed, view.currency].join();
    if (state === this.#shown) return;
    this.#shown = state;
    // A replay is one feed with prices of many.
    const venues = [...market.sources].filter((source) => typeof source === "string");
    this.#fill("feed", [...new Set([...market.feeds.keys(), ...venues])].sort(), market.feed);
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
