/**
 * Sharing a view: as a file or as a link.
 */

import { ask } from "../net/api.js";
import { csvName, csvOf } from "../store/csv.js";
import { token } from "../store/kept.js";
import { sortName } from "../store/view.js";
import { element } from "./elements.js";

/** Save the list as it stands as a CSV file. */
export function exportCsv({ view, grid, listing, clock, stream, toasts, announcer, numbers }) {
  const text = csvOf(view.rows, grid.columns.map(({ key }) => key));
  const name = csvName(listing.list.title, clock.now(), stream.socket.position.version);
  save(new Blob([text], { type: "text/csv;charset=utf-8" }), name);
  const saved = `Saved ${numbers.counted(view.rows.length, "row")} as ${name}.`;
  announcer.say("export", saved);
  toasts.show(element("span", {}, `${saved} `, exactCsv("All quotes with exact decimals")));
}

/** A link to all quotes as the service has them. If there is a token, it is sent in a header, never in the URL. */
export function exactCsv(words) {
  const link = element("a", { href: "api/quotes?format=csv", target: "_blank", rel: "noopener" }, words);
  link.addEventListener("click", async (event) => {
    if (token() === null) return;
    event.preventDefault();
    const response = await ask(link.href, null).catch(() => null);
    if (response?.ok) save(await response.blob(), "quotes.csv");
    else link.textContent = "Download failed. Try again";
  });
  return link;
}

function save(file, name) {
  const link = element("a", { download: name });
  link.href = URL.createObjectURL(file);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // some browsers read it later
}

/**
 * Copy the URL of this view; a list other than All goes as its symbols. List and order are always named, since the
 * recipient may have other defaults.
 */
export async function copyLink({ prefs, listing, view, toasts }) {
  const { key, symbols } = listing.list;
  const sort = sortName(view.sort);
  const query = prefs.queryWith(symbols === null ? { list: key, sort } : { list: null, symbols: [...symbols].join(), sort });
  const address = new URL(query, document.baseURI).href;
  try {
    await navigator.clipboard.writeText(address);
    toasts.say("link", "Link copied.");
  } catch {
    const field = element("input", { class: "link-field", readonly: "", "aria-label": "Link to this view" });
    field.value = address;
    toasts.show(element("span", {}, "Copy this link: ", field));
    field.select();
  }
}
