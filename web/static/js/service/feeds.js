/**
 * The feeds as a table, and the chosen one with its error counts and recent changes.
 */

import { age, clock, MISSING } from "../fmt.js";
import { element, mark, setAttribute, setText, showMark } from "../ui/elements.js";

const TITLES = ["Feed", "State", "Since", "Symbols", "Rate", "Last data", "Restarts", "Errors", "Rejects"];
const WORST_FIRST = ["failed", "down", "stale", "connecting", "live"];

export class FeedTable {
  #body;
  #panel;
  #numbers;
  #rows = new Map(); // name -> its elements
  #chosen = null;
  #byHand = false; // the user has chosen it
  #feeds = {};
  #now = 0;
  #shown = ""; // in the panel

  /** @param {HTMLElement} table @param {HTMLElement} panel @param {import("../fmt.js").Numbers} numbers */
  constructor(table, panel, numbers) {
    this.#panel = panel;
    this.#numbers = numbers;
    this.#body = table.querySelector("tbody");
    table.querySelector("thead tr").append(...TITLES.map((title) => element("th", { scope: "col" }, title)));
  }

  /** @param {Object<string, object>} feeds as `/api/feeds` has them @param {number} now server ms */
  show(feeds, now) {
    this.#feeds = feeds;
    this.#now = now;
    for (const [name, { row }] of this.#rows) {
      if (Object.hasOwn(feeds, name)) continue;
      row.remove();
      this.#rows.delete(name);
    }
    const names = Object.keys(feeds);
    for (const name of names) this.#paint(this.#rows.get(name) ?? this.#add(name), feeds[name]);
    const dull = !Object.hasOwn(feeds, this.#chosen) || (!this.#byHand && feeds[this.#chosen].state === "live");
    if (dull) this.#choose(worst(feeds));
    else this.#paintPanel();
  }

  #add(name) {
    const chooser = element("button", { type: "button" }, name);
    const shape = mark();
    const word = element("span");
    const state = element("span", { class: "state" }, shape, word);
    const cells = TITLES.slice(2).map(() => element("td"));
    const row = element("tr", {}, element("th", { scope: "row" }, chooser), element("td", {}, state), ...cells);
    row.addEventListener("click", () => {
      this.#byHand = true;
      this.#choose(name);
    });
    this.#body.append(row);
    const made = { row, chooser, state, shape, word, cells };
    this.#rows.set(name, made);
    return made;
  }

  #paint({ state, shape, word, cells }, feed) {
    const count = (value) => this.#numbers.count(value);
    setAttribute(state, "data-state", feed.state);
    showMark(shape, feed.state);
    setText(word, feed.state);
    const errors = total(feed.errors);
    const rejects = total(feed.rejects);
    const texts = [
      age(this.#now - feed.since), count(feed.symbols), `${this.#numbers.fixed(feed.rate, 1)}/s`,
      feed.last_data === null ? MISSING : age(this.#now - feed.last_data), count(feed.reconnects), count(errors), count(rejects),
    ];
    texts.forEach((text, i) => setText(cells[i], text));
    cells.at(-2).classList.toggle("some", errors > 0);
    cells.at(-1).classList.toggle("some", rejects > 0);
  }

  #choose(name) {
    this.#chosen = name;
    for (const [one, { chooser }] of this.#rows) setAttribute(chooser, "aria-pressed", String(one === name));
    this.#paintPanel();
  }

  #paintPanel() {
    const feed = this.#feeds[this.#chosen];
    if (feed === undefined) {
      this.#shown = "";
      return this.#panel.replaceChildren();
    }
    const summary = feed.message ?? `${feed.state} for ${age(this.#now - feed.since)}`;
    const shown = JSON.stringify([this.#chosen, summary, feed.errors, feed.rejects, feed.changes]);
    if (shown === this.#shown) return; // or it would undo what the user has selected there
    this.#shown = shown;
    setAttribute(this.#panel, "aria-label", `Feed ${this.#chosen}`);
    this.#panel.replaceChildren(
      element("h2", {}, this.#chosen),
      element("p", { class: "summary" }, summary),
      ...this.#counts("Errors by reason", feed.errors),
      ...this.#counts("Rejected rows by reason", feed.rejects),
      element("h3", {}, "Recent changes"),
      element("ul", { class: "changes" }, ...[...feed.changes].reverse().map(change)),
    );
  }

  #counts(title, counts) {
    if (total(counts) === 0) return [];
    const pairs = Object.entries(counts).flatMap(([reason, n]) => [
      element("dt", {}, reason.replaceAll("_", " ")), element("dd", {}, this.#numbers.count(n)),
    ]);
    return [element("h3", {}, title), element("dl", { class: "counts" }, ...pairs)];
  }
}

function change({ at, state, message }) {
  const time = element("time", { datetime: new Date(at).toISOString(), title: new Date(at).toISOString() }, clock(at));
  const word = element("span", { class: "state", "data-state": state }, mark(state), state);
  return element("li", {}, time, word, element("span", { class: "why" }, message ?? ""));
}

function total(counts) {
  return Object.values(counts).reduce((sum, n) => sum + n, 0);
}

function worst(feeds) {
  const names = Object.keys(feeds);
  return names.sort((a, b) => WORST_FIRST.indexOf(feeds[a].state) - WORST_FIRST.indexOf(feeds[b].state))[0] ?? null;
}
