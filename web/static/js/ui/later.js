/**
 * What is loaded when it is wanted: the details of a symbol beside the table, dialogs over it, and what else a press
 * asks for.
 *
 * Promises: what cannot be loaded is an ordinary message. Knows nothing of what is in it.
 */

import { element, icon, phone } from "./elements.js";

const FAILED = "This could not be loaded. Try again once the service can be reached, or reload this page.";
const MESSAGES = "#toasts, #announcements"; // they go along: nothing outside an open dialog can be reached or heard

/**
 * Load a part of the page that is wanted only now, with its style sheet.
 * @param {string} name of a module beside this one
 * @param {string | null} href of the style sheet
 * @param {object} page see main.js
 * @returns {Promise<object | null>} null: it did not come, which is said
 */
export async function load(name, href, { announcer, toasts }) {
  try {
    const [part] = await Promise.all([import(`./${name}.js`), href && addStyles(href)]);
    return part;
  } catch {
    announcer?.say("load", FAILED);
    toasts.show(FAILED);
    return null;
  }
}

async function addStyles(href) {
  if (document.querySelector(`[href$="${href}"]`)?.sheet) return;
  const link = element("link", { rel: "stylesheet", href });
  document.head.append(link);
  await new Promise((resolve, reject) => Object.assign(link, { onload: resolve, onerror: reject })).catch((error) => {
    link.remove();
    throw error;
  });
}

/**
 * Whether the details of a symbol are open, and of which. The page's address says so: opening is a step that Back
 * takes back.
 *
 * Promises: nothing of the panel is loaded before it opens for the first time.
 */
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

/**
 * Dialogs, each loaded when it is asked for. The browser's own `<dialog>` keeps the keyboard inside and gives it back.
 *
 * Promises: one at a time; the page's messages can be read, heard and answered while it is open.
 */
export class Dialogs {
  #page;
  #dialog = element("dialog", { "aria-labelledby": "dialog-title" });
  #open = null; // what the open dialog returned

  /** @param {object} page what dialogs may use, see main.js */
  constructor(page) {
    this.#page = page;
    document.body.append(this.#dialog);
    this.#dialog.addEventListener("close", () => {
      if (this.#dialog.open) return; // told with the next frame, it may be open again by then
      this.#open = null;
      document.body.append(...document.querySelectorAll(MESSAGES));
      this.#dialog.replaceChildren();
    });
    // A press beside the dialog is on the dialog's element itself.
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
  }

  /** Close whichever is open. */
  close() {
    this.#dialog.close();
  }

  /**
   * @param {string} name of a module in ui/dialog, which exports `title` and `build(page, close, argument)`
   * @param {unknown} [argument]
   */
  async open(name, argument) {
    const part = await load(`dialog/${name}`, "css/dialogs.css", this.#page);
    if (part !== null) this.#show(part, argument);
  }

  /** Let an open dialog that shows figures show those of now. */
  refresh() {
    this.#open?.refresh?.();
  }

  #show({ title, build }, argument) {
    const close = () => this.close();
    this.#open = build(this.#page, close, argument);
    const button = element("button", { type: "button", class: "icon-button", "aria-label": "Close" });
    button.append(icon("icon-clear", "icon"));
    button.addEventListener("click", close);
    const head = element("header", {}, element("h2", { id: "dialog-title" }, title), button);
    const body = element("div", { class: "dialog-body" }, ...this.#open.body);
    if (body.querySelector("a, button, input, select") === null) body.tabIndex = 0; // so that keys scroll it
    this.#dialog.replaceChildren(head, body, ...document.querySelectorAll(MESSAGES));
    if (this.#dialog.open) (body.querySelector("[autofocus]") ?? button).focus();
    else this.#dialog.showModal();
    document.activeElement.select?.(); // what is typed takes the place of what is there, not one beside it
  }
}
