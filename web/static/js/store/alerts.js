/**
 * The user's alerts, evaluated as this page receives prices.
 *
 * Promises: an alert fires when its limit is crossed, not while it stays crossed; it is armed again only after the
 * value has come back by 0.05%, so that a price hovering at its limit fires once. Broken storage means no alerts.
 */

import { ALERTS_KEY, readJson, writeJson } from "./kept.js";

const SYMBOL = /^[A-Za-z0-9._^-]{1,64}$/;
const HYSTERESIS = 0.0005; // of a price; of 100 for a percentage
const MOST_ALERTS = 100;
const NO_NEWS = new Set(["state", "source", "name", "decimals"]); // fields that change without a new price

const KINDS = ["price", "change", "silence"];
const OPERATORS = [">=", "<="];

/**
 * @typedef {object} Alert
 * @property {string} id
 * @property {string} symbol
 * @property {"price" | "change" | "silence"} kind a price, percent over 24 hours, seconds without data
 * @property {">=" | "<="} op
 * @property {number} value
 * @property {boolean} repeat
 * @property {boolean | null} armed null: no value has been seen yet
 */

export class Alerts {
  /** Called after any change. */
  onChange = () => {};
  /** Called with an alert and the value that made it fire. */
  onFire = () => {};

  #lookUp;
  /** Oldest first. @type {Alert[]} */
  all = [];
  #symbols = new Map(); // symbol -> what is known of it
  #lastId = 0;

  /** @param {(symbol: string) => object | undefined} lookUp what the page knows of a symbol */
  constructor(lookUp) {
    this.#lookUp = lookUp;
    this.#load();
  }

  #load() {
    this.all = [];
    for (const entry of readJson(ALERTS_KEY, [])) {
      if (isAlert(entry)) this.#insert(entry, typeof entry.armed === "boolean" ? entry.armed : null);
    }
  }

  /** Another tab has written to the storage under this key. */
  adopt(key) {
    if (key !== ALERTS_KEY) return;
    this.#load();
    for (const symbol of this.symbols) if (this.for(symbol).length === 0) this.#symbols.delete(symbol);
    this.onChange();
  }

  /** Symbols that have alerts. */
  get symbols() {
    return [...this.#symbols.keys()];
  }

  has(symbol) {
    return this.#symbols.has(symbol);
  }

  /** @returns {Alert[]} those of one symbol */
  for(symbol) {
    return this.all.filter((alert) => alert.symbol === symbol);
  }

  /** @param {object} wanted an alert without id @returns {Alert | null} null: it is invalid, or there are too many */
  add(wanted) {
    if (!isAlert(wanted) || this.all.length >= MOST_ALERTS) return null;
    const alert = this.#insert(wanted, null);
    this.#judge(alert, this.#symbols.get(alert.symbol));
    this.#keep();
    return alert;
  }

  /** Give it another limit, which has to be crossed anew. */
  move(id, value) {
    const alert = this.all.find((one) => one.id === id);
    if (alert === undefined || !isAlert({ ...alert, value })) return;
    alert.value = value;
    alert.armed = null;
    this.#judge(alert, this.#symbols.get(alert.symbol));
    this.#keep();
  }

  /** @returns {() => void} puts it back */
  remove(id) {
    const alert = this.all.find((one) => one.id === id);
    if (alert === undefined) return () => {};
    this.#drop(alert);
    this.#keep();
    return () => {
      this.all.push(alert);
      this.#know(alert.symbol);
      this.#keep();
    };
  }

  /**
   * Evaluate a data frame.
   * @param {object} frame checked by net/protocol.js
   * @param {boolean} old whether its prices may be old, as those of a snapshot
   * @param {number} serverMs the server's time now
   */
  take(frame, old, serverMs) {
    if (this.#symbols.size === 0 || frame.quotes === undefined) return;
    for (const [symbol, known] of this.#symbols) {
      if (!Object.hasOwn(frame.quotes, symbol)) continue;
      const fields = frame.quotes[symbol];
      Object.assign(known.fields, fields);
      if (old) this.#date(known, fields, serverMs);
      else if (Object.keys(fields).some((field) => !NO_NEWS.has(field))) known.heardAtMs = performance.now();
      for (const alert of this.for(symbol)) this.#judge(alert, known);
    }
  }

  #date(known, { ts }, serverMs) {
    if (typeof ts === "number") known.heardAtMs = performance.now() - Math.max(0, serverMs - ts);
  }

  /** Evaluate the silence; call it every second. */
  tick() {
    for (const alert of [...this.all]) {
      if (alert.kind === "silence") this.#judge(alert, this.#symbols.get(alert.symbol));
    }
  }

  #judge(alert, known) {
    const value = this.#valueOf(alert, known);
    if (value === null) return;
    const up = alert.op === ">=";
    const beyond = up ? value >= alert.value : value <= alert.value;
    const before = alert.armed;
    if (beyond && before === true) {
      alert.armed = false;
      if (!alert.repeat) this.#drop(alert);
      this.#keep();
      this.onFire(alert, value);
      return;
    }
    if (before === null) alert.armed = !beyond;
    else if (!before && isBack(alert, value)) alert.armed = true;
    if (alert.armed !== before) writeJson(ALERTS_KEY, this.all);
  }

  #valueOf({ kind }, { fields, heardAtMs }) {
    if (kind === "silence") return (performance.now() - heardAtMs) / 1000;
    const { last, bid, ask, change_pct: change } = fields;
    if (kind === "change") return number(change);
    const isMid = number(last) === null && number(bid) !== null && number(ask) !== null;
    return isMid ? (bid + ask) / 2 : number(last);
  }

  #insert({ symbol, kind, op, value, repeat }, armed) {
    this.#lastId += 1;
    const alert = { id: `alert-${this.#lastId}`, symbol, kind, op, value, repeat: repeat === true, armed };
    this.all.push(alert);
    this.#know(symbol);
    return alert;
  }

  #know(symbol) {
    if (this.#symbols.has(symbol)) return;
    const { last, bid, ask, change_pct } = this.#lookUp(symbol) ?? {};
    this.#symbols.set(symbol, { fields: { last, bid, ask, change_pct }, heardAtMs: performance.now() });
  }

  #drop(alert) {
    this.all = this.all.filter((one) => one !== alert);
    if (this.for(alert.symbol).length === 0) this.#symbols.delete(alert.symbol);
  }

  #keep() {
    writeJson(ALERTS_KEY, this.all);
    this.onChange();
  }
}

function isBack({ kind, op, value: limit }, value) {
  const margin = kind === "silence" ? 0 : kind === "price" ? Math.abs(limit) * HYSTERESIS : 100 * HYSTERESIS;
  return op === ">=" ? value < limit && value <= limit - margin : value > limit && value >= limit + margin;
}

function isAlert(value) {
  if (typeof value !== "object" || value === null || typeof value.symbol !== "string") return false;
  if (!SYMBOL.test(value.symbol) || !Number.isFinite(value.value)) return false;
  if (!KINDS.includes(value.kind) || !OPERATORS.includes(value.op)) return false;
  return value.kind === "change" || value.value > 0;
}

function number(value) {
  return typeof value === "number" ? value : null;
}
