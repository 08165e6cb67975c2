/**
 * The figures of the service, each as a tile with a trend of the last two minutes.
 */

import { age, MISSING } from "../fmt.js";
import { element, lineThrough, setAttribute, setText, svg } from "../ui/elements.js";

const WIDTH = 84;
const HEIGHT = 26;
const MEBI = 2 ** 20;

export class Tiles {
  #numbers;
  #tiles = new Map();

  /** @param {HTMLElement} list @param {import("../fmt.js").Numbers} numbers */
  constructor(list, numbers) {
    this.#numbers = numbers;
    for (const [key, title, hint] of [
      ["updates", "Updates in", "Quotes accepted per second, all feeds"],
      ["rows", "Rows out", "Symbol updates sent per second, all readers"],
      ["readers", "Readers", "Connected now"],
      ["symbols", "Symbols", "Consolidated symbols and venue symbols"],
      ["flush", "Flush", "Duration of a flush with all its writes; estimated from buckets"],
      ["fanout", "Receipt to write", "From receipt of a price to its write to the sockets; estimated from buckets"],
      ["loop", "Loop lag", "Delay of the event loop’s timer; estimated from buckets"],
      ["memory", "Memory", "Resident"],
    ]) list.append(this.#tile(key, title, hint));
  }

  #tile(key, title, hint) {
    const tile = {
      number: element("span"),
      unit: element("span", { class: "unit" }),
      aside: element("dd", { class: "aside" }),
      line: svg("path"),
    };
    const value = element("dd", { class: "value" }, tile.number, " ", tile.unit);
    const frame = { class: "course", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" };
    this.#tiles.set(key, tile);
    return element("div", { class: "tile", title: hint }, element("dt", {}, title), value, svg("svg", frame, tile.line), tile.aside);
  }

  /**
   * @param {import("./window.js").Window} window
   * @param {Object<string, object>} feeds as `/api/feeds` has them
   */
  show(window, feeds) {
    const { latest } = window;
    const { readers, store } = latest;
    const count = (value) => this.#numbers.count(value);
    const rate = Object.values(feeds).reduce((sum, feed) => sum + feed.rate, 0);
    latest.updatesPerSecond = rate; // kept with the answer, for its trend
    this.#set("updates", count(Math.round(rate)), "/s", this.#numbers.counted(Object.keys(feeds).length, "feed"),
      window.course((end) => window.at(end).updatesPerSecond));
    const rows = (end) => window.rate((answer) => answer.readers.sent_rows, end);
    const bytes = window.rate((answer) => answer.readers.sent_bytes);
    this.#set("rows", rows() === null ? MISSING : count(Math.round(rows())), "/s",
      bytes === null ? "" : `${size(bytes, this.#numbers)}/s · ${count(readers.conflated)} merged`, window.course(rows));
    const connected = Object.values(readers.connected).reduce((sum, n) => sum + n, 0);
    const ways = Object.entries(readers.connected).filter(([, n]) => n > 0).map(([way, n]) => `${way} ${count(n)}`);
    const slow = readers.lagging > 0 ? `${count(readers.lagging)} lagging, ${size(readers.pending_bytes, this.#numbers)} pending` : "none lagging";
    this.#set("readers", count(connected), "", [...ways, slow].join(" · "),
      window.course((end) => Object.values(window.at(end).readers.connected).reduce((sum, n) => sum + n, 0)), readers.lagging > 0);
    this.#set("symbols", count(store.symbols), "", `${count(store.stale)} stale · version ${count(store.version)}`,
      window.course((end) => window.at(end).store.symbols));
    for (const key of ["flush", "fanout", "loop"]) this.#showTime(key, window);
    this.#set("memory", this.#numbers.fixed(latest.memory_bytes / MEBI, 0), "MiB",
      `${this.#numbers.fixed((store.history_bytes ?? 0) / MEBI, 1)} MiB of bars · CPU ${percent(window.rate((answer) => answer.cpu_s), this.#numbers)}`,
      window.course((end) => window.at(end).memory_bytes));
  }

  #showTime(key, window) {
    const name = `${key}_s`;
    const recent = window.quantiles(name, [0.5, 0.99]);
    const [median, p99] = recent?.map((seconds) => milliseconds(seconds, this.#numbers)) ?? [MISSING, MISSING];
    this.#set(key, median, "ms", recent === null ? "no samples yet" : `p99 ${p99} ms`, window.course((end) => window.quantiles(name, [0.99], end)?.[0] ?? null));
  }

  #set(key, number, unit, aside, course, warn = false) {
    const tile = this.#tiles.get(key);
    setText(tile.number, number);
    setText(tile.unit, number === MISSING ? "" : unit);
    setText(tile.aside, aside);
    tile.aside.classList.toggle("some", warn);
    setAttribute(tile.line, "d", path(course));
  }
}

/** The service's uptime: "up 3 h". */
export function uptime(latest) {
  return `up ${age(latest.time - latest.started_at)}`;
}

function path(course) {
  const values = course.filter((value) => value !== null);
  if (values.length < 2) return "";
  const least = Math.min(...values);
  const span = Math.max(...values) - least;
  const x = (i) => (i / (values.length - 1)) * WIDTH;
  const y = (value) => HEIGHT - 3 - (span === 0 ? 0.5 : (value - least) / span) * (HEIGHT - 6);
  return lineThrough(values.map((value, i) => [x(i).toFixed(1), y(value)]));
}

function milliseconds(seconds, numbers) {
  const ms = seconds * 1000;
  return numbers.fixed(ms, ms < 10 ? 2 : ms < 100 ? 1 : 0);
}

function size(bytes, numbers) {
  return bytes < 1000 ? `${numbers.count(Math.round(bytes))} B` : `${numbers.volume(bytes)}B`;
}

function percent(perSecond, numbers) {
  return perSecond === null ? MISSING : `${numbers.fixed(100 * perSecond, 0)}%`;
}
