/**
 * The lists to choose from, each with its count.
 */

import { element, setAttribute, setText, star } from "./elements.js";

export class Tabs {
  /** Told the key of the list that was chosen. */
  onChoose = () => {};

  #tabs = new Map(); // key -> {button, count}

  /**
   * @param {HTMLElement} nav
   * @param {{key: string, title: string, starred?: boolean}[]} lists the first one is chosen at the start
   */
  constructor(nav, lists) {
    for (const { key, title, starred } of lists) {
      const count = element("span", { class: "count" }, "");
      const button = element("button", { class: "tab", type: "button" }, title, count);
      if (starred) button.prepend(star());
      button.addEventListener("click", () => this.#choose(key));
      this.#tabs.set(key, { button, count });
      nav.append(button);
    }
    this.#mark(lists[0].key);
  }

  /** @param {string} text formatted */
  showCount(key, text) {
    setText(this.#tabs.get(key).count, text);
  }

  #choose(key) {
    this.#mark(key);
    this.onChoose(key);
  }

  #mark(chosen) {
    for (const [key, { button }] of this.#tabs) setAttribute(button, "aria-current", key === chosen ? "true" : null);
  }
}
