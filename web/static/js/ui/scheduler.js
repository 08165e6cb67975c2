/**
 * When the screen may change: in which frame, and whether rows may move.
 */

const EARLY_MS = 4; // a frame this little early is taken: frames do not come exactly on time
const AFTER_KEY_MS = 3000;

/**
 * The only place that asks the browser for frames.
 *
 * Promises: a job requested twice runs once; what the market causes is painted at the chosen rate at most, what the
 * user causes in the next frame; nothing runs unless requested, nor while the page is hidden.
 */
export class Scheduler {
  #periodMs = 50;
  #painted;
  #urgent = new Set();
  #paced = new Set();
  #pacedAtMs = -Infinity;
  #frame = null;
  #timer = null;

  /** @param {(ms: number) => void} painted called with the time that each frame's jobs took */
  constructor(painted) {
    this.#painted = painted;
  }

  /** Run in the next frame. */
  soon(job) {
    this.#urgent.add(job);
    this.#ask();
  }

  /** Run in a frame as soon as the rate allows. */
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

  /** The most paints a second that the market causes. */
  set paintsPerSecond(rate) {
    this.#periodMs = 1000 / rate;
  }

  /** The page is visible again: run what was requested meanwhile. */
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

/**
 * Whether the rows must keep their places because the user is at them: a mouse over them, a finger on them, or a key
 * that moved among them a moment ago.
 */
export class Hold {
  #hovered = false;
  #touched = false;
  #pressed = false;
  #keyAtMs = -Infinity;

  /** @param {HTMLElement} rows */
  constructor(rows) {
    const hover = (hovered) => (event) => {
      if (event.pointerType === "mouse") this.#hovered = hovered;
    };
    // Touch events, since scrolling ends a finger's pointer events while it is still down.
    const touch = (event) => {
      this.#touched = event.touches.length > 0;
    };
    const press = ({ buttons }) => {
      this.#pressed = buttons > 0;
    };
    for (const type of ["pointerdown", "pointerup", "pointercancel"]) addEventListener(type, press);
    rows.addEventListener("pointerenter", hover(true));
    rows.addEventListener("pointerleave", hover(false));
    for (const type of ["touchstart", "touchend", "touchcancel"]) rows.addEventListener(type, touch, { passive: true });
  }

  /** Whether a press has not ended yet, or text is selected: then elements must stay, too. */
  get pressed() {
    return this.#pressed || this.#touched || !getSelection().isCollapsed;
  }

  /** A key moved among the rows. */
  keyed() {
    this.#keyAtMs = performance.now();
  }

  get held() {
    return this.#hovered || this.#touched || performance.now() - this.#keyAtMs < AFTER_KEY_MS;
  }
}
