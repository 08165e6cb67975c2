/**
 * How the stream is doing: the connection cluster in the header and the figures in the last line.
 *
 * Promises: a state is always word, shape and colour together; nothing here guesses, it shows what it is given.
 */

import { setAttribute, setText } from "./elements.js";

const WORDS = {
  connecting: "Connecting", live: "Live", delayed: "Delayed", paused: "Paused", offline: "Offline", ended: "Offline",
};
const UNKNOWN = "—";
const TRACE_POINTS = 30;
const TRACE_LEAST_MS = 60;
const TRACE_WIDTH = 46;
const TRACE_HEIGHT = 16;

/**
 * @typedef {object} Condition
 * @property {"connecting" | "live" | "delayed" | "paused" | "offline" | "ended"} state
 * @property {string} aside what follows the word
 * @property {number[] | null} latencyMs median and p95
 * @property {number | null} frameMs
 * @property {number} ratePerSecond symbol updates
 * @property {number | null} version
 * @property {number} gaps
 * @property {string} time the server's
 * @property {string} zone of that time
 */

export class Status {
  #cluster;
  #figures;
  #numbers;
  #trace = [];

  /**
   * @param {HTMLElement} cluster
   * @param {HTMLElement} figures
   * @param {import("../fmt/number.js").Numbers} numbers
   */
  constructor(cluster, figures, numbers) {
    this.#cluster = cluster;
    this.#figures = figures;
    this.#numbers = numbers;
  }

  /** What a state is called. */
  word(state) {
    return WORDS[state];
  }

  /** The state alone, the moment that it changes. */
  showState(state, aside) {
    setAttribute(this.#cluster, "data-state", state);
    setAttribute(this.#cluster.querySelector("use"), "href", `#mark-${state === "ended" ? "offline" : state}`);
    setText(this.#cluster.querySelector(".word"), WORDS[state] + aside);
  }

  /** Everything, once a second. @param {Condition} condition */
  show({ state, aside, latencyMs, frameMs, ratePerSecond, version, gaps, time, zone }) {
    const up = state === "live" || state === "delayed";
    const whole = (value) => (value === undefined ? UNKNOWN : this.#numbers.count(Math.round(value)));
    const [median, p95] = up && latencyMs !== null ? latencyMs : [];
    this.showState(state, aside);
    setText(this.#cluster.querySelector(".cluster-latency b"), whole(median));
    setText(this.#cluster.querySelector(".cluster-rate b"), up ? whole(ratePerSecond) : UNKNOWN);
    this.#drawTrace(median);
    this.#figure("p50", whole(median));
    this.#figure("p95", whole(p95));
    this.#figure("sequence", version === null ? UNKNOWN : this.#numbers.count(version));
    this.#figure("gaps", this.#numbers.count(gaps));
    this.#figure("frame", frameMs === null ? UNKNOWN : this.#numbers.fixed(frameMs, 1));
    this.#figure("time", time);
    this.#figure("zone", zone);
  }

  #figure(name, text) {
    setText(this.#figures.querySelector(`.${name}`), text);
  }

  #drawTrace(median) {
    if (median === undefined) return;
    this.#trace.push(median);
    if (this.#trace.length > TRACE_POINTS) this.#trace.shift();
    // From zero, and never stretched below that, so that a quiet line means a quiet network.
    const most = Math.max(TRACE_LEAST_MS, ...this.#trace);
    const x = (i) => (i / Math.max(1, this.#trace.length - 1)) * TRACE_WIDTH;
    const y = (ms) => TRACE_HEIGHT - 2 - (Math.max(0, ms) / most) * (TRACE_HEIGHT - 4);
    const points = this.#trace.map((ms, i) => `${i === 0 ? "M" : "L"}${x(i).toFixed(1)} ${y(ms).toFixed(1)}`);
    setAttribute(this.#cluster.querySelector(".latency-trace path"), "d", points.join(""));
  }
}
