/**
 * Short messages that come by themselves and go by themselves, some with one thing to do about them.
 *
 * Promises: a message stays while a hand or the keyboard is on it, or nobody can see it; it is said by the announcer,
 * not by this region.
 */

import { element } from "./elements.js";

const STAYS_MS = 10_000;
const MOST = 4;
const MOST_UNSEEN = 50;

export class Toasts {
  #region;

  /** @param {HTMLElement} region */
  constructor(region) {
    this.#region = region;
  }

  /**
   * @param {string | Node} message
   * @param {{label: string, run: () => void} | null} [action]
   */
  show(message, action = null) {
    const close = element("button", { type: "button", class: "icon-button", "aria-label": "Dismiss" }, "×");
    const toast = element("div", { class: "toast" }, element("p", {}, message));
    if (action !== null) {
      const button = element("button", { type: "button", class: "plain-button" }, action.label);
      button.addEventListener("click", () => {
        toast.remove();
        action.run();
      });
      toast.append(button);
    }
    toast.append(close);
    close.addEventListener("click", () => toast.remove());
    this.#region.append(toast);
    if (this.#region.children.length > (document.hidden ? MOST_UNSEEN : MOST)) this.#region.firstChild.remove();
    this.#expire(toast);
  }

  #expire(toast) {
    setTimeout(() => {
      if (document.hidden || toast.matches(":hover, :focus-within")) this.#expire(toast);
      else toast.remove();
    }, STAYS_MS);
  }
}
