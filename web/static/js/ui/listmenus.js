/**
 * The menus of a list's tab and of a row, loaded when the first one opens.
 */

import { nameIn } from "../store/choices.js";
import { openMenu } from "./menu.js";

/** @param {object} page see main.js @param {import("../store/choices.js").List} list @param {HTMLElement} button */
export function openListMenu({ lists, listing, tabs }, list, button) {
  const { left, bottom } = button.getBoundingClientRect();
  const items = [{ label: "Rename", run: () => tabs.rename(list) }];
  if (list !== lists.own.at(0)) items.push({ label: "Move left", run: () => listing.move(list, -1) });
  if (list !== lists.own.at(-1)) items.push({ label: "Move right", run: () => listing.move(list, 1) });
  items.push({ label: "Delete", run: () => listing.remove(list) });
  openMenu({ x: left, y: bottom + 4 }, items, list.title);
}

/** @param {object} page @param {import("../store/quote.js").Quote} quote @param {{x: number, y: number}} place */
export function openRowMenu(page, quote, place) {
  const { lists, listing, dialogs, open } = page;
  const { instrument } = quote;
  const items = [{ label: "Add alert…", run: () => dialogs.open("alerts", quote) }];
  if (!quote.unlisted) items.unshift({ label: "Open details", run: () => open(quote) });
  for (const list of [lists.favourites, ...lists.own]) {
    const name = nameIn(list, quote);
    items.push({ label: list.title, checked: list.symbols.has(name), run: () => listing.toggle(list, name) });
  }
  items.push({ label: `New list with ${instrument}`, run: () => listing.create([instrument]) });
  openMenu(place, items, instrument);
}
