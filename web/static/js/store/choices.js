/**
 * What the user has chosen and the browser remembers: settings and lists. Broken or full storage means defaults, never
 * an error.
 */

import { readJson, writeJson } from "./kept.js";

const PREFS_KEY = "ticker.prefs.v1";
const LONGEST_TEXT = 200;
const LONGEST_LIST = 60_000; // about the longest URL that the service accepts

const oneOf = (...allowed) => ({ initial: allowed[0], fits: (value) => allowed.includes(value), kept: true, allowed });
const text = (pattern, kept = false, initial = "") => ({ initial, fits: (value) => pattern.test(value), kept });

/** Every setting: its default, which values are valid, whether this browser remembers it. */
const CHOICES = {
  list: text(/^.{1,60}$/u, true, "all"),
  symbols: text(/^.*$/u), // Lists takes what is a symbol
  q: text(/^.*$/u),
  feed: text(/^[A-Za-z0-9_.-]*$/),
  quote: text(/^[A-Za-z0-9.]*$/),
  sort: text(/^(-?[a-z]+)?$/, true),
  cols: text(/^[a-z,]*$/, true),
  theme: oneOf("auto", "dark", "light", "contrast"),
  updown: oneOf("western", "east", "safe"),
  density: oneOf("compact", "comfortable"),
  rate: oneOf("20", "60", "4", "1"),
  tz: oneOf("utc", "local"),
  locale: text(/^[A-Za-z0-9-]*$/, true),
  tf: oneOf("5m", "1m", "15m", "1h", "4h", "1d"),
  chart: oneOf("candles", "line"),
  embed: text(/^1?$/),
  /** Personal needs, which are nothing to share by URL. */
  flashes: oneOf("on", "off"),
  letters: oneOf("on", "off"),
};
const NEVER_IN_ADDRESS = new Set(["flashes", "letters"]);
/** The settings that all tabs share. What a tab looks at (list, order, columns, chart) is its own. */
const SHARED = ["theme", "updown", "density", "rate", "tz", "locale", "flashes", "letters"];
const FAVOURITES_KEY = "ticker.favourites.v1";
const LISTS_KEY = "ticker.lists.v1";
const LISTED = /^([a-z0-9_-]{1,32}:)?[A-Za-z0-9._^-]{1,64}$/; // a feed's own price can be listed, too
const LONGEST_TITLE = 40;
const MOST_LISTS = 50;
const MOST_SYMBOLS = 1000;

/**
 * The user's settings: from the page's URL, else from the browser's storage, else the default.
 *
 * Promises: unknown parameters and invalid values are ignored; a change goes to the URL, and to storage if it is one
 * to remember, without undoing what another tab has changed.
 */
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
    this.#stored = readJson(PREFS_KEY, {});
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
    if (kept && this.#keeps) writeJson(PREFS_KEY, { ...readJson(PREFS_KEY, {}), [name]: chosen });
    this.#own.delete(name);
    this.#take(name, chosen);
  }

  /** Another tab has written to storage under this key: adopt the settings that all tabs share. */
  adopt(key) {
    if (key !== PREFS_KEY || !this.#keeps) return;
    const stored = readJson(PREFS_KEY, {});
    for (const name of SHARED) {
      const before = this.get(name);
      this.#stored[name] = stored[name];
      const now = this.#remembered(name);
      if (now !== before && !this.#own.has(name)) this.#take(name, now);
    }
  }

  /** Another tab has written to storage under this key: pin in the URL what this tab looks at. */
  stay(key) {
    if (key !== PREFS_KEY || !this.#keeps) return;
    const stored = readJson(PREFS_KEY, {});
    for (const [name, { initial, kept }] of Object.entries(CHOICES)) {
      if (!kept || SHARED.includes(name) || this.#parameters.has(name)) continue;
      if ((stored[name] ?? initial) === this.get(name)) continue;
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
    put(this.#parameters, name, chosen === initial || NEVER_IN_ADDRESS.has(name) ? null : chosen);
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
    put(this.#parameters, "sel", symbol);
  }

  /** The page's query, with some parameters changed; null removes one. @param {Object<string, string | null>} others */
  queryWith(others) {
    const parameters = new URLSearchParams(this.#parameters);
    for (const [name, value] of Object.entries(others)) put(parameters, name, value);
    const query = String(parameters).replaceAll("%2C", ",").replaceAll("%3A", ":"); // which need no escape
    return query && `?${query}`;
  }

  /** The page's URL as it should be now, without the origin. */
  get address() {
    return location.pathname + this.queryWith({}) + location.hash;
  }

  /** Let the browser show that. */
  showAddress() {
    history.replaceState(history.state, "", this.address);
  }
}

/** Set a parameter; null removes it. */
function put(parameters, name, value) {
  if (value === null) parameters.delete(name);
  else parameters.set(name, value);
}

/** A value from outside if it is valid, else null. */
function accepted(name, value) {
  const longest = name === "symbols" ? LONGEST_LIST : LONGEST_TEXT;
  return typeof value === "string" && value.length <= longest && CHOICES[name].fits(value) ? value : null;
}

/**
 * @typedef {object} List
 * @property {string} key "all", "favourites", "shared", or the title of one of the user's own
 * @property {string} title
 * @property {boolean} [own] it is one of the user's own
 * @property {Set<string> | null} symbols instruments, or feeds' own prices of them; null: every instrument there is
 */

/**
 * The lists to choose from: all symbols, the favourites, the user's own lists, and one shared by URL.
 *
 * Promises: the titles of the user's own lists are unique and are their keys; a shared list is not stored until it is
 * saved.
 */
export class Lists {
  /** Called after any change; with the list if only its symbols have changed. */
  onChange = () => {};

  /** @type {List} */
  everything = { key: "all", title: "All", symbols: null };
  /** @type {List} */
  favourites = { key: "favourites", title: "Favourites", symbols: new Set() };
  /** The user's own. @type {List[]} */
  own = [];
  /** The one shared by URL. @type {List | null} */
  shared = null;

  /** @param {string} shared the URL's symbols, separated by commas */
  constructor(shared) {
    this.#load();
    const symbols = symbolsFrom(shared.split(","));
    if (symbols.size > 0) this.shared = { key: "shared", title: "Shared list", symbols };
  }

  #load() {
    const { symbols } = this.favourites; // the same Set: others refer to it
    symbols.clear();
    for (const symbol of symbolsFrom(readJson(FAVOURITES_KEY, []))) symbols.add(symbol);
    const before = new Map(this.own.map((list) => [list.key, list])); // so are these
    this.own = [];
    for (const entry of readJson(LISTS_KEY, []).slice(0, MOST_LISTS)) {
      if (typeof entry?.title !== "string" || !Array.isArray(entry.symbols)) continue;
      const list = this.#add(entry.title, entry.symbols);
      this.own.splice(-1, 1, Object.assign(before.get(list.key) ?? {}, list));
    }
  }

  /** Another tab has written to the storage under this key. */
  adopt(key) {
    if (key !== FAVOURITES_KEY && key !== LISTS_KEY) return;
    this.#load();
    this.onChange();
  }

  /** @returns {List[]} in the order of their tabs */
  get all() {
    const shared = this.shared === null ? [] : [this.shared];
    return [this.everything, this.favourites, ...this.own, ...shared];
  }

  /** The list with this key, else the one of all symbols. */
  find(key) {
    return this.all.find((list) => list.key === key) ?? this.everything;
  }

  /** Make a list; its title is made unique. @param {Iterable<string>} symbols @returns {List | null} null: too many */
  create(title, symbols = []) {
    if (this.own.length >= MOST_LISTS) return null;
    const list = this.#add(title, symbols);
    this.#keep();
    return list;
  }

  /** Give it another title; an empty one changes nothing. */
  rename(list, title) {
    if (title.trim() === "" || title.trim() === list.title) return;
    list.title = list.key = this.#unique(title, list);
    this.#keep();
  }

  /** Move a list one place to the left or right. @returns {boolean} whether there was room */
  move(list, step) {
    const from = this.own.indexOf(list);
    const to = from + step;
    if (from < 0 || to < 0 || to >= this.own.length) return false;
    this.own.splice(to, 0, ...this.own.splice(from, 1));
    this.#keep();
    return true;
  }

  /** Remove a list. @returns {() => void} puts it back where it was */
  remove(list) {
    const place = this.own.indexOf(list);
    this.own.splice(place, 1);
    this.#keep();
    return () => {
      list.title = list.key = this.#unique(list.title, list);
      this.own.splice(place, 0, list);
      this.#keep();
    };
  }

  /** Keep the shared list as one of the user's own. @returns {List | null} null: too many */
  save() {
    const list = this.create(this.shared.title, this.shared.symbols);
    if (list === null) return null;
    this.shared = null;
    this.onChange();
    return list;
  }

  /** Put a symbol into a list, or take it out. @returns {boolean} whether it is in now */
  toggle(list, symbol) {
    if (!list.symbols.delete(symbol) && list.symbols.size < MOST_SYMBOLS) list.symbols.add(symbol);
    this.#keep(list);
    return list.symbols.has(symbol);
  }

  #add(title, symbols) {
    const unique = this.#unique(title, null);
    const list = { key: unique, title: unique, own: true, symbols: symbolsFrom(symbols) };
    this.own.push(list);
    return list;
  }

  #unique(title, itself) {
    const wanted = title.trim().replace(/\s+/gu, " ").slice(0, LONGEST_TITLE) || "List";
    const taken = new Set(["all", "favourites", "shared"]);
    for (const list of this.own) if (list !== itself) taken.add(list.key.toLowerCase());
    let unique = wanted;
    for (let i = 2; taken.has(unique.toLowerCase()); i += 1) unique = `${wanted} ${i}`;
    return unique;
  }

  #keep(changed) {
    writeJson(FAVOURITES_KEY, [...this.favourites.symbols]);
    writeJson(LISTS_KEY, this.own.map(({ title, symbols }) => ({ title, symbols: [...symbols] })));
    this.onChange(changed);
  }
}

/** What a list calls a quote, or would: a feed's own price only where the list names that. */
export function nameIn({ symbols }, { symbol, instrument }) {
  return symbols.has(symbol) ? symbol : instrument;
}

function symbolsFrom(values) {
  const symbols = new Set();
  for (const value of values) {
    if (typeof value === "string" && LISTED.test(value) && symbols.size < MOST_SYMBOLS) symbols.add(value);
  }
  return symbols;
}
