/**
 * A menu beside a button or at a place, loaded when the first one is asked for.
 *
 * Promises: arrows move, Enter chooses, Escape and a press elsewhere close it; the focus returns to where it was.
 */

import { button, element } from "./elements.js";

const MARGIN = 8;

/**
 * @param {{x: number, y: number}} place upper left corner, in the window
 * @param {{label: string, checked?: boolean, run: () => void}[]} items
 * @param {string} label what the menu is about
 */
export function openMenu({ x, y }, items, label) {
  const before = document.activeElement;
  const menu = element("div", { class: "menu", role: "menu", "aria-label": label });
  const close = () => {
    const focused = document.activeElement;
    const inside = menu.contains(focused) || focused === document.body; // in Safari a pressed button loses the focus
    removeEventListener("pointerdown", pressed, { capture: true });
    menu.remove();
    if (inside) before.focus({ preventScroll: true });
  };
  const pressed = ({ target }) => menu.contains(target) || close();
  addEventListener("pointerdown", pressed, { capture: true });
  for (const item of items) menu.append(entry(item, close));
  document.body.append(menu);
  menu.addEventListener("keydown", (event) => move(event, menu, close));
  menu.style.left = `${Math.max(MARGIN, Math.min(x, innerWidth - menu.offsetWidth - MARGIN))}px`;
  menu.style.top = `${Math.max(MARGIN, Math.min(y, innerHeight - menu.offsetHeight - MARGIN))}px`;
  menu.firstChild.focus();
}

function entry({ label, checked, run }, close) {
  const role = checked === undefined ? "menuitem" : "menuitemcheckbox";
  const made = button({ role, tabindex: "-1" }, () => {
    close();
    run();
  }, label);
  if (checked !== undefined) made.setAttribute("aria-checked", checked);
  return made;
}

function move(event, menu, close) {
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const goals = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 };
  if (event.key === "Tab" || event.key === "Escape") close();
  else if (event.key in goals) items[goals[event.key] % items.length].focus();
  else return;
  event.preventDefault();
}
