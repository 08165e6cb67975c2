/**
 * The only place that asks the browser for frames.
 *
 * Promises: a job asked for twice runs once; what the market causes is painted at most so many times a second, what
 * the user causes in the very next frame; nothing runs while nothing is asked for, nor while nobody can see it.
 */

const EARLY_MS = 4; // a frame this much before its time is the right one: frames do not come when asked

export class Scheduler {
  #periodMs;
  #painted;
  #urgent = new Set();
  #paced = new Set();
  #pacedAtMs = -Infinity;
  #frame = null;
  #timer = null;

  /**
   * @param {number} paintsPerSecond cap for paced jobs
   * @param {(ms: number) => void} painted told how long each frame's jobs took
   */
  constructor(paintsPerSecond, painted) {
    this.#periodMs = 1000 / paintsPerSecond;
    this.#painted = painted;
  }

  /** Run in the next frame. */
  soon(job) {
    this.#urgent.add(job);
    this.#ask();
  }

  /** Run in a frame as soon as the cap allows. */
  paced(job) {
    this.#paced.add(job);
    const waitMs = this.#pacedAtMs + this.#periodMs - performance.now();
    if (waitMs <= EARLY_MS) {
      this.#ask();
    } else if (this.#timer === null) {
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.#ask();
      }, waitMs - EARLY_MS);
    }
  }

  /** Paint what the market causes so many times a second at most. */
  set paintsPerSecond(rate) {
    this.#periodMs = 1000 / rate;
  }

  /** Somebody looks at the page again: run what was asked for meanwhile. */
  wake() {
    if (this.#urgent.size + this.#paced.size > 0) this.#ask();
  }

  #ask() {
    if (document.hidden) return;
    this.#frame ??= requestAnimationFrame(() => this.#run());
  }

  #run() {
    this.#frame = null;
    if (document.hidden) return;
    const startedMs = performance.now();
    const jobs = this.#urgent;
    this.#urgent = new Set();
    if (startedMs - this.#pacedAtMs >= this.#periodMs - EARLY_MS && this.#paced.size > 0) {
      for (const job of this.#paced) jobs.add(job);
      this.#paced = new Set();
      this.#pacedAtMs = startedMs;
    }
    for (const job of jobs) job();
    this.#painted(performance.now() - startedMs);
  }
}
