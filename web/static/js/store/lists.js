/**
 * The lists to choose from: all symbols, the favourites, the user's own lists, and one shared by URL.
 *
 * Promises: the titles of the user's own lists are unique and are their keys; a shared list is not stored until it is
 * saved; broken storage means no own lists, never an error.
 */

import { readJson, writeJson } from "./kept.js";

const FAVOURITES_KEY = "ticker.favourites.v1";
const LISTS_KEY = "ticker.lists.v1";
export const SYMBOL = /^[A-Za-z0-9._^-]{1,64}$/;
const LISTED = /^([a-z0-9_-]{1,32}:)?[A-Za-z0-9._^-]{1,64}$/; // a feed's own price can be listed, too
const LONGEST_TITLE = 40;
const MOST_LISTS = 50;
const MOST_SYMBOLS = 1000;

/**
 * @typedef {object} List
 * @property {string} key
 * @property {string} title
 * @property {"all" | "favourites" | "own" | "shared"} kind
 * @property {Set<string> | null} symbols instruments, or feeds' own prices of them; null: every instrument there is
 */

export class Lists {
  /** Called after any change; with the list if only its symbols have changed. */
  onChange = () => {};

  /** @type {List} */
  everything = { key: "all", title: "All", kind: "all", symbols: null };
  /** @type {List} */
  favourites = { key: "favourites", title: "Favourites", kind: "favourites", symbols: new Set() };
  /** The user's own. @type {List[]} */
  own = [];
  /** The one shared by URL. @type {List | null} */
  shared = null;

  /** @param {string} shared the URL's symbols, separated by commas */
  constructor(shared) {
    this.#load();
    const symbols = symbolsFrom(shared.split(","));
    if (symbols.size > 0) this.shared = { key: "shared", title: "Shared list", kind: "shared", symbols };
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
    const list = { key: unique, title: unique, kind: "own", symbols: symbolsFrom(symbols) };
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
