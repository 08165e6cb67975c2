/**
 * How each kind of cell is built and painted.
 *
 * A cell is `{element, paint(quote, state), paintSlowly?(quote, state)}`: `paint` after every change, `paintSlowly`
 * also twice a second for what changes by itself or costs more. Promises: a cell whose inputs are the same as last
 * time touches nothing.
 */

import { MISSING, direction } from "../fmt/number.js";
import { age } from "../fmt/time.js";
import { element, setAttribute, setText, star, svg } from "./elements.js";
import { HEIGHT, WIDTH, sparkPaths } from "./spark.js";

const TINT_LEVELS = 8;
const TINT_LEVELS_PER_PERCENT = 1.4;
const SURE_LENGTH = 10; // of a price that no column has to cut
/** By direction: what is shown of it. */
export const ARROWS = new Map([[1, "▲"], [0, ""], [-1, "▼"]]);
export const CLASSES = new Map([[1, "up"], [0, ""], [-1, "down"]]);
/** By state: what stands in the place of an age. */
export const FIXED_AGES = { halted: "halt", closed: "closed", gone: "gone", unlisted: "" };
const BELL = "M7 1.6a3.7 3.7 0 0 0-3.7 3.7v2.4L2.1 9.9h9.8l-1.2-2.2V5.3A3.7 3.7 0 0 0 7 1.6zM5.7 11.6a1.4 1.4 0 0 0 2.6 0";

/**
 * What cells need to know.
 * @typedef {object} Surroundings
 * @property {import("../fmt/number.js").Numbers} numbers
 * @property {import("../store/stale.js").Freshness} freshness
 * @property {import("../store/lists.js").Lists} lists
 * @property {import("../store/alerts.js").Alerts} alerts
 * @property {import("../store/view.js").View} view
 * @property {import("../fmt/time.js").Times} times
 * @property {import("../net/clock.js").ServerClock} clock
 */

export function starCell({ lists }) {
  const button = element("button", { type: "button", tabindex: "-1", "data-action": "star" }, star());
  const changed = memory();
  return {
    element: element("div", {}, button),
    paint({ instrument }) {
      const pressed = lists.isFavourite(instrument);
      if (!changed(instrument, pressed)) return;
      setAttribute(button, "aria-label", `Favourite ${instrument}`);
      setAttribute(button, "aria-pressed", String(pressed));
    },
  };
}

export function symbolCell({ alerts, view }) {
  const base = element("span", { class: "base" }, "");
  const rest = element("span", { class: "rest" }, "");
  const name = element("bdi", { class: "name" }, "");
  const bell = svg("svg", { class: "bell", viewBox: "0 0 14 14", "aria-hidden": "true" }, svg("path", { d: BELL }));
  const action = element("button", { type: "button", tabindex: "-1", class: "row-action" }, "");
  const changed = memory();
  return {
    element: element("div", {}, base, rest, name, bell, action),
    paint(quote, state) {
      const offer = state === "unlisted" ? "remove" : view.isOutside(quote) ? "add" : null;
      const watched = alerts.has(quote.instrument);
      const venue = view.feed === "" ? quote.venue : ""; // else all rows are of that one
      if (!changed(quote, quote.name, venue, offer, watched)) return;
      setText(base, quote.parts[0]);
      setText(rest, quote.parts[1]);
      const about = state === "unlisted" ? `${venue} · not listed here` : [venue, quote.name].filter(Boolean).join(" · ");
      setText(name, about.trim());
      bell.style.display = watched ? "" : "none";
      action.hidden = offer === null;
      if (offer === null) return;
      action.dataset.action = offer;
      setText(action, offer === "add" ? "Add" : "Remove");
      setAttribute(action, "aria-label", `${offer === "add" ? "Add" : "Remove"} ${quote.instrument}`);
    },
  };
}

export function lastCell({ numbers }) {
  const arrow = element("span", { class: "arrow", "aria-hidden": "true" }, "");
  const mid = element("span", { class: "mid" }, "");
  const value = element("span", { class: "value" }, "");
  const changed = memory();
  return {
    element: element("div", { class: "number" }, mid, arrow, value),
    paint(quote) {
      const { price, decimals, tick, isMid } = quote;
      if (!changed(price, decimals, tick, isMid)) return;
      setText(mid, isMid ? "mid" : "");
      setText(arrow, isMid ? "" : ARROWS.get(tick));
      arrow.className = `arrow ${CLASSES.get(tick)}`;
      paintPrice(value, numbers, price, decimals);
    },
  };
}

export function priceCell(side) {
  return ({ numbers }) => {
    const cell = element("div", { class: "number plain" }, "");
    const changed = memory();
    return {
      element: cell,
      paint(quote) {
        if (changed(quote[side], quote.decimals)) paintPrice(cell, numbers, quote[side], quote.decimals);
      },
    };
  };
}

function paintPrice(node, numbers, price, decimals) {
  const text = numbers.price(price, decimals);
  const full = numbers.fullPrice(price, decimals);
  setText(node, text);
  setAttribute(node, "title", text === full && text.length <= SURE_LENGTH ? null : full);
}

export function changeCell({ numbers }) {
  const pill = element("span", { class: "pill" }, "");
  const changed = memory();
  return {
    element: element("div", { class: "number" }, pill),
    paint({ change_pct: change }) {
      if (!changed(change)) return;
      setText(pill, numbers.percent(change));
      pill.className = `pill ${CLASSES.get(direction(change))}`;
      pill.style.setProperty("--tint", tintLevel(change));
    },
  };
}

function tintLevel(change) {
  if (direction(change) === 0) return 0;
  return Math.min(TINT_LEVELS, Math.round(Math.abs(change) * TINT_LEVELS_PER_PERCENT));
}

export function trendCell({ clock }) {
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  const frame = { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  const drawing = svg("svg", { ...frame, "aria-hidden": "true" }, area, line);
  const changed = memory();
  return {
    element: element("div", {}, drawing),
    paint() {},
    paintSlowly({ trend }) {
      trend.advance(clock.now());
      if (!changed(trend, trend.revision)) return;
      const paths = sparkPaths(trend.points());
      setAttribute(line, "d", paths.line);
      setAttribute(area, "d", paths.area);
      const way = CLASSES.get(Math.sign(trend.change() ?? 0));
      setAttribute(drawing, "class", `spark ${way}`);
    },
  };
}

export function rangeCell({ numbers }) {
  const covered = element("i", { class: "covered" });
  const open = element("i", { class: "open" });
  const marker = element("i", { class: "marker" });
  const track = element("div", { class: "range" }, covered, open, marker);
  const changed = memory();
  return {
    element: element("div", {}, track),
    paint(quote) {
      const place = permille(quote.placeInRange(quote.price));
      const openPlace = permille(quote.placeInRange(quote.open));
      const { low, high, decimals } = quote;
      if (!changed(place, openPlace, low, high, decimals)) return;
      track.hidden = place === null;
      if (place === null) return;
      covered.style.transform = `scaleX(${place / 1000})`;
      marker.style.transform = `translateX(${place / 10}%)`;
      open.hidden = openPlace === null;
      open.style.transform = `translateX(${openPlace / 10}%)`;
      track.title = `${numbers.fullPrice(low, decimals)} – ${numbers.fullPrice(high, decimals)}`;
    },
  };
}

// The track is a hundred pixels wide: finer steps would be painted for nothing.
function permille(share) {
  return share === null ? null : Math.round(share * 200) * 5;
}

export function spreadCell({ numbers }) {
  return numberCell((quote) => quote.spreadBp, (value) => numbers.basisPoints(value));
}

export function volumeCell({ numbers }) {
  return numberCell((quote) => quote.quote_volume, (value) => numbers.volume(value));
}

export function sizeCell(field) {
  return ({ numbers }) => numberCell((quote) => quote[field], (value) => numbers.volume(value));
}

export function differenceCell({ numbers }) {
  const cell = element("div", { class: "number plain" }, "");
  const changed = memory();
  return {
    element: cell,
    paint(quote) {
      const { difference, decimals } = quote;
      if (changed(difference, decimals)) setText(cell, numbers.difference(difference, decimals));
    },
  };
}

export function sourceCell() {
  const cell = element("div", {}, "");
  return {
    element: cell,
    paint({ source }) {
      setText(cell, source ?? MISSING);
    },
  };
}

export function updatedCell({ times }) {
  return numberCell((quote) => quote.ts, (value) => (value === null ? MISSING : times.clock(value)));
}

function numberCell(valueOf, format) {
  const cell = element("div", { class: "number plain" }, "");
  const changed = memory();
  return {
    element: cell,
    paint(quote) {
      const value = valueOf(quote);
      if (changed(value)) setText(cell, format(value));
    },
  };
}

export function ageCell({ freshness }) {
  const cell = element("div", { class: "number" }, "");
  const paint = (quote, state) => {
    const silent = state === "live" && !freshness.isAgeing(quote);
    setText(cell, silent ? "" : (FIXED_AGES[state] ?? age(freshness.ageMs(quote))));
  };
  return { element: cell, paint, paintSlowly: paint };
}

/** What a cell says, without its arrow; symbol and name are two cells of a spreadsheet. */
export function cellText({ dataset, textContent, children: [base, rest, name] }) {
  if (dataset.column === "symbol") return `${base.textContent}${rest.textContent}\t${name.textContent}`;
  return textContent.replace(/^mid|[▲▼]/, "");
}

/** What a screen reader says of a row. */
export function rowLabel(quote, state, { numbers, freshness }) {
  const change = quote.change_pct;
  const words = [quote.venue === "" ? quote.instrument : `${quote.instrument} at ${quote.venue}`];
  if (state === "unlisted") return `${words[0]}, not listed here`;
  if (quote.name !== null) words.push(quote.name);
  words.push(quote.price === null ? "no price" : numbers.fullPrice(quote.price, quote.decimals));
  if (quote.isMid) words.push("mid price");
  if (change !== null) {
    const way = ["down ", "unchanged", "up "][direction(change) + 1];
    const size = direction(change) === 0 ? "" : `${numbers.percent(Math.abs(change)).slice(1, -1)} percent`;
    words.push(`${way}${size} in 24 hours`);
  }
  if (state === "stale" || state === "down") words.push(`no data for ${age(freshness.ageMs(quote))}`);
  else if (state !== "live") words.push(state);
  return words.join(", ");
}

/** A function that says whether its arguments differ from those of its last call. */
function memory() {
  let last = [MISSING];
  return (...now) => {
    if (now.length === last.length && now.every((value, i) => value === last[i])) return false;
    last = now;
    return true;
  };
}
