/**
 * The alerts of the symbol in the panel, and a button that adds one.
 */

import { SIGNS, alertsOf } from "./alerting.js";
import { button, element, icon, setText } from "./elements.js";

export class AlertChips {
  element = element("div", { class: "chips", role: "group", "aria-label": "Alerts" });

  #page;
  #chips = new Map(); // alert id -> its elements
  #symbol = null;

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
    const attributes = { class: "chip add", "aria-keyshortcuts": "A" };
    this.element.append(button(attributes, () => this.#edit(), icon("icon-plus"), "Alert"));
  }

  /** @param {import("../store/quote.js").Quote} quote */
  paintSlowly({ instrument: symbol, decimals }) {
    const alerts = alertsOf(this.#page);
    this.#symbol = symbol;
    const wanted = new Map(alerts.for(symbol).map((alert) => [alert.id, alert]));
    for (const [id, { chip }] of this.#chips) {
      if (wanted.has(id)) continue;
      chip.remove();
      this.#chips.delete(id);
    }
    for (const [id, alert] of wanted) {
      const { sign, value } = this.#chips.get(id) ?? this.#add(id);
      setText(sign, alert.kind === "silence" ? "silent" : SIGNS[alert.op]);
      setText(value, this.#value(alert, decimals));
    }
  }

  #add(id) {
    const sign = element("span");
    const value = element("b");
    const chip = button({ class: "chip" }, () => this.#edit(), icon("icon-bell"), sign, value);
    this.element.lastChild.before(chip);
    const made = { chip, sign, value };
    this.#chips.set(id, made);
    return made;
  }

  #edit() {
    const { dialogs, market } = this.#page;
    dialogs.open("alerts", market.find(this.#symbol));
  }

  #value({ kind, value }, decimals) {
    const { numbers } = this.#page;
    if (kind === "silence") return `${numbers.count(value)} s`;
    return kind === "change" ? numbers.percent(value) : numbers.price(value, decimals);
  }
}
