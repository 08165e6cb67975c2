/**
 * The lists to choose from, each with its count; those of one's own can be renamed, moved and deleted where they stand.
 *
 * Promises: a tab keeps its element while its list lives. Knows nothing of what is in a list.
 */

import { element, icon, setAttribute, setText, star } from "./elements.js";

export class Tabs {
  /** Told the key of the list that was chosen. */
  onChoose = () => {};
  /** Told that a new list is wanted. */
  onNew = () => {};
  /** Told a list and its new title. */
  onRename = () => {};
  /** Told a list and -1 or 1. */
  onMove = () => {};
  /** Told the list to delete. */
  onDelete = () => {};
  /** Told to keep the list that came by address. */
  onSave = () => {};
  /** Told the list whose menu is wanted, and the button that asked. */
  onMenu = () => {};

  #nav;
  #tabs = new Map(); // list -> {item, button, title, count}
  #current = null;
  #room = new ResizeObserver(() => this.#reveal()); // counts and what stands beside the lists come later than they
  #more = element("button", { class: "icon-button tab-more", type: "button", "aria-haspopup": "menu" });
  #save = element("button", { class: "plain-button tab-save", type: "button" }, "Save");
  #new = element("button", { class: "icon-button tab-new", type: "button", "aria-label": "New list" });

  /** @param {HTMLElement} nav */
  constructor(nav) {
    this.#nav = nav;
    this.#more.append(icon("icon-more", "icon"));
    this.#new.append(icon("icon-plus", "icon"));
    this.#new.title = "New list";
    this.#more.addEventListener("click", () => this.onMenu(this.#current, this.#more));
    this.#save.addEventListener("click", () => this.onSave());
    this.#new.addEventListener("click", () => this.onNew());
    // A mouse's wheel turns one way only.
    this.#room.observe(nav);
    nav.addEventListener("wheel", ({ deltaX, deltaY }) => { if (deltaX === 0) nav.scrollLeft += deltaY; }, { passive: true });
  }

  /** @param {import("../store/lists.js").List[]} lists @param {import("../store/lists.js").List} current */
  show(lists, current) {
    const focused = document.activeElement;
    const tabs = new Map();
    const parts = [];
    for (const list of lists) {
      const known = this.#tabs.get(list) ?? this.#newTab(list);
      tabs.set(list, known);
      setText(known.title, list.title);
      setAttribute(known.button, "aria-current", list.key === current.key ? "true" : null);
      parts.push(known.button);
      if (list.key !== current.key) continue;
      if (list.kind === "own") parts.push(this.#more);
      if (list.kind === "shared") parts.push(this.#save);
    }
    const moved = this.#current?.key !== current.key;
    this.#tabs = tabs;
    this.#current = current;
    setAttribute(this.#more, "aria-label", `Change list ${current.title}`);
    this.#place([...parts, this.#new]);
    if (focused instanceof HTMLElement && focused.isConnected && this.#nav.contains(focused)) focused.focus();
    if (moved) this.#reveal();
  }

  #reveal() {
    this.#tabs.get(this.#current)?.button.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** @param {string} key @param {string} text formatted */
  showCount(key, text) {
    for (const [list, { count }] of this.#tabs) if (list.key === key) setText(count, text);
  }

  /** Let the title of a list be typed. */
  rename(list) {
    const { button } = this.#tabs.get(list);
    const input = element("input", { class: "tab-title", "aria-label": "Title of the list", maxlength: "40" });
    input.value = list.title;
    button.hidden = true;
    button.after(input);
    input.focus();
    input.select();
    let done = false;
    const finish = (keep, back) => {
      if (done) return;
      done = true;
      input.remove();
      button.hidden = false;
      if (back) button.focus();
      if (keep) this.onRename(list, input.value);
    };
    input.addEventListener("keydown", (event) => {
      if ((event.key === "Enter" || event.key === "Escape") && !event.isComposing) {
        event.preventDefault();
        finish(event.key === "Enter", true);
      }
    });
    input.addEventListener("blur", () => finish(true, false));
  }

  /** Move the keyboard to the tab of a list. */
  focus(list) {
    this.#tabs.get(list)?.button.focus();
  }

  #newTab(list) {
    const tab = { list, title: element("span", {}, ""), count: element("span", { class: "count" }, "") };
    tab.button = element("button", { class: "tab", type: "button" }, tab.title, tab.count);
    this.#room.observe(tab.button);
    if (list.kind === "favourites") tab.button.prepend(star());
    tab.button.addEventListener("click", () => this.onChoose(tab.list.key));
    if (list.kind === "own") {
      tab.button.addEventListener("dblclick", () => this.rename(tab.list));
      tab.button.addEventListener("keydown", (event) => this.#key(event, tab));
      tab.button.title = "F2 renames, Alt+← and Alt+→ move, Delete deletes";
    }
    return tab;
  }

  #key(event, { list }) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.altKey && step !== undefined) this.onMove(list, step);
    else if (event.key === "F2") this.rename(list);
    else if (event.key === "Delete") this.onDelete(list);
    else return;
    event.preventDefault();
  }

  // Only what stands elsewhere is moved, so that the keyboard's place is not lost for nothing.
  #place(parts) {
    const kept = new Set(parts);
    for (const child of [...this.#nav.children]) if (!kept.has(child) && child.tagName !== "INPUT") child.remove();
    let before = null;
    for (const part of parts) {
      const next = before === null ? this.#nav.firstElementChild : before.nextElementSibling;
      if (next !== part && !(next?.tagName === "INPUT" && next.nextElementSibling === part)) {
        if (before === null) this.#nav.prepend(part);
        else before.after(part);
      }
      before = part;
    }
  }
}
