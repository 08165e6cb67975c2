/**
 * All alerts, and a form for one more.
 */

import { alertsOf, describe } from "../alerting.js";
import { button, element, icon } from "../elements.js";

export const title = "Alerts";

const TAB_NOTE = "Alerts are checked by this page, so its tab must stay open.";
const CONDITIONS = [
  ["price >=", "Price rises to"], ["price <=", "Price falls to"], ["change >=", "24 h change rises to (%)"],
  ["change <=", "24 h change falls to (%)"], ["silence >=", "No data for (seconds)"],
];

/** @param {import("../../store/quote.js").Quote | null} quote whose alert is wanted */
export function build(page, close, quote) {
  const alerts = alertsOf(page);
  const list = element("ul", { class: "alert-list" });
  let shown = null;
  const refresh = () => {
    const now = alerts.all.map(({ id, value, armed }) => `${id} ${value} ${armed === false}`).join();
    if (now === shown) return;
    shown = now;
    const items = alerts.all.map((alert) => item(page, alert));
    const buttons = () => [...list.querySelectorAll("button")];
    const at = buttons().indexOf(document.activeElement);
    list.replaceChildren(...(items.length > 0 ? items : [element("li", { class: "note" }, "No alerts yet.")]));
    if (at >= 0) (buttons()[at] ?? buttons().at(-1))?.focus(); // the focus keeps its place
  };
  refresh();
  return { body: [form(page, quote), list, element("p", { class: "note" }, TAB_NOTE)], refresh };
}

function item({ alerts, numbers, market, toasts }, alert) {
  const label = `Remove alert: ${alert.symbol} ${alert.op} ${alert.value}`;
  const remove = button({ class: "icon-button", "aria-label": label }, () => {
    const undo = alerts.remove(alert.id);
    toasts.show("Alert removed.", { label: "Undo", run: undo });
  }, icon("icon-clear"));
  const decimals = market.quotes.get(alert.symbol)?.decimals ?? null;
  const waits = alert.armed === false ? "; already met, waiting for the next time" : "";
  const words = `${describe(alert, numbers, decimals)}${alert.repeat ? ", repeating" : ", once"}${waits}`;
  return element("li", {}, element("b", {}, alert.symbol), element("span", {}, words), remove);
}

function form(page, quote) {
  const first = (here) => (here ? { autofocus: "" } : {}); // the field to fill in
  const symbol = element("input", { name: "symbol", required: "", maxlength: "64", autocomplete: "off", spellcheck: "false", ...first(!quote) });
  symbol.value = quote?.instrument ?? "";
  const condition = element("select", { name: "condition" });
  for (const [value, words] of CONDITIONS) condition.append(element("option", { value }, words));
  const value = element("input", { name: "value", type: "number", step: "any", required: "", ...first(quote) });
  if (quote?.price != null) value.value = Number(quote.price.toPrecision(15)).toString();
  const repeat = element("input", { name: "repeat", type: "checkbox" });
  const problem = element("p", { class: "problem", role: "alert" });
  const add = element("button", { type: "submit", class: "plain-button strong" }, "Add alert");
  const labelled = (words, control) => element("label", { class: "field" }, element("span", {}, words), control);
  const built = element(
    "form", { class: "alert-form" }, labelled("Symbol", symbol), labelled("Condition", condition), labelled("Value", value),
    element("label", { class: "check" }, repeat, element("span", {}, "Repeat")), problem, add,
  );
  condition.addEventListener("change", () => {
    const kind = condition.value.split(" ")[0];
    value.value = { price: quote?.price ?? "", change: 5, silence: 30 }[kind];
  });
  built.addEventListener("submit", (event) => {
    event.preventDefault();
    const [kind, op] = condition.value.split(" ");
    const said = symbol.value.trim();
    const named = page.market.quotes.has(said) ? said : said.toUpperCase();
    const wanted = { symbol: named, kind, op, value: value.valueAsNumber, repeat: repeat.checked };
    const listed = page.market.quotes.has(named); // else it would never fire
    const added = listed && alertsOf(page).add(wanted);
    const refusal = listed ? "Enter a value above zero. There can be at most 100 alerts." : `${named} is not listed here.`;
    problem.textContent = added ? "" : refusal;
    // Only this click asks for permission to notify, and only once.
    if (added && globalThis.Notification?.permission === "default") Notification.requestPermission();
  });
  return built;
}
