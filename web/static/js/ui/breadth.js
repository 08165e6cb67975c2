/**
 * How many symbols of the list rise, stand and fall, as numbers and as a bar.
 */

import { setAttribute, setText } from "./elements.js";

export class Breadth {
  #element;
  #numbers;

  /** @param {HTMLElement} breadthElement @param {import("../fmt/number.js").Numbers} numbers */
  constructor(breadthElement, numbers) {
    this.#element = breadthElement;
    this.#numbers = numbers;
  }

  /** @param {{rising: number, unchanged: number, falling: number}} counts */
  show({ rising, unchanged, falling }) {
    this.#element.hidden = rising + unchanged + falling === 0;
    setText(this.#element.querySelector(".rising"), this.#numbers.count(rising));
    setText(this.#element.querySelector(".falling"), this.#numbers.count(falling));
    this.#element.querySelectorAll(".breadth-bar i").forEach((part, i) => {
      const count = [rising, unchanged, falling][i];
      part.style.flexGrow = String(count);
      part.hidden = count === 0;
    });
    const words = [[rising, "rising"], [unchanged, "unchanged"], [falling, "falling"]];
    const label = words.map(([count, word]) => `${this.#numbers.count(count)} ${word}`).join(", ");
    setAttribute(this.#element, "aria-label", label);
  }
}
