/**
 * The short tint of a cell whose number has just moved: full for 200 ms, half for 200 ms, off.
 *
 * Promises: one timer for all cells; another move in the same direction makes the present step last longer and starts
 * nothing anew, so that a busy price glows steadily; no flash at all when the user wants less motion.
 */

const STEP_MS = 200;

export class Flashes {
  /** False: never, because somebody said so. */
  wanted = true;

  /** @type {Map<HTMLElement, {direction: number, half: boolean, untilMs: number}>} */
  #cells = new Map();
  #timer = null;
  #reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

  /** @param {HTMLElement} cell @param {number} direction 1 or -1 */
  start(cell, direction) {
    if (!this.wanted || this.#reducedMotion.matches) return;
    const untilMs = performance.now() + STEP_MS;
    const running = this.#cells.get(cell);
    if (running?.direction === direction) {
      running.untilMs = untilMs;
      return;
    }
    cell.classList.remove("half", className(-direction));
    cell.classList.add(className(direction));
    this.#cells.set(cell, { direction, half: false, untilMs });
    this.#arm();
  }

  /** End a cell's flash at once: its row shows something else now. */
  stop(cell) {
    const running = this.#cells.get(cell);
    if (running === undefined) return;
    cell.classList.remove("half", className(running.direction));
    this.#cells.delete(cell);
  }

  #arm() {
    if (this.#timer !== null || this.#cells.size === 0) return;
    const nextMs = Math.min(...Array.from(this.#cells.values(), ({ untilMs }) => untilMs));
    this.#timer = setTimeout(() => this.#step(), Math.max(0, nextMs - performance.now()));
  }

  #step() {
    this.#timer = null;
    const now = performance.now();
    for (const [cell, flash] of this.#cells) {
      if (flash.untilMs > now) continue;
      if (flash.half) {
        this.stop(cell);
      } else {
        flash.half = true;
        flash.untilMs = now + STEP_MS;
        cell.classList.add("half");
      }
    }
    this.#arm();
  }
}

function className(direction) {
  return direction > 0 ? "flash-up" : "flash-down";
}
