/**
 * The columns of the grid, in order. `key` is also what a column sorts by, see store/view.js.
 */

import {
  ageCell, changeCell, lastCell, priceCell, rangeCell, spreadCell, starCell, symbolCell, trendCell, volumeCell,
} from "./cells.js";

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} title
 * @property {(surroundings: import("./cells.js").Surroundings) => object} cell makes a cell, see cells.js
 * @property {boolean} [number] right-aligned
 * @property {boolean} [fixed] not sortable
 * @property {string} [hint] what the title leaves unsaid
 */

/** @type {Column[]} */
export const COLUMNS = [
  { key: "star", title: "", cell: starCell, fixed: true },
  { key: "symbol", title: "Symbol", cell: symbolCell },
  { key: "last", title: "Last", cell: lastCell, number: true },
  { key: "change", title: "24 h", cell: changeCell, number: true, hint: "Change over 24 hours" },
  { key: "trend", title: "1 h trend", cell: trendCell },
  { key: "range", title: "24 h range", cell: rangeCell, hint: "Low to high; thin mark: open, thick mark: last" },
  { key: "bid", title: "Bid", cell: priceCell("bid"), number: true },
  { key: "ask", title: "Ask", cell: priceCell("ask"), number: true },
  { key: "spread", title: "Spread", cell: spreadCell, number: true, hint: "In basis points" },
  { key: "volume", title: "Volume", cell: volumeCell, number: true, hint: "24 hours, in quote currency" },
  { key: "age", title: "Age", cell: ageCell, number: true, hint: "Time since the price was made" },
];
