/**
 * What is loaded on demand: the details of a symbol beside the table, dialogs over it, and what else a click asks for.
 *
 * Promises: a failure to load is an ordinary message. Knows nothing of what it loads.
 */

import { button, element, icon, phone } from "./elements.js";

const FAILED = "This could not be loaded. Try again once the service can be reached, or reload this page.";
const MESSAGES = "#toasts, #announcements"; // they move along: nothing outside an open dialog can be reached or heard

/**
 * Load a part of the page that is needed only now, with its style sheet.
 * @param {string} name of a module beside this one
 * @param {object} page see main.js
 * @param {string} [href] of the style sheet
 * @returns {Promise<object | null>} null: it failed, and the user was told
 */
export async function load(name, { announcer, toasts }, href = "css/dialogs.css") {
  try {
    const [part] = await Promise.all([import(`./${name}.js`), addStyles(href)]);
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
 * Whether details are open, and of which symbol. The page's URL says so, and Back closes them.
 *
 * Promises: nothing of the panel is loaded before it first opens.
 */
export class Details {
  /** The symbol whose details are open, or null. */
  symbol = null;
  /** Once loaded. @type {import("./panel.js").Panel | null} */
  panel = null;

  #place;
  #scrim = element("div", { class: "panel-scrim" });
  #page;
  #loading = null;

  /** @param {HTMLElement} place @param {object} page see main.js */
  constructor(place, page) {
    this.#place = place;
    this.#page = page;
    place.after(this.#scrim);
    this.#scrim.addEventListener("click", () => this.close());
    addEventListener("popstate", () => this.#moved());
  }

  /** Open what the URL asks for, at the start. */
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
      history.back(); // which sets the URL when it has arrived
    } else {
      this.#page.prefs.select(null);
      history.replaceState(history.state, "", this.#page.prefs.address);
    }
    this.#show(null);
  }

  #moved() {
    this.#page.prefs.select(new URLSearchParams(location.search).get("sel"));
    // Settings changed since then are kept.
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
    // A sheet covers the list, where the focus must not stay.
    if (symbol !== null && phone.matches) this.#place.focus({ preventScroll: true });
    else this.#page.announcer.say("details", `${label}.`);
    if (symbol !== null) await this.#ready();
    this.panel?.show(this.symbol);
  }

  async #ready() {
    if (this.panel !== null) return;
    this.#place.replaceChildren(element("p", { class: "notice" }, `${this.symbol} …`));
    this.#loading ??= load("panel", this.#page, "css/panel.css");
    const part = await this.#loading;
    this.#loading = null;
    if (part !== null) this.panel ??= new part.Panel(this.#place, this.#page);
    else this.close();
  }
}

/**
 * Dialogs, each loaded when it is first opened. The browser's own `<dialog>` traps the focus and gives it back.
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
      if (this.#dialog.open) return; // the event comes with the next frame: it may be open again by then
      this.#open = null;
      document.body.append(...document.querySelectorAll(MESSAGES));
      this.#dialog.replaceChildren();
    });
    // A click beside the dialog has the dialog's element itself as its target.
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
  }

  /** Close the open one. */
  close() {
    this.#dialog.close();
  }

  /**
   * @param {string} name of a module in ui/dialog, which exports `title` and `build(page, close, argument)`
   * @param {unknown} [argument]
   */
  async open(name, argument) {
    const part = await load(`dialog/${name}`, this.#page);
    if (part !== null) this.#show(part, argument);
  }

  /** Let an open dialog show the figures of now. */
  refresh() {
    this.#open?.refresh?.();
  }

  #show({ title, build }, argument) {
    const close = () => this.close();
    this.#open = build(this.#page, close, argument);
    const closer = button({ class: "icon-button", "aria-label": "Close" }, close, icon("icon-clear"));
    const head = element("header", {}, element("h2", { id: "dialog-title" }, title), closer);
    const body = element("div", { class: "dialog-body" }, ...this.#open.body);
    if (body.querySelector("a, button, input, select") === null) body.tabIndex = 0; // so that keys scroll it
    this.#dialog.replaceChildren(head, body, ...document.querySelectorAll(MESSAGES));
    if (this.#dialog.open) (body.querySelector("[autofocus]") ?? closer).focus();
    else this.#dialog.showModal();
    document.activeElement.select?.(); // typing replaces what is there
  }
}
