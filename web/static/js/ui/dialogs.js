/**
 * What shows dialogs: the browser's own `<dialog>`, which traps the focus and gives it back.
 *
 * Promises: one at a time; the page's messages can be read, heard and answered while it is open.
 */

import { button, element, icon } from "./elements.js";

const MESSAGES = "#toasts, #announcements"; // they move along: nothing outside an open dialog can be reached or heard

export class Frame {
  #page;
  #dialog = element("dialog", { "aria-labelledby": "dialog-title" });
  #open = null; // what the open dialog returned

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
    document.body.append(this.#dialog);
    this.#dialog.addEventListener("close", () => {
      if (this.#dialog.open) return; // the event comes with the next frame: it may be open again by then
      this.#open = null;
      document.body.append(...document.querySelectorAll(MESSAGES));
      this.#dialog.replaceChildren();
    });
    // A click beside the dialog has the dialog's element itself as its target.
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.close());
  }

  close() {
    this.#dialog.close();
  }

  refresh() {
    this.#open?.refresh?.();
  }

  /** @param {{title: string, build: Function}} part a module of ui/dialog */
  show({ title, build }, argument) {
    const close = () => this.close();
    this.#open = build(this.#page, close, argument);
    const closer = button({ class: "icon-button", "aria-label": "Close" }, close, icon("icon-clear"));
    const head = element("header", {}, element("h2", { id: "dialog-title" }, title), closer);
    const body = element("div", { class: "dialog-body" }, ...this.#open.body);
    if (body.querySelector("a, button, input, select") === null) body.tabIndex = 0; // so that keys scroll it
    this.#dialog.replaceChildren(head, body, ...document.querySelectorAll(MESSAGES));
    if (this.#dialog.open) (body.querySelector("[autofocus]") ?? closer).focus();
    else this.#dialog.showModal();
    document.activeElement.select?.(); // typing replaces what is there
  }
}
