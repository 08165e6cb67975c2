/**
 * The tabs of the lists, each with its count; the user's own can be renamed, moved and deleted in place.
 *
 * Promises: a tab keeps its element while its list lives. Knows nothing of what is in a list.
 */

import { button, element, icon, setAttribute, setText, star } from "./elements.js";

export class Tabs {
  #nav;
  #page;
  #tabs = new Map(); // list -> {item, button, title, count}
  #current = null;
  #room = new ResizeObserver(() => this.#reveal()); // counts, and what stands beside the tabs, come later
  #more;
  #save;
  #new;

  /** @param {HTMLElement} nav @param {object} page see main.js */
  constructor(nav, page) {
    this.#nav = nav;
    this.#page = page;
    const openMenu = () => page.actions.openListMenu(this.#current, this.#more);
    this.#more = button({ class: "icon-button tab-more", "aria-haspopup": "menu" }, openMenu, icon("icon-more"));
    this.#save = button({ class: "plain-button tab-save" }, () => page.listing.save(), "Save");
    const labels = { "aria-label": "New list", title: "New list" };
    this.#new = button({ class: "icon-button tab-new", ...labels }, () => page.listing.create(), icon("icon-plus"));
    this.#room.observe(nav);
    // A mouse wheel turns only one way.
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

  /** Scroll to the chosen tab and the button that belongs to it. */
  #reveal() {
    for (const part of [this.#more, this.#save, this.#tabs.get(this.#current)?.button]) {
      if (part?.isConnected) part.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  /** @param {string} key @param {string} text formatted */
  showCount(key, text) {
    for (const [list, { count }] of this.#tabs) if (list.key === key) setText(count, text);
  }

  /** Let the user type a list's title. */
  rename(list) {
    const { button: tab } = this.#tabs.get(list);
    const input = element("input", { class: "tab-title", "aria-label": "List name", maxlength: "40" });
    input.value = list.title;
    tab.hidden = true;
    tab.after(input);
    input.focus();
    input.select();
    let done = false;
    const finish = (keep, back) => {
      if (done) return;
      done = true;
      input.remove();
      tab.hidden = false;
      if (back) tab.focus();
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

  /** Focus the tab of a list. */
  focus(list) {
    this.#tabs.get(list)?.button.focus();
  }

  #newTab(list) {
    const tab = { title: element("span"), count: element("span", { class: "count" }) };
    tab.button = button({ class: "tab" }, () => this.#page.listing.choose(list.key), tab.title, tab.count);
    this.#room.observe(tab.button);
    if (list.kind === "favourites") tab.button.prepend(star());
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

  // Only what has another place is moved, so that neither the focus nor a title being typed is lost.
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
