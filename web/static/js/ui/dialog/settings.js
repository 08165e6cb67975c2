/**
 * The settings; on a phone also what has its place elsewhere on wider screens.
 */

import { keepToken, token } from "../../store/kept.js";
import { button, element } from "../elements.js";
import { Prefs } from "../../store/choices.js";
import { copyLink, exportCsv } from "../share.js";

export const title = "Settings";

const SETTINGS = [
  ["theme", "Theme", { auto: "System", dark: "Dark", light: "Light", contrast: "High contrast" }],
  ["updown", "Price colours", { western: "Green up, red down", east: "Red up, green down", safe: "Blue up, orange down" }],
  ["density", "Density", { compact: "Compact", comfortable: "Comfortable" }],
  ["rate", "Updates on screen", { 60: "60 per second", 20: "20 per second", 4: "4 per second", 1: "1 per second" }],
  ["flashes", "Price flashes", { on: "System", off: "Off" }],
  ["letters", "Single-letter keys", { on: "On", off: "Off" }],
  ["tz", "Time zone", { utc: "UTC", local: "Local" }],
];
const LOCALES = ["", "en-US", "en-GB", "de-DE", "de-CH", "fr-FR", "es-ES", "pt-BR", "sv-SE", "ja", "zh-CN", "ko", "hi-IN", "ar-EG"];
const ORDERS = { "": "Highest volume", "-change": "Top gainers", change: "Top losers", symbol: "Symbol" };
const FILTERS = { feed: "Feed", quote: "Quote currency" };
const PLAIN = { class: "plain-button" };
const OTHERS = [["columns", "Columns"], ["alerts", "Alerts"], ["shortcuts", "Keyboard shortcuts"], ["about", "About"]];

export function build(page, close) {
  const { prefs, dialogs, listing, filters } = page;
  const fields = SETTINGS.map(([name, label, words]) => {
    const options = Prefs.values(name).map((value) => [value, words[value]]);
    return field(prefs, name, label, options);
  });
  const locales = new Set([...LOCALES, prefs.get("locale")]);
  fields.push(field(prefs, "locale", "Number format", Array.from(locales, (locale) => [locale, localeName(locale)])));
  const orders = { [prefs.get("sort")]: "Current", ...ORDERS };
  const listed = [field(prefs, "sort", "Sort by", Object.entries(orders), (value) => listing.order(value))];
  for (const [name, label] of Object.entries(FILTERS)) {
    listed.push(field(prefs, name, label, filters.options(name), (value) => listing.filter(name, value)));
  }
  for (const { classList } of listed) classList.add("for-phones");
  fields.unshift(...listed);
  const refresh = () => { // another tab may have changed them
    for (const { lastChild: select } of fields) {
      const chosen = prefs.get(select.name);
      if (select.value !== chosen) select.value = chosen;
    }
  };
  const others = forPhones(page, close);
  for (const [name, label] of OTHERS) others.push(button(PLAIN, () => dialogs.open(name), label));
  if (token() !== null) others.push(button(PLAIN, () => keepToken(null) && location.reload(), "Forget token"));
  return { body: [element("div", { class: "fields" }, ...fields), element("div", { class: "buttons" }, ...others)], refresh };
}

function forPhones(page, close) {
  const actions = { [page.stream.paused ? "Resume" : "Pause"]: page.togglePause, "Export as CSV": exportCsv, "Copy link": copyLink };
  return Object.entries(actions).map(([label, act]) => button({ class: "plain-button for-phones" }, () => {
    close();
    act(page);
  }, label));
}

function field(prefs, name, label, options, choose = (value) => prefs.set(name, value)) {
  const select = element("select", { name });
  for (const [value, words] of options) select.append(element("option", { value }, words));
  select.value = prefs.get(name);
  select.addEventListener("change", () => choose(select.value));
  return element("label", { class: "field" }, element("span", {}, label), select);
}

function localeName(locale) {
  if (locale === "") return "Browser default";
  try {
    return `${new Intl.NumberFormat(locale).format(1234.5)} (${locale})`;
  } catch {
    return locale;
  }
}
