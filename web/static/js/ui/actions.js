/**
 * What buttons and keys do, and what they open: the details of a symbol beside the table, dialogs over it, and what
 * else is loaded on demand. A key and the button for the same thing call the same function.
 *
 * Promises: a failure to load is an ordinary message. Knows nothing of what it loads.
 */

import { nameIn } from "../store/choices.js";
import { element, find, phone } from "./elements.js";

const THEMES = { auto: "system", dark: "dark", light: "light", contrast: "high contrast" };
const BUSY = "input, textarea, select, [contenteditable], [role=menu]";
const OWN_SPACE = "button, a, summary"; // what Space presses
const ALT_WRITES = ["[", "]"]; // on many keyboards
const SIMPLE = /^[^a-z0-9+[\]?/]$|^.{2,}$/; // not a printable character, so WCAG 2.1.4 does not apply
const FAILED = "This could not be loaded. Try again once the service can be reached, or reload this page.";

export class Actions {
  #page;

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
  }

  /** Bind them. */
  wire() {
    const { dialogs, togglePause, search, prefs, stream } = this.#page;
    const presses = {
      theme: () => this.#cycleTheme(), pause: togglePause, settings: () => dialogs.open("settings"),
      columns: () => dialogs.open("columns"), export: () => this.#later("share", "exportCsv"), link: () => this.#later("share", "copyLink"),
      cluster: () => {
        stream.socket.wake(); // whoever looks at the connection wants it now
        dialogs.open("diagnostics");
      },
    };
    for (const [id, press] of Object.entries(presses)) find(`#${id}`).addEventListener("click", press);
    bindKeys(this.#keys(presses), prefs);
  }

  /** A button of a row was pressed. @param {"star" | "add" | "remove"} action */
  onRow(action, quote) {
    const { listing, lists } = this.#page;
    if (action === "star") listing.toggle(lists.favourites, quote.instrument);
    else if (listing.list.symbols !== null) listing.toggle(listing.list, nameIn(listing.list, quote));
  }

  /** @param {{x: number, y: number}} place in the window */
  openRowMenu(quote, place) {
    this.#later("listmenus", "openRowMenu", quote, place);
  }

  openListMenu(list, button) {
    this.#later("listmenus", "openListMenu", list, button);
  }

  #keys(presses) {
    const { search, details, dialogs, listing, grid, view, market, announcer } = this.#page;
    const onCurrent = (does) => () => grid.currentQuote !== null && does(grid.currentQuote);
    return {
      ...Object.fromEntries([1, 2, 3, 4, 5, 6].map((n) => [n, () => details.panel?.chooseInterval(n)])),
      "/": () => search.open(), "ctrl+k": () => search.open(),
      t: presses.theme, " ": presses.pause, c: presses.columns, e: presses.export, l: presses.link,
      arrowdown: () => document.activeElement === document.body && grid.focus(),
      escape: () => details.close(),
      "?": () => dialogs.open("shortcuts"),
      "[": () => listing.step(-1),
      "]": () => listing.step(1),
      f: onCurrent((quote) => this.onRow("star", quote)),
      a: () => dialogs.open("alerts", grid.currentQuote ?? market.find(details.symbol ?? "")),
      r: onCurrent((quote) => announcer.say("row", grid.labelOf(quote))),
      m: onCurrent((quote) => this.openRowMenu(quote, grid.placeOf(quote))),
      "+": onCurrent((quote) => view.isOutside(quote) && this.onRow("add", quote)),
      delete: onCurrent((quote) => grid.hasFocus && !view.isOutside(quote) && this.onRow("remove", quote)),
    };
  }

  #cycleTheme() {
    const { announcer, theme } = this.#page;
    announcer.say("theme", `Theme: ${theme.cycle()}.`);
  }

  /** Load a module and call one of its functions. */
  async #later(name, what, ...subjects) {
    const part = await load([name], this.#page);
    part?.[what](this.#page, ...subjects);
  }
}

/**
 * Bind keys that work anywhere on the page, except in text fields, dialogs and menus.
 * @param {Object<string, () => unknown>} actions by `event.key`, letters in lower case, with `ctrl+` for Ctrl and Cmd,
 *   which work in text fields, too; an action that returns false leaves the key to the browser
 * @param {import("../store/choices.js").Prefs} prefs says whether single-letter keys are on
 */
export function bindKeys(actions, prefs) {
  document.addEventListener("keydown", (event) => {
    const { altKey, ctrlKey, metaKey, target } = event;
    const command = (ctrlKey || metaKey) && !altKey;
    const key = (command ? "ctrl+" : "") + event.key.toLowerCase();
    if (event.defaultPrevented || find("dialog[open]") !== null || !Object.hasOwn(actions, key)) return;
    if (!command) {
      if (altKey && (metaKey || !ALT_WRITES.includes(key))) return;
      if (target.closest?.(BUSY) || (key === " " && target.closest?.(OWN_SPACE))) return;
      if (!SIMPLE.test(key) && prefs.get("letters") !== "on") return;
    }
    if (actions[key]() !== false) event.preventDefault();
  });
}

/**
 * Puts the chosen theme, direction palette and density on the page. Dark and light follow the system by themselves, in
 * CSS.
 */
export class Theme {
  #button = find("#theme");
  #prefs;
  #moreContrast = matchMedia("(prefers-contrast: more)");
  /** The colours of the browser's own bar: the system's, until a theme is chosen. */
  #bars = Array.from(document.querySelectorAll("[name=theme-color]"), (meta) => [meta, meta.content]);

  /** @param {import("../store/choices.js").Prefs} prefs */
  constructor(prefs) {
    this.#prefs = prefs;
    this.#moreContrast.addEventListener("change", () => this.apply());
  }

  apply() {
    const theme = this.#prefs.get("theme");
    const shown = theme === "auto" && this.#moreContrast.matches ? "contrast" : theme;
    const { dataset } = document.documentElement;
    dataset.theme = shown;
    dataset.updown = this.#prefs.get("updown");
    dataset.density = this.#prefs.get("density");
    const chosen = shown === "auto" ? null : getComputedStyle(find(".header")).backgroundColor;
    for (const [meta, usual] of this.#bars) meta.content = chosen ?? usual;
    this.#button.setAttribute("aria-label", `Theme: ${THEMES[theme]}`);
    this.#button.title = `Theme: ${THEMES[theme]} (T)`;
  }

  /** Change to the next theme. @returns {string} its name */
  cycle() {
    return THEMES[this.#prefs.cycle("theme")];
  }
}

/**
 * Load a part of the page that is needed only now, with its style sheet.
 * @param {string[]} names of modules beside this one
 * @param {object} page see main.js
 * @param {string | null} [href] of the style sheet
 * @returns {Promise<object | null>} all that they export; null: it failed, and the user was told
 */
export async function load(names, { toasts }, href = "css/dialogs.css") {
  try {
    const parts = await Promise.all([...names.map((name) => import(`./${name}.js`)), href && addStyles(href)]);
    return Object.assign({}, ...parts);
  } catch {
    toasts.say("load", FAILED);
    return null;
  }
}

async function addStyles(href) {
  if (find(`[href$="${href}"]`)?.sheet) return;
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

  #place = find("#details");
  #scrim = element("div", { class: "panel-scrim" });
  #page;
  #loading = null;

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
    this.#place.after(this.#scrim);
    this.#scrim.addEventListener("click", () => this.close());
    addEventListener("popstate", () => this.#moved());
  }

  /** Open what the URL asks for, at the start. */
  start() {
    const { selected } = this.#page.prefs;
    if (selected) this.#show(selected);
  }

  /** @param {string} symbol */
  open(symbol) {
    const { prefs } = this.#page;
    if (symbol === this.symbol) return;
    prefs.select(symbol);
    if (this.symbol === null) history.pushState({ details: true }, "", prefs.address);
    else prefs.showAddress();
    this.#show(symbol);
  }

  close() {
    const { prefs } = this.#page;
    if (this.symbol === null) return;
    if (history.state?.details) {
      history.back(); // which sets the URL when it has arrived
    } else {
      prefs.select(null);
      prefs.showAddress();
    }
    this.#show(null);
  }

  #moved() {
    const { prefs } = this.#page;
    prefs.select(new URLSearchParams(location.search).get("sel"));
    prefs.showAddress(); // settings changed since then are kept
    if (prefs.selected !== this.symbol) this.#show(prefs.selected);
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
    this.#loading ??= load(["panel"], this.#page, "css/panel.css");
    const part = await this.#loading;
    this.#loading = null;
    if (part !== null) this.panel ??= new part.Panel(this.#place, this.#page);
    else this.close();
  }
}

/** Dialogs, each loaded when it is first opened. */
export class Dialogs {
  #page;
  /** What shows them, loaded with the first. @type {import("./dialogs.js").Frame | null} */
  #frame = null;
  /** Which one was asked for last, so that it wins over one whose module comes later. */
  #asked = null;

  /** @param {object} page what dialogs may use, see main.js */
  constructor(page) {
    this.#page = page;
  }

  /**
   * @param {string} name of a module in ui/dialog, which exports `title` and `build(page, close, argument)`
   * @param {unknown} [argument]
   */
  async open(name, argument) {
    const asked = (this.#asked = Symbol(name));
    const part = await load(["dialogs", `dialog/${name}`], this.#page);
    if (part === null || this.#asked !== asked) return;
    this.#frame ??= new part.Frame(this.#page);
    this.#frame.show(part, argument);
  }

  /** Close the open one. */
  close() {
    this.#asked = null;
    this.#frame?.close();
  }

  /** Let an open dialog show the figures of now. */
  refresh() {
    this.#frame?.refresh();
  }
}
