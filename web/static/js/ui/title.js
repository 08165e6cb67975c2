/**
 * What the browser's tab says: the selected symbol's price in its title, the connection's state in its icon.
 *
 * Promises: a title is a price that the page shows, with an arrow while it is live; the icon tells states apart by shape as well as by colour.
 */

import { setAttribute } from "./elements.js";

const ARROWS = new Map([[1, "▲ "], [0, ""], [-1, "▼ "]]);
const TILE = '<rect width="32" height="32" rx="7" fill="#1b2739"/>'
  + '<path d="M6 20 11.5 14.5 16 18.5 24 9.5" fill="none" stroke="#7fb6ff" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/>';
const RIM = 'stroke="#0a0d12" stroke-width="2.5"';
const BADGES = {
  live: `<circle cx="24" cy="24" r="6.5" fill="#35c893" ${RIM}/>`,
  connecting: '<circle cx="24" cy="24" r="6" fill="#0a0d12" stroke="#e6b450" stroke-width="3" stroke-dasharray="4 2.3"/>',
  delayed: `<path d="M24 15.5 32 30.5H16z" fill="#e6b450" ${RIM}/>`,
  paused: `<path d="M17.5 17h5v14h-5zm8 0h5v14h-5z" fill="#e8edf4" ${RIM}/>`,
  offline: `<path d="M17.5 17.5h13v13h-13z" fill="#ff7a72" ${RIM}/>`,
};

export class Title {
  #icon;
  #numbers;

  /** @param {HTMLLinkElement} iconLink @param {import("../fmt/number.js").Numbers} numbers */
  constructor(iconLink, numbers) {
    this.#icon = iconLink;
    this.#numbers = numbers;
  }

  /**
   * Call it once a second.
   * @param {import("../store/quote.js").Quote | undefined} quote of the selected symbol
   * @param {boolean} live whether that price is
   * @param {string} state of the connection
   */
  show(quote, live, state) {
    const price = quote && `${live ? ARROWS.get(quote.tick) : ""}${this.#numbers.price(quote.price, quote.decimals)} ${quote.symbol} · `;
    const title = `${price ?? ""}Ticker`;
    if (document.title !== title) document.title = title;
    const badge = BADGES[state] ?? BADGES.offline;
    const drawing = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${TILE}${badge}</svg>`;
    setAttribute(this.#icon, "href", `data:image/svg+xml,${encodeURIComponent(drawing)}`);
  }
}
