/**
 * Whether the rows must keep their places because a hand is on them: a pointer over them, a finger on them, or a key
 * that moved among them a moment ago.
 */

const AFTER_KEY_MS = 3000;

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
    // Touch events, for a finger that scrolls ends its pointer events while it is still down.
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

  /** Whether a press has not ended yet, or text is marked: elements must stay, too. */
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
