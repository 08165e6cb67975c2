/**
 * The user's settings: from the page's URL, else from the browser's storage, else the default.
 *
 * Promises: unknown parameters and invalid values are ignored; a change goes to the URL, and to storage if it is one
 * to remember, without undoing what another tab has changed; broken or full storage means defaults, never an error.
 */

import { readJson, writeJson } from "./kept.js";

const STORAGE_KEY = "ticker.prefs.v1";
const LONGEST_TEXT = 200;
const LONGEST_LIST = 60_000; // about the longest URL that the service accepts
const PLAIN = { ",": "%2C", ":": "%3A" }; // what need not be escaped in a URL

const oneOf = (...allowed) => ({ initial: allowed[0], fits: (value) => allowed.includes(value), kept: true, allowed });
const text = (initial, pattern, kept) => ({ initial, fits: (value) => pattern.test(value), kept });
const like = (pattern) => new RegExp(`^${pattern}$`, "u");

/** Every setting: its default, which values are valid, whether this browser remembers it. */
const CHOICES = {
  list: text("all", like(".{1,60}"), true),
  symbols: text("", like(".*"), false), // store/lists.js takes what is a symbol
  q: text("", like(".*"), false),
  feed: text("", like("[A-Za-z0-9_.-]*"), false),
  quote: text("", like("[A-Za-z0-9.]*"), false),
  sort: text("", like("(-?[a-z]+)?"), true),
  cols: text("", like("[a-z,]*"), true),
  theme: oneOf("auto", "dark", "light", "contrast"),
  updown: oneOf("western", "east", "safe"),
  density: oneOf("compact", "comfortable"),
  rate: oneOf("20", "60", "4", "1"),
  tz: oneOf("utc", "local"),
  locale: text("", like("[A-Za-z0-9-]*"), true),
  tf: oneOf("5m", "1m", "15m", "1h", "4h", "1d"),
  chart: oneOf("candles", "line"),
  embed: text("", like("1?"), false),
  /** Personal needs, which are nothing to share by URL. */
  flashes: oneOf("on", "off"),
  letters: oneOf("on", "off"),
};
const NEVER_IN_ADDRESS = new Set(["flashes", "letters"]);
/** The settings that all tabs share. What a tab looks at (list, order, columns, chart) is its own. */
const SHARED = ["theme", "updown", "density", "rate", "tz", "locale", "flashes", "letters"];

export class Prefs {
  /** Called with the name of a setting that has changed. */
  onChange = () => {};

  #parameters;
  #keeps; // an embedded page stores nothing
  #stored;
  #own; // shared settings that this tab's URL brought, until they are changed here

  /** @param {URLSearchParams} parameters of the page */
  constructor(parameters) {
    this.#parameters = parameters;
    this.#stored = readJson(STORAGE_KEY, {});
    this.#keeps = !this.embedded;
    this.#own = new Set(SHARED.filter((name) => this.get(name) !== this.#remembered(name)));
  }

  /** @param {keyof typeof CHOICES} name @returns {string} */
  get(name) {
    const asked = NEVER_IN_ADDRESS.has(name) ? null : accepted(name, this.#parameters.get(name));
    return asked ?? this.#remembered(name);
  }

  /** The values of a setting that has only a few. @returns {string[]} */
  static values(name) {
    return CHOICES[name].allowed;
  }

  /** Change a setting; an invalid value means the default. */
  set(name, value) {
    const { initial, fits, kept } = CHOICES[name];
    const chosen = fits(value) ? value : initial;
    if (chosen === this.get(name) && (chosen !== initial || !this.#parameters.has(name))) return;
    if (kept && this.#keeps) writeJson(STORAGE_KEY, { ...readJson(STORAGE_KEY, {}), [name]: chosen });
    this.#own.delete(name);
    this.#take(name, chosen);
  }

  /** Another tab has written to storage under this key: adopt the settings that all tabs share. */
  adopt(key) {
    if (key !== STORAGE_KEY || !this.#keeps) return;
    const stored = readJson(STORAGE_KEY, {});
    for (const name of SHARED) {
      const before = this.get(name);
      this.#stored[name] = stored[name];
      const now = this.#remembered(name);
      if (now !== before && !this.#own.has(name)) this.#take(name, now);
    }
  }

  /** Another tab has written to storage under this key: pin in the URL what this tab looks at. */
  stay(key) {
    if (key !== STORAGE_KEY || !this.#keeps) return;
    const stored = readJson(STORAGE_KEY, {});
    for (const [name, { kept }] of Object.entries(CHOICES)) {
      if (!kept || SHARED.includes(name) || this.#parameters.has(name)) continue;
      if ((stored[name] ?? CHOICES[name].initial) === this.get(name)) continue;
      this.#parameters.set(name, this.get(name)); // or a reload would show what the other tab looks at
      this.onChange(name);
    }
  }

  #remembered(name) {
    const { initial, kept } = CHOICES[name];
    return (kept ? accepted(name, this.#stored[name]) : null) ?? initial;
  }

  #take(name, chosen) {
    const { initial, kept } = CHOICES[name];
    if (chosen === initial || NEVER_IN_ADDRESS.has(name)) this.#parameters.delete(name);
    else this.#parameters.set(name, chosen);
    if (kept) this.#stored[name] = chosen;
    this.onChange(name);
  }

  /** Change a setting to its next value. @returns {string} it */
  cycle(name) {
    const { allowed } = CHOICES[name];
    const value = allowed[(allowed.indexOf(this.get(name)) + 1) % allowed.length];
    this.set(name, value);
    return value;
  }

  /** Whether the page is embedded in another one, where it is the table alone. */
  get embedded() {
    return this.get("embed") === "1";
  }

  /** The symbol whose details the URL asks for, or null. */
  get selected() {
    return this.#parameters.get("sel") || null;
  }

  /** @param {string | null} symbol whose details are open */
  select(symbol) {
    if (symbol === null) this.#parameters.delete("sel");
    else this.#parameters.set("sel", symbol);
  }

  /** The page's query, with some parameters changed; null removes one. @param {Object<string, string | null>} others */
  queryWith(others) {
    const parameters = new URLSearchParams(this.#parameters);
    for (const [name, value] of Object.entries(others)) {
      if (value === null) parameters.delete(name);
      else parameters.set(name, value);
    }
    let query = String(parameters);
    for (const [character, escaped] of Object.entries(PLAIN)) query = query.replaceAll(escaped, character);
    return query === "" ? "" : `?${query}`;
  }

  /** The page's URL as it should be now, without the origin. */
  get address() {
    return location.pathname + this.queryWith({}) + location.hash;
  }
}

/** A value from outside if it is valid, else null. */
function accepted(name, value) {
  const longest = name === "symbols" ? LONGEST_LIST : LONGEST_TEXT;
  return typeof value === "string" && value.length <= longest && CHOICES[name].fits(value) ? value : null;
}
