/**
 * A list as CSV: columns and order as on the screen, numbers unformatted. Pure.
 *
 * Promises: nothing in it is a formula to a spreadsheet; a number has at most 15 significant digits, which is as exact
 * as this page knows it.
 */

const DIGITS = 15;

const price = (field) => ({ name: field, of: (quote) => plain(quote[field], quote.decimals) });
const number = (field) => ({ name: field, of: (quote) => plain(quote[field]) });
const text = (field) => ({ name: field, of: (quote) => words(quote[field]) });
const time = { name: "ts", of: ({ ts }) => (ts === null ? "" : new Date(ts).toISOString()) };

/** What each column of the screen is in a file. */
const FILE_COLUMNS = {
  star: [],
  symbol: [text("symbol"), text("name")],
  last: [{ name: "last", of: (quote) => plain(quote.price, quote.decimals) }],
  change: [number("change_pct")],
  trend: [],
  range: [price("low"), price("high")],
  bid: [price("bid")],
  ask: [price("ask")],
  spread: [{ name: "spread_bp", of: (quote) => plain(quote.spreadBp === null ? null : Number(quote.spreadBp.toFixed(4))) }],
  volume: [number("quote_volume")],
  age: [{ name: "state", of: (quote) => words(quote.unlisted ? "not listed" : quote.state) }, time],
  difference: [{ name: "change", of: difference }],
  open: [price("open")],
  high: [price("high")],
  low: [price("low")],
  bidsize: [number("bid_size")],
  asksize: [number("ask_size")],
  source: [text("source")],
  updated: [time],
};

/** @param {import("./quote.js").Quote[]} quotes @param {string[]} keys of columns, as on the screen */
export function csvOf(quotes, keys) {
  const columns = new Map(); // by name: what two columns of the screen share is written once
  for (const key of keys) for (const column of FILE_COLUMNS[key]) columns.set(column.name, column);
  const lines = [[...columns.keys()].join()];
  for (const quote of quotes) lines.push(Array.from(columns.values(), ({ of }) => of(quote)).join());
  return `${lines.join("\r\n")}\r\n`;
}

/** ticker-majors-20261125T143207Z-4711.csv */
export function csvName(title, nowMs, version) {
  const list = title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "list";
  const at = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "");
  return `ticker-${list}-${at}-${version ?? 0}.csv`;
}

/** A number as plain decimal text, padded to `decimals` where those are known. */
function plain(value, decimals = null) {
  if (value === null) return "";
  const rounded = Number(value.toPrecision(DIGITS));
  const [digits, exponent = "0"] = String(Math.abs(rounded)).split("e");
  const sign = rounded < 0 ? "-" : "";
  let [whole, part = ""] = digits.split(".");
  const shift = Number(exponent);
  if (shift < 0) {
    part = whole.padStart(-shift, "0") + part; // before an exponent there is one digit
    whole = "0";
  } else if (shift > 0) {
    whole += part.slice(0, shift).padEnd(shift, "0");
    part = part.slice(shift);
  }
  const padded = decimals === null ? part : part.padEnd(decimals, "0");
  return `${sign}${whole}${padded === "" ? "" : `.${padded}`}`;
}

function words(text) {
  if (text === null) return "";
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

// A difference of two prices has no more decimals than they have.
function difference({ difference: moved, decimals }) {
  return plain(moved === null || decimals === null ? moved : Number(moved.toFixed(decimals)), decimals);
}
