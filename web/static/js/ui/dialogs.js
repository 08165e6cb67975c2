/**
 * Dialogs, each loaded when it is asked for. The browser's own `<dialog>` keeps the keyboard inside and gives it back.
 *
 * Promises: one at a time; the page's messages can be read, heard and answered while it is open; a dialog that cannot
 * be loaded is an ordinary message. Knows nothing of what is in one.
 */

import { element, icon, load } from "./elements.js";

const MESSAGES = "#toasts, #announcements"; // they go along: nothing outside an open dialog can be reached or heard

export class Dialogs {
  #page;
  #dialog = element("dialog", { "aria-labelledby": "dialog-title" });
  #open = null; // what the open dialog returned

  /** @param {object} page what dialogs may use, see main.js */
  constructor(page) {
    this.#page = page;
    document.body.append(this.#dialog);
    this.#dialog.addEventListener("close", () => {
      if (this.#dialog.open) return; // told with the next frame, it may be open again by then
      this.#open = null;
      document.body.append(...document.querySelectorAll(MESSAGES));
      this.#dialog.replaceChildren();
    });
    // A press beside the dialog is on the dialog's element itself.
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
  }

  /** Close whichever is open. */
  close() {
    this.#dialog.close();
  }

  /**
   * @param {string} name of a module in ui/dialog, which exports `title` and `build(page, close, argument)`
   * @param {unknown} [argument]
   */
  async open(name, argument) {
    const part = await load(`dialog/${name}`, "css/dialogs.css", this.#page);
    if (part !== null) this.#show(part, argument);
  }

  /** Let an open dialog that shows figures show those of now. */
  refresh() {
    this.#open?.refresh?.();
  }

  #show({ title, build }, argument) {
    const close = () => this.close();
    this.#open = build(this.#page, close, argument);
    const button = element("button", { type: "button", class: "icon-button", "aria-label": "Close" });
    button.append(icon("icon-clear", "icon"));
    button.addEventListener("click", close);
    const head = element("header", {}, element("h2", { id: "dialog-title" }, title), button);
    const body = element("div", { class: "dialog-body" }, ...this.#open.body);
    if (body.querySelector("a, button, input, select") === null) body.tabIndex = 0; // so that keys scroll it
    this.#dialog.replaceChildren(head, body, ...document.querySelectorAll(MESSAGES));
    if (this.#dialog.open) (body.querySelector("[autofocus]") ?? button).focus();
    else this.#dialog.showModal();
    document.activeElement.select?.(); // what is typed takes the place of what is there, not one beside it
  }
}
