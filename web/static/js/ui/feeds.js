/**
 * The state of each feed in the status line, and the label that says when prices are not real or not live.
 */

import { age } from "../fmt.js";
import { element, mark, setAttribute, setText, showMark } from "./elements.js";

const UNKNOWN = "unknown"; // a feed's state while this page is not connected
const STANDBY = "Delivering, but no price in the list comes from this feed now.";
const KIND_LABELS = { simulated: "Simulated market", replay: "Replayed market", delayed: "Delayed prices" };

export class Feeds {
  /** The kinds of prices that `hello` has announced. @type {string[]} */
  helloKinds = [];

  #list;
  #kindLabel;
  #page;
  #chips = new Map(); // feed name -> its elements

  /** @param {HTMLElement} list @param {HTMLElement} kindLabel @param {object} page see main.js */
  constructor(list, kindLabel, page) {
    this.#list = list;
    this.#kindLabel = kindLabel;
    this.#page = page;
  }

  show() {
    const { figures, market, stream } = this.#page;
    const connected = stream.socket.state.name === "live";
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
      this.#showChip(name, feed, connected ? feed.state : UNKNOWN, isSource, rate);
    }
    this.#showKinds(new Set([...this.helloKinds, ...market.kinds]));
  }

  #showKinds(kinds) {
    const label = Object.keys(KIND_LABELS).filter((kind) => kinds.has(kind)).map((kind) => KIND_LABELS[kind]);
    this.#kindLabel.hidden = label.length === 0;
    setText(this.#kindLabel, label.join(" · "));
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
      : state === "live" ? ["", `${numbers.count(Math.round(rate))}/s`]
      : state === "stale" ? ["· no data for", age(clock.now() - market.silentSince(name))]
      : ["·", state];
    setText(aside, about);
    setText(figure, said);
  }
}
