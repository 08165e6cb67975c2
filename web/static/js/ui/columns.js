/**
 * The columns that the grid can have. `key` is also what a column sorts by (store/view.js) and its name in addresses.
 */

import {
  ageCell, changeCell, differenceCell, lastCell, priceCell, rangeCell, sizeCell, sourceCell, spreadCell, starCell,
  symbolCell, trendCell, updatedCell, volumeCell,
} from "./cells.js";

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} title
 * @property {(surroundings: import("./cells.js").Surroundings) => object} cell makes a cell, see cells.js
 * @property {number} width its usual width in pixels, and its share of what is left over
 * @property {number} [least] width below which it is not useful; else `width`
 * @property {number} [rank] where room is scarce the lowest goes first; without one it never goes
 * @property {boolean} [number] right-aligned
 * @property {boolean} [fixed] not sortable
 * @property {string} [hint] what the title leaves unsaid
 */

/** @type {Column[]} */
export const COLUMNS = [
  { key: "star", title: "", cell: starCell, fixed: true, width: 42 },
  { key: "symbol", title: "Symbol", cell: symbolCell, width: 190, least: 112 },
  { key: "last", title: "Last", cell: lastCell, number: true, width: 116, least: 112 },
  { key: "change", title: "24 h", cell: changeCell, number: true, width: 84, rank: 16, hint: "Change over 24 hours" },
  { key: "trend", title: "1 h trend", cell: trendCell, width: 115, least: 70, rank: 13 },
  { key: "range", title: "24 h range", cell: rangeCell, width: 111, rank: 4,
    hint: "Low to high; thin mark: open, thick mark: last" },
  { key: "bid", title: "Bid", cell: priceCell("bid"), number: true, width: 96, least: 88, rank: 12 },
  { key: "ask", title: "Ask", cell: priceCell("ask"), number: true, width: 96, least: 88, rank: 11 },
  { key: "spread", title: "Spread", cell: spreadCell, number: true, width: 56, rank: 5, hint: "In basis points" },
  { key: "volume", title: "Volume", cell: volumeCell, number: true, width: 78, least: 70, rank: 14,
    hint: "24 hours, in quote currency" },
  { key: "age", title: "Age", cell: ageCell, number: true, width: 60, least: 56, rank: 15,
    hint: "Time since the price was made" },
  { key: "difference", title: "Change", cell: differenceCell, number: true, width: 96, rank: 10,
    hint: "Over 24 hours, in quote currency" },
  { key: "open", title: "Open", cell: priceCell("open"), number: true, width: 92, rank: 9, hint: "24 hours ago" },
  { key: "high", title: "High", cell: priceCell("high"), number: true, width: 92, rank: 8, hint: "Over 24 hours" },
  { key: "low", title: "Low", cell: priceCell("low"), number: true, width: 92, rank: 7, hint: "Over 24 hours" },
  { key: "bidsize", title: "Bid size", cell: sizeCell("bid_size"), number: true, width: 78, rank: 2,
    hint: "At the best bid, in base currency" },
  { key: "asksize", title: "Ask size", cell: sizeCell("ask_size"), number: true, width: 78, rank: 1,
    hint: "At the best ask, in base currency" },
  { key: "source", title: "Source", cell: sourceCell, width: 86, rank: 6, hint: "Whose price it is now" },
  { key: "updated", title: "Updated", cell: updatedCell, number: true, width: 92, rank: 3,
    hint: "When the price was made" },
];

const ALWAYS = ["star", "symbol", "last"];
const DEFAULT = ["change", "trend", "range", "bid", "ask", "spread", "volume", "age"];
const ON_PHONES = ["star", "symbol", "trend", "last", "change", "age"]; // where css/mobile.css gives them places

const byKey = new Map(COLUMNS.map((column) => [column.key, column]));

/** The columns that can be left away. */
export const OPTIONAL = COLUMNS.filter(({ key }) => !ALWAYS.includes(key));

/** The column with this key, if there is one. */
export const columnOf = (key) => byKey.get(key);

/** The columns that a `cols` choice means: keys in order, separated by commas; empty for the usual ones. */
export function chosenColumns(choice) {
  const keys = choice.split(",").filter((key) => byKey.has(key) && !ALWAYS.includes(key));
  const wanted = choice === "" || keys.length === 0 ? DEFAULT : new Set(keys);
  return [...ALWAYS, ...wanted].map((key) => byKey.get(key));
}

/** The `cols` choice that means these optional columns. @param {string[]} keys */
export function choiceOf(keys) {
  return keys.join() === DEFAULT.join() ? "" : keys.join();
}

/** Those of the columns that have room in so many pixels, the least useful ones left away. */
export function fitting(columns, widthPx, onPhone) {
  if (onPhone) return ON_PHONES.map((key) => byKey.get(key));
  let total = columns.reduce((sum, { width, least = width }) => sum + least, 0);
  const dropped = new Set();
  for (const column of columns.filter(({ rank }) => rank !== undefined).sort((a, b) => a.rank - b.rank)) {
    if (total <= widthPx) break;
    total -= column.least ?? column.width;
    dropped.add(column);
  }
  return columns.filter((column) => !dropped.has(column));
}

/** What CSS calls the widths of these columns. */
export function template(columns) {
  const tracks = columns.map(({ key, width, least = width }) =>
    key === "star" ? `${width}px` : `minmax(${least}px, ${width}fr)`);
  return tracks.join(" ");
}
