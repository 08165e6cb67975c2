/**
 * How each kind of cell is built and painted.
 *
 * Each is made with the page (see main.js). A cell is `{element, paint(quote, state), paintSlowly?(quote, state)}`:
 * `paint` is called after every change, `paintSlowly` also twice a second, for what changes by itself or costs more.
 * Promises: a cell whose inputs have not changed touches nothing.
 */

import { age, DAY_MS, direction, MISSING } from "../fmt.js";
import { POINTS } from "../store/quote.js";
import { SORT_VALUES } from "../store/view.js";
import { drawing, element, lineThrough, setAttribute, setText, svg } from "./elements.js";

const TINT_LEVELS = 8;
const TINT_LEVELS_PER_PERCENT = 1.4;
const SPARK_WIDTH = POINTS - 1;
const SPARK_HEIGHT = 24;
const SPARK_PADDING = 3;
const SURE_LENGTH = 10; // a price as short as this fits every column
/** By direction: its arrow and its class. */
export const ARROWS = new Map([[1, "▲"], [0, ""], [-1, "▼"]]);
export const CLASSES = new Map([[1, "up"], [0, ""], [-1, "down"]]);
/** By state: what stands in the place of an age. */
export const FIXED_AGES = { halted: "halt", closed: "closed", gone: "gone", unlisted: "" };

export function starCell({ lists }) {
  const toggle = element("button", { type: "button", tabindex: "-1", "data-action": "star" }, drawing("star"));
  const changed = memory();
  return {
    element: element("div", {}, toggle),
    paint({ instrument }) {
      const pressed = lists.favourites.symbols.has(instrument);
      if (!changed(instrument, pressed)) return;
      setAttribute(toggle, "aria-label", `Favourite ${instrument}`);
      setAttribute(toggle, "aria-pressed", String(pressed));
    },
  };
}

export function symbolCell(page) {
  const { view, market } = page;
  const base = element("span", { class: "base" });
  const rest = element("span", { class: "rest" });
  const name = element("bdi", { class: "name" });
  const bell = drawing("bell");
  const action = element("button", { type: "button", tabindex: "-1", class: "row-action" });
  const changed = memory();
  return {
    element: element("div", {}, base, rest, name, bell, action),
    paint(quote, state) {
      const offer = state === "unlisted" ? "remove" : view.isOutside(quote) ? "add" : null;
      const watched = page.alerts?.has(quote.instrument);
      const venue = market.feed === "" ? quote.venue : ""; // else all rows are of the same one
      if (!changed(quote, quote.name, venue, offer, watched)) return;
      setText(base, quote.parts[0]);
      setText(rest, quote.parts[1]);
      const about = state === "unlisted" ? `${venue} · not listed here` : [venue, quote.name].filter(Boolean).join(" · ");
      setText(name, about.trim());
      bell.style.display = watched ? "" : "none";
      action.hidden = offer === null;
      if (offer === null) return;
      const word = offer === "add" ? "Add" : "Remove";
      action.dataset.action = offer;
      setText(action, word);
      setAttribute(action, "aria-label", `${word} ${quote.instrument}`);
    },
  };
}

export function lastCell(page) {
  const arrow = element("span", { class: "arrow", "aria-hidden": "true" });
  const mid = element("span", { class: "mid" });
  const value = element("span", { class: "value" });
  const changed = memory();
  return {
    element: element("div", { class: "number" }, mid, arrow, value),
    paint(quote) {
      const { price, decimals, tick, isMid } = quote;
      if (!changed(price, decimals, tick, isMid)) return;
      setText(mid, isMid ? "mid" : "");
      setText(arrow, isMid ? "" : ARROWS.get(tick));
      arrow.className = `arrow ${CLASSES.get(tick)}`;
      showText(value, ...written.price(price, page, quote));
    },
  };
}

/** A cell of text alone: what its column writes for the value that it sorts by. */
export function plainCell(page, { key, text, write }) {
  const valueOf = SORT_VALUES[key];
  const cell = element("div", { class: text ? "" : "number plain" });
  const changed = memory();
  return {
    element: cell,
    paint(quote) {
      const value = valueOf(quote);
      if (changed(value, quote.decimals)) showText(cell, ...write(value, page, quote));
    },
  };
}

/** Texts as columns write them: short, and in full for a tooltip. */
export const written = {
  price: (value, { numbers }, { decimals }) => [numbers.price(value, decimals), numbers.fixed(value, decimals)],
  difference: (value, { numbers }, { decimals }) => [numbers.difference(value, decimals)],
  spread: (value, { numbers }) => [numbers.basisPoints(value)],
  volume: (value, { numbers }) => [numbers.volume(value)],
  time: (value, { clock, times }) => {
    if (value === null) return [MISSING];
    const full = times.full(value);
    return [clock.now() - value < DAY_MS ? times.clock(value) : full.slice(0, 10), full];
  },
  text: (value) => [value ?? MISSING],
};

function showText(node, text, full = text) {
  setText(node, text);
  setAttribute(node, "title", text === full && text.length <= SURE_LENGTH ? null : full);
}

export function changeCell({ numbers }) {
  const pill = element("span", { class: "pill" });
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

export function trendCell({ clock, numbers }) {
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  const frame = { class: "spark", viewBox: `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`, preserveAspectRatio: "none" };
  const spark = svg("svg", { ...frame, "aria-hidden": "true" }, area, line);
  const cell = element("div", {}, spark);
  const changed = memory();
  return {
    element: cell,
    paint() {},
    paintSlowly({ trend }) {
      trend.advance(clock.now());
      if (!changed(trend, trend.revision)) return;
      const paths = sparkPaths(trend.points());
      setAttribute(line, "d", paths.line);
      setAttribute(area, "d", paths.area);
      const change = trend.change();
      setAttribute(spark, "class", `spark ${CLASSES.get(Math.sign(change ?? 0))}`);
      setAttribute(cell, "title", change === null ? null : `${numbers.percent(change)} in 1 h`);
    },
  };
}

export function rangeCell({ numbers }) {
  const covered = element("i", { class: "covered" });
  const open = element("i", { class: "open" });
  const marker = element("i", { class: "marker" });
  const track = element("div", { class: "range" }, covered, open, marker);
  const cell = element("div", {}, track);
  const changed = memory();
  return {
    element: cell,
    paint(quote) {
      const place = permille(quote.placeInRange(quote.price));
      const openPlace = permille(quote.placeInRange(quote.open));
      const { low, high, decimals } = quote;
      if (!changed(place, openPlace, low, high, decimals)) return;
      track.hidden = place === null;
      setAttribute(cell, "title", track.hidden ? null : `${numbers.fixed(low, decimals)} – ${numbers.fixed(high, decimals)}`);
      if (track.hidden) return;
      covered.style.transform = `scaleX(${place / 1000})`;
      marker.style.transform = `translateX(${place / 10}%)`;
      open.hidden = openPlace === null;
      open.style.transform = `translateX(${openPlace / 10}%)`;
    },
  };
}

// The track is about a hundred pixels wide, so finer steps could not be seen.
function permille(share) {
  return share === null ? null : Math.round(share * 200) * 5;
}

export function ageCell({ freshness }) {
  const cell = element("div", { class: "number" });
  const paint = (quote, state) => {
    const silent = state === "live" && !freshness.isAgeing(quote);
    setText(cell, silent ? "" : (FIXED_AGES[state] ?? age(freshness.ageMs(quote))));
  };
  return { element: cell, paint, paintSlowly: paint };
}

/** A cell's text as copied to a spreadsheet: without its arrow, symbol and name apart. */
export function cellText({ dataset, textContent, children: [base, rest, name] }) {
  if (dataset.column === "symbol") return `${base.textContent}${rest.textContent}\t${name.textContent}`;
  return textContent.replace(/^mid|[▲▼]/, "");
}

/** A row in words, for screen readers. */
export function rowLabel(quote, state, { numbers, freshness, alerts }) {
  const change = quote.change_pct;
  const words = [quote.venue === "" ? quote.instrument : `${quote.instrument} at ${quote.venue}`];
  if (state === "unlisted") return `${words[0]}, not listed here`;
  if (quote.name !== null) words.push(quote.name);
  words.push(quote.price === null ? "no price" : numbers.fixed(quote.price, quote.decimals));
  if (quote.isMid) words.push("mid price");
  if (change !== null) {
    const way = ["down ", "unchanged", "up "][direction(change) + 1];
    const size = direction(change) === 0 ? "" : `${numbers.percent(Math.abs(change)).slice(1, -1)} percent`;
    words.push(`${way}${size} in 24 hours`);
  }
  if (state === "stale" || state === "down") words.push(`no data for ${age(freshness.ageMs(quote))}`);
  else if (state !== "live") words.push(state);
  if (alerts?.has(quote.instrument)) words.push("alert set");
  return words.join(", ");
}

/** A function that tells whether its arguments differ from those of its last call. */
function memory() {
  let last = [MISSING];
  return (...now) => {
    if (now.length === last.length && now.every((value, i) => value === last[i])) return false;
    last = now;
    return true;
  };
}

/**
 * Paths of a line through the points, continued to the right edge, and of the area below it.
 * @param {[number, number][]} points of a Trend
 * @returns {{line: string, area: string}} empty where there is nothing to draw
 */
function sparkPaths(points) {
  if (points.length === 0 || (points.length === 1 && points[0][0] === SPARK_WIDTH)) return { line: "", area: "" };
  const prices = points.map(([, price]) => price);
  const least = Math.min(...prices);
  const span = Math.max(...prices) - least;
  const y = (price) => {
    const share = span === 0 ? 0.5 : (price - least) / span;
    return SPARK_HEIGHT - SPARK_PADDING - share * (SPARK_HEIGHT - 2 * SPARK_PADDING);
  };
  const [lastSlot, lastPrice] = points.at(-1);
  const drawn = lastSlot < SPARK_WIDTH ? [...points, [SPARK_WIDTH, lastPrice]] : points;
  const line = lineThrough(drawn.map(([slot, price]) => [slot, y(price)]));
  return { line, area: `${line}V${SPARK_HEIGHT}H${points[0][0]}Z` };
}
