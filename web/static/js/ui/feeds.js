/**
 * The state of each feed in the last line, and the label that says when prices are not real ones.
 */

import { age } from "../fmt/time.js";
import { element, icon, setAttribute, setText } from "./elements.js";

const UNKNOWN = "unknown"; // what a feed's state is while this page is not connected
const MARKS = {
  live: "live", connecting: "connecting", stale: "delayed", down: "offline", failed: "offline", [UNKNOWN]: "connecting",
};
const STANDBY = "It delivers; no price in the list comes from it now.";
const KIND_LABELS = { simulated: "Simulated market", replay: "Replayed market", delayed: "Delayed prices" };

export class Feeds {
  /** Told a feed's name and new state when it is no longer the one that was shown. */
  onChange = () => {};

  #list;
  #kindLabel;
  #numbers;
  #chips = new Map(); // feed name -> its elements

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} kindLabel
   * @param {import("../fmt/number.js").Numbers} numbers
   */
  constructor(list, kindLabel, numbers) {
    this.#list = list;
    this.#kindLabel = kindLabel;
    this.#numbers = numbers;
  }

  /**
   * @param {import("../store/market.js").Market} market
   * @param {Map<string, number> | null} rates symbol updates a second, by source; null while not connected
   * @param {number} nowMs server time
   */
  show(market, rates, nowMs) {
    for (const [name, chip] of this.#chips) {
      if (market.feeds.has(name)) continue;
      chip.item.remove();
      this.#chips.delete(name);
    }
    const { sources } = market;
    for (const name of [...market.feeds.keys()].sort()) {
      if (!this.#chips.has(name)) this.#chips.set(name, this.#newChip(name));
      this.#showChip(name, market, sources.has(name), rates, nowMs);
    }
  }

  /** @param {Set<string>} kinds what the visible prices are */
  showKinds(kinds) {
    const label = Object.keys(KIND_LABELS).filter((kind) => kinds.has(kind)).map((kind) => KIND_LABELS[kind]);
    this.#kindLabel.hidden = label.length === 0;
    setText(this.#kindLabel, label.join(" · "));
  }

  #newChip(name) {
    const chip = {
      mark: icon("mark-live", "mark"),
      aside: element("span", { class: "aside" }, ""),
      figure: element("b", {}, ""),
    };
    chip.item = element("li", { class: "feed" }, chip.mark, element("span", {}, name), chip.aside, chip.figure);
    this.#list.append(chip.item);
    return chip;
  }

  #showChip(name, market, isSource, rates, nowMs) {
    const { mark, aside, figure, item } = this.#chips.get(name);
    const feed = market.feeds.get(name);
    const state = rates === null ? UNKNOWN : feed.state;
    const before = item.getAttribute("data-state") ?? UNKNOWN;
    if (before !== state && before !== UNKNOWN && state !== UNKNOWN) this.onChange(name, state);
    setAttribute(item, "data-state", state);
    const standby = state === "live" && !isSource;
    setAttribute(item, "title", feed.message ?? (standby ? STANDBY : null));
    setAttribute(mark.firstChild, "href", `#mark-${MARKS[state] ?? "delayed"}`);
    aside.hidden = state === "live" && !standby;
    if (standby) {
      setText(aside, "· standby");
      setText(figure, "");
    } else if (state === "live") {
      setText(figure, `${this.#numbers.count(Math.round(rates.get(name) ?? 0))}/s`);
    } else if (state === "stale") {
      setText(aside, "· no data for");
      setText(figure, age(nowMs - market.silentSince(name)));
    } else {
      setText(aside, "·");
      setText(figure, state);
    }
  }
}
