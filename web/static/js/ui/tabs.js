/**
 * The lists to choose from, each with its count; those of one's own can be renamed, moved and deleted where they stand.
 *
 * Promises: a tab keeps its element while its list lives. Knows nothing of what is in a list.
 */

import { element, icon, setAttribute, setText, star } from "./elements.js";

export class Tabs {
  #nav;
  #page;
  #tabs = new Map(); // list -> {item, button, title, count}
  #current = null;
  #room = new ResizeObserver(() => this.#reveal()); // counts and what stands beside the lists come later than they
  #more = element("button", { class: "icon-button tab-more", type: "button", "aria-haspopup": "menu" });
  #save = element("button", { class: "plain-button tab-save", type: "button" }, "Save");
  #new = element("button", { class: "icon-button tab-new", type: "button", "aria-label": "New list" });

  /** @param {HTMLElement} nav @param {object} page see main.js */
  constructor(nav, page) {
    this.#nav = nav;
    this.#page = page;
    this.#more.append(icon("icon-more", "icon"));
    this.#new.append(icon("icon-plus", "icon"));
    this.#new.title = "New list";
    this.#more.addEventListener("click", () => page.actions.openListMenu(this.#current, this.#more));
    this.#save.addEventListener("click", () => page.listing.save());
    this.#new.addEventListener("click", () => page.listing.create());
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
    setAttribute(this.#more, "aria-label", `Options for ${current.title}`);
    this.#place([...parts, this.#new]);
    if (focused instanceof HTMLElement && focused.isConnected && this.#nav.contains(focused)) focused.focus();
    if (moved) this.#reveal();
  }

  /** The chosen tab, with the button that belongs to it. */
  #reveal() {
    for (const part of [this.#more, this.#save, this.#tabs.get(this.#current)?.button]) {
      if (part?.isConnected) part.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  /** @param {string} key @param {string} text formatted */
  showCount(key, text) {
    for (const [list, { count }] of this.#tabs) if (list.key === key) setText(count, text);
  }

  /** Let the title of a list be typed. */
  rename(list) {
    const { button } = this.#tabs.get(list);
    const input = element("input", { class: "tab-title", "aria-label": "List name", maxlength: "40" });
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
      if (keep) this.#page.listing.rename(list, input.value);
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
    const tab = { title: element("span", {}, ""), count: element("span", { class: "count" }, "") };
    tab.button = element("button", { class: "tab", type: "button" }, tab.title, tab.count);
    this.#room.observe(tab.button);
    if (list.kind === "favourites") tab.button.prepend(star());
    tab.button.addEventListener("click", () => this.#page.listing.choose(list.key));
    if (list.kind === "own") {
      tab.button.addEventListener("dblclick", () => this.rename(list));
      tab.button.addEventListener("keydown", (event) => this.#key(event, list));
      tab.button.title = "F2 to rename, Alt+← or Alt+→ to move, Delete to delete";
    }
    return tab;
  }

  #key(event, list) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.altKey && step !== undefined) this.#page.listing.move(list, step);
    else if (event.key === "F2") this.rename(list);
    else if (event.key === "Delete") this.#page.listing.remove(list);
    else return;
    event.preventDefault();
  }

  // Only what stands elsewhere is moved, so that the keyboard's place is not lost for nothing; nor is what is typed.
  #place(parts) {
    const kept = (child) => parts.includes(child) || child.tagName === "INPUT";
    for (const child of [...this.#nav.children]) if (!kept(child)) child.remove();
    let next = this.#nav.firstElementChild;
    for (const part of parts) {
      if (next?.tagName === "INPUT") next = next.nextElementSibling;
      if (next === part) next = next.nextElementSibling;
      else this.#nav.insertBefore(part, next);
    }
  }
}
