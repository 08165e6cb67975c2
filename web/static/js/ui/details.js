/**
 * Whether the details of a symbol are open, and of which. The page's address says so: opening is a step that Back
 * takes back.
 *
 * Promises: nothing of the panel is loaded before it opens for the first time; a panel that cannot be loaded is an
 * ordinary message. Knows nothing of what it shows.
 */

import { element, load, phone } from "./elements.js";

export class Details {
  /** The symbol whose details are open, or null. */
  symbol = null;

  #place;
  #scrim = element("div", { class: "panel-scrim" });
  #page;
  #panel = null;
  #loading = null;

  /** @param {HTMLElement} place @param {object} page see main.js */
  constructor(place, page) {
    this.#place = place;
    this.#page = page;
    place.after(this.#scrim);
    this.#scrim.addEventListener("click", () => this.close());
    addEventListener("popstate", () => this.#moved());
  }

  /** Open what the address asks for, at the start. */
  start() {
    if (this.#page.prefs.selected) this.#show(this.#page.prefs.selected);
  }

  /** @param {string | null} symbol */
  open(symbol) {
    if (symbol === null || symbol === this.symbol) return;
    const opened = this.symbol === null;
    this.#page.prefs.select(symbol);
    const address = this.#page.prefs.address;
    if (opened) history.pushState({ details: true }, "", address);
    else history.replaceState(history.state, "", address);
    this.#show(symbol);
  }

  close() {
    if (this.symbol === null) return;
    if (history.state?.details) {
      history.back(); // the address follows when it has arrived
    } else {
      this.#page.prefs.select(null);
      history.replaceState(history.state, "", this.#page.prefs.address);
    }
    this.#show(null);
  }

  /** Show the chart in the n-th interval, counted from one. */
  chooseInterval(n) {
    this.#panel?.chooseInterval(n);
  }

  /** Paint what has changed. */
  paint() {
    if (this.symbol !== null) this.#panel?.paint();
  }

  /** Paint what changes by itself. */
  paintSlowly() {
    if (this.symbol !== null) this.#panel?.paintSlowly();
  }

  /** Draw what was drawn with other times or numbers. */
  redraw() {
    this.#panel?.redraw();
  }

  #moved() {
    this.#page.prefs.select(new URLSearchParams(location.search).get("sel"));
    // Choices made since that step was left are kept.
    history.replaceState(history.state, "", this.#page.prefs.address);
    if (this.#page.prefs.selected !== this.symbol) this.#show(this.#page.prefs.selected);
  }

  async #show(symbol) {
    const hadFocus = this.#place.contains(document.activeElement);
    this.symbol = symbol;
    document.body.classList.toggle("with-details", symbol !== null);
    this.#place.hidden = symbol === null;
    this.#page.detailsChanged(symbol, hadFocus);
    const label = symbol === null ? "Details closed" : `Details of ${symbol}`;
    this.#place.setAttribute("aria-label", label);
    // A sheet is over what is listed, which is no place for the keyboard then.
    if (symbol !== null && phone.matches) this.#place.focus({ preventScroll: true });
    else this.#page.announcer.say("details", `${label}.`);
    if (symbol !== null) await this.#ready();
    this.#panel?.show(this.symbol);
  }

  async #ready() {
    if (this.#panel !== null) return;
    this.#place.replaceChildren(element("p", { class: "notice" }, `${this.symbol} …`));
    this.#loading ??= load("panel", "css/panel.css", this.#page);
    const part = await this.#loading;
    this.#loading = null;
    if (part !== null) this.#panel ??= new part.Panel(this.#place, this.#page);
    else this.close();
  }
}
