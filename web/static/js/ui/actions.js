/**
 * What buttons and keys do. A key and the button for the same thing call the same function.
 */

import { nameIn } from "../store/lists.js";
import { bindKeys } from "./keys.js";

const INTERVALS = [1, 2, 3, 4, 5, 6];

export class Actions {
  #page;

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
  }

  /** Bind them. @param {(id: string) => HTMLElement} byId */
  wire(byId) {
    const { dialogs, togglePause, search, prefs, grid, stream } = this.#page;
    grid.onMenu = (quote, place) => this.openRowMenu(quote, place);
    const presses = {
      theme: () => this.#cycleTheme(), pause: togglePause, settings: () => dialogs.open("settings"),
      columns: () => dialogs.open("columns"), export: () => this.#share("exportCsv"), link: () => this.#share("copyLink"),
      cluster: () => {
        stream.socket.wake(); // who asks how the connection does wants it now
        dialogs.open("diagnostics");
      },
    };
    for (const [id, press] of Object.entries(presses)) byId(id).addEventListener("click", press);
    bindKeys(document, this.#keys(presses), () => search.open(), () => prefs.get("letters") === "on");
  }

  /** A button of a row was pressed. @param {"star" | "add" | "remove"} action */
  onRow(action, quote) {
    const { listing, lists } = this.#page;
    if (action === "star") listing.toggle(lists.favourites, quote.instrument);
    else if (listing.list.symbols !== null) listing.toggle(listing.list, nameIn(listing.list, quote));
  }

  async openRowMenu(quote, place) {
    const { openRowMenu } = await import("./listmenus.js");
    openRowMenu(this.#page, quote, place);
  }

  async openListMenu(list, button) {
    const { openListMenu } = await import("./listmenus.js");
    openListMenu(this.#page, list, button);
  }

  #keys(presses) {
    const { search, details, dialogs, listing, grid, view, market, announcer } = this.#page;
    const onCurrent = (does) => () => grid.currentQuote !== null && does(grid.currentQuote);
    return {
      ...Object.fromEntries(INTERVALS.map((n) => [n, () => details.chooseInterval(n)])),
      "/": () => search.open(),
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

  /** @param {"exportCsv" | "copyLink"} how */
  async #share(how) {
    const ways = await import("./share.js");
    ways[how](this.#page);
  }
}
