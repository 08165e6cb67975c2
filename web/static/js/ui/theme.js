/**
 * Puts the chosen theme, direction palette and density on the page. Dark and light follow the system by themselves, in CSS.
 */

const NAMES = { auto: "as the system", dark: "dark", light: "light", contrast: "high contrast" };

export class Theme {
  #root;
  #button;
  #prefs;
  #moreContrast = matchMedia("(prefers-contrast: more)");
  /** The colours of the browser's own bar, where it takes one: as the system, until a theme is chosen. */
  #bars = Array.from(document.querySelectorAll("[name=theme-color]"), (meta) => [meta, meta.content]);

  /**
   * @param {HTMLElement} root
   * @param {HTMLElement} button
   * @param {import("../store/prefs.js").Prefs} prefs
   */
  constructor(root, button, prefs) {
    this.#root = root;
    this.#button = button;
    this.#prefs = prefs;
    this.#moreContrast.addEventListener("change", () => this.apply());
  }

  apply() {
    const theme = this.#prefs.get("theme");
    const shown = theme === "auto" && this.#moreContrast.matches ? "contrast" : theme;
    this.#root.dataset.theme = shown;
    this.#root.dataset.updown = this.#prefs.get("updown");
    this.#root.dataset.density = this.#prefs.get("density");
    const chosen = shown === "auto" ? null : getComputedStyle(document.querySelector(".header")).backgroundColor;
    for (const [meta, usual] of this.#bars) meta.content = chosen ?? usual;
    this.#button.setAttribute("aria-label", `Theme: ${NAMES[theme]}`);
    this.#button.title = `Theme: ${NAMES[theme]} (T)`;
  }

  /** The next theme; returns its name. */
  cycle() {
    return NAMES[this.#prefs.cycle("theme")];
  }
}
