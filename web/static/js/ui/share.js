/**
 * Taking a view elsewhere: as a file, as a link.
 */

import { csvName, csvOf } from "../store/csv.js";
import { sortName } from "../store/view.js";
import { element } from "./elements.js";

/** Save the list as it stands as a CSV file. */
export function exportCsv({ view, grid, list, clock, stream, toasts, announcer, numbers }) {
  const text = csvOf(view.rows, grid.columns.map(({ key }) => key));
  const name = csvName(list().title, clock.now(), stream.socket.position.version);
  const link = element("a", { download: name });
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 0);
  const exact = element("a", { href: "api/quotes?format=csv", target: "_blank", rel: "noopener" }, "All quotes with their exact decimals");
  const saved = `Saved ${numbers.count(view.rows.length)} rows as ${name}.`;
  announcer.say("export", saved);
  toasts.show(element("span", {}, `${saved} `, exact));
}

/**
 * Copy the address of this view; a list of one's own goes along as its symbols. List and order are named in any case,
 * for who follows the link has usual ones of their own.
 */
export async function copyLink({ prefs, list, view, toasts, announcer }) {
  const { kind, key, symbols } = list();
  const sort = sortName(view.sort);
  const query = prefs.queryWith(kind === "all" ? { list: key, sort } : { list: null, symbols: [...symbols].join(), sort });
  const address = new URL(query === "" ? location.pathname : query, document.baseURI).href;
  try {
    await navigator.clipboard.writeText(address);
    announcer.say("link", "Link copied.");
    toasts.show("Link to this view copied.");
  } catch {
    const field = element("input", { class: "link-field", readonly: "", "aria-label": "Link to this view" });
    field.value = address;
    toasts.show(element("span", {}, "Copy this link: ", field));
    field.select();
  }
}
