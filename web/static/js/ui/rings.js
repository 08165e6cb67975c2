/**
 * How an alert makes itself known: by a notification of the system where that is allowed, else in the page.
 *
 * Promises: permission is asked for only when somebody has just added an alert, and never twice.
 */

import { age } from "../fmt/time.js";

/** An alert in words: "price ≥ 97,600.00". */
export function describe({ kind, op, value }, numbers, decimals) {
  const sign = op === ">=" ? "≥" : "≤";
  if (kind === "price") return `price ${sign} ${numbers.fullPrice(value, decimals)}`;
  if (kind === "change") return `24 h ${sign} ${numbers.percent(value)}`;
  return `no data for ${age(value * 1000)}`;
}

export class Rings {
  #toasts;
  #announcer;
  #numbers;
  #market;

  constructor({ toasts, announcer, numbers, market }) {
    this.#toasts = toasts;
    this.#announcer = announcer;
    this.#numbers = numbers;
    this.#market = market;
  }

  /** Ask whether notifications are welcome. Call it in answer to a press only. */
  ask() {
    if (globalThis.Notification?.permission === "default") Notification.requestPermission();
  }

  /** @param {import("../store/alerts.js").Alert} alert @param {number} value that made it fire */
  ring(alert, value) {
    const decimals = this.#market.quotes.get(alert.symbol)?.decimals ?? null;
    const now = alert.kind === "price" ? `: ${this.#numbers.fullPrice(value, decimals)} now` : "";
    const text = `${alert.symbol} ${describe(alert, this.#numbers, decimals)}${now}`;
    this.#announcer.say(alert.id, `Alert. ${text}.`);
    if (!notify(text, `${alert.symbol} ${alert.kind} ${alert.op} ${alert.value}`)) this.#toasts.show(text);
  }
}

function notify(text, tag) {
  if (globalThis.Notification?.permission !== "granted") return false;
  try {
    new Notification("Ticker", { body: text, tag, renotify: true }); // one for all tabs, and heard each time
    return true;
  } catch {
    return false; // some systems allow notifications from service workers only
  }
}
