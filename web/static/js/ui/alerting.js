/**
 * The user's alerts as this page has them: loaded where there are any, or where one is to be made.
 */

import { age } from "../fmt.js";
import { Alerts } from "../store/alerts.js";

/**
 * The page's alerts, which from the first call on are evaluated as prices arrive.
 * @param {object} page see main.js
 * @returns {Alerts}
 */
export function alertsOf(page) {
  if (page.alerts === null) {
    const { market, clock } = page;
    page.alerts = new Alerts((symbol) => market.quotes.get(symbol));
    page.alerts.onChange = page.alertsChanged;
    page.alerts.onFire = (alert, value) => ring(alert, value, page);
    page.alerts.take({ quotes: Object.fromEntries(market.quotes) }, true, clock.now()); // what arrived before them
    page.alertsChanged();
  }
  return page.alerts;
}

/** How an alert's operator is shown. */
export const SIGNS = { ">=": "≥", "<=": "≤" };

/** An alert in words: "price ≥ 97,600.00". */
export function describe({ kind, op, value }, numbers, decimals) {
  if (kind === "price") return `price ${SIGNS[op]} ${numbers.fixed(value, decimals)}`;
  if (kind === "change") return `24 h ${SIGNS[op]} ${numbers.percent(value)}`;
  return `no data for ${age(value * 1000)}`;
}

/**
 * An alert has fired: say so by a system notification if that is allowed, else in the page.
 * @param {import("../store/alerts.js").Alert} alert
 * @param {number} value that made it fire
 * @param {object} page see main.js
 */
function ring(alert, value, { toasts, announcer, numbers, market }) {
  const decimals = market.quotes.get(alert.symbol)?.decimals ?? null;
  const now = alert.kind === "price" ? `: ${numbers.fixed(value, decimals)} now` : "";
  const text = `${alert.symbol} ${describe(alert, numbers, decimals)}${now}`;
  announcer.say(alert.id, `Alert. ${text}.`);
  if (!notify(text, `${alert.symbol} ${alert.kind} ${alert.op} ${alert.value}`)) toasts.show(text);
}

function notify(text, tag) {
  if (globalThis.Notification?.permission !== "granted") return false;
  try {
    new Notification("Ticker", { body: text, tag, renotify: true }); // one for all tabs, with a sound each time
    return true;
  } catch {
    return false; // some systems allow notifications from service workers only
  }
}
