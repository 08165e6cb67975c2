/**
 * Start-up and wiring: which module is told what, and when. The work itself is in the modules.
 */

import { Numbers, Times } from "./fmt.js";
import { Sparklines } from "./net/api.js";
import { ServerClock } from "./net/protocol.js";
import { Stream } from "./net/stream.js";
import { Lists, Prefs } from "./store/choices.js";
import { ALERTS_KEY, TOKEN_KEY, readJson, token } from "./store/kept.js";
import { Market } from "./store/market.js";
import { Freshness, instrumentOf } from "./store/quote.js";
import { View } from "./store/view.js";
import { Actions, Details, Dialogs, Theme, load } from "./ui/actions.js";
import { Filters, Search, Tabs } from "./ui/choosers.js";
import { find } from "./ui/elements.js";
import { Feeds, Figures } from "./ui/figures.js";
import { Grid } from "./ui/grid.js";
import { Listing } from "./ui/listing.js";
import { Announcer, Notice, Toasts } from "./ui/messages.js";
import { Head, chosenColumns } from "./ui/rows.js";
import { Hold, Scheduler } from "./ui/scheduler.js";

const ADDRESS_AFTER_MS = 250; // browsers throttle a page that changes its URL with every key press

const prefs = new Prefs(new URLSearchParams(location.search));
const lists = new Lists(prefs.get("symbols"));
const numbers = new Numbers(prefs.get("locale"));
const times = new Times();
const clock = new ServerClock();
const market = new Market(clock);
const view = new View(market);
const sparklines = new Sparklines();
const scheduler = new Scheduler((ms) => figures.frameTimes.add(ms));
const announcer = new Announcer();
const stream = new Stream({
  clock,
  market,
  painter: { state: connectionChanged, hello: serverGreeted, heard, data: dataCame, answered, resumed },
});
const freshness = new Freshness(clock, stream);

/** What the modules may use of each other. */
const page = {
  prefs, lists, numbers, times, clock, market, view, freshness, scheduler, announcer, stream,
  skeleton: find("#skeleton"), hold: new Hold(find(".grid-body")), server: "the service", alerts: null,
  alertsChanged, open: openDetails, openBest, detailsChanged, togglePause, admit: () => stream.socket.connect(),
  paintList: () => scheduler.soon(paintList), paintOrder: () => scheduler.soon(paintOrder),
};
Object.assign(page, {
  toasts: new Toasts(page),
  theme: new Theme(prefs),
  grid: new Grid(page),
  head: new Head(page),
  search: new Search(page),
  tabs: new Tabs(page),
  filters: new Filters(page),
  feeds: new Feeds(page),
  notice: new Notice(page),
  figures: new Figures(page),
  details: new Details(page),
  dialogs: new Dialogs(page),
  listing: new Listing(page),
  actions: new Actions(page),
});
const { theme, grid, feeds, notice, figures, details, dialogs, listing, actions } = page;

let unpaintedMs = null; // server time of the oldest update not on the screen yet
let secondAtMs = performance.now();
let addressTimer = null;

function serverGreeted({ kinds, server }) {
  feeds.helloKinds = Array.isArray(kinds) ? kinds : [];
  page.server = String(server ?? page.server);
}

function connectionChanged({ name, reason }, before) {
  if (name === "live") {
    announcer.say("connection", "Connected.");
    loadAlerts(); // should that have failed before
  } else if (before.name === "live") {
    announcer.say("connection", "Connection lost.");
  }
  if (reason === "denied") dialogs.open("token");
  figures.latencies.clear();
  figures.showState();
  scheduler.soon(paintState);
}

function heard(frame, old) {
  page.alerts?.take(frame, old, clock.now());
}

function dataCame(frame, kind, wasFilled) {
  if (kind.first) sparklines.forget();
  else if (!kind.old) unpaintedMs ??= frame.time;
  if (wasFilled) scheduler.paced(paint);
  else scheduler.soon(paintFirst);
  if (stream.wanted.away) figures.showTab(); // browsers slow the timers of hidden pages, but not their messages
}

/** A change of the subscription has been answered, perhaps with new symbols. */
function answered() {
  if (document.hidden) return;
  listing.answered(page.hold.held);
  scheduler.soon(paintSlowly);
}

function paintFirst() {
  page.skeleton.hidden = true;
  view.refresh();
  grid.show(view.rows);
  paint();
  figures.show();
  loadTrends();
}

function paint() {
  if (stream.paused) return;
  grid.paint(market.dirty);
  details.panel?.paint();
  market.dirty.clear();
  if (unpaintedMs !== null && clock.settled) figures.latencies.add(Math.max(0, clock.now() - unpaintedMs));
  unpaintedMs = null;
}

/** Paint whatever has changed at once, and without flashes: nobody saw it happen. */
function settle() {
  grid.settle(market.dirty);
  details.panel?.paint();
  market.dirty.clear();
  unpaintedMs = null;
}

function paintState() {
  grid.paintAll();
  notice.show();
}

function paintList() {
  grid.show(view.rows);
  figures.show();
}

/** The same rows in another order: no figure has changed. */
function paintOrder() {
  grid.show(view.rows);
  page.head.show();
}

function arrange() {
  if (!page.hold.pressed) grid.arrange();
}

function paintSlowly() {
  grid.paintSlowly();
  details.panel?.paintSlowly();
}

function paintFigures() {
  figures.show();
  dialogs.refresh();
}

async function loadTrends() {
  if (!stream.live) return;
  const answer = await sparklines.load(grid.symbolsInView);
  if (answer === null || !Number.isFinite(answer.end)) return;
  for (const [symbol, closes] of Object.entries(answer.closes ?? {})) {
    if (Array.isArray(closes)) market.find(symbol)?.trend.fill(closes, answer.end);
  }
  scheduler.soon(paintSlowly);
}

function everySecond() {
  const now = performance.now();
  if (!stream.paused) figures.rates.add(market.takeReceived(), (now - secondAtMs) / 1000);
  secondAtMs = now;
  page.alerts?.tick();
  if (document.hidden) {
    figures.showTab(); // which can still be seen
    return;
  }
  const changed = market.filled && view.refreshInTime(page.hold.held || stream.paused);
  scheduler.soon(changed ? paintList : paintFigures);
  scheduler.soon(arrange);
}

function twiceASecond() {
  if (document.hidden || !market.filled || stream.paused) return;
  scheduler.paced(paintSlowly);
  loadTrends();
}

function togglePause() {
  if (stream.paused) stream.resume();
  else if (market.filled) stream.pause();
  find("#pause").setAttribute("aria-pressed", stream.paused);
  announcer.say("pause", stream.paused ? "Paused." : "Resumed.");
  figures.showState();
}

function resumed() {
  sparklines.forget(); // trends have missed what happened meanwhile
  view.refresh(page.hold.held);
  scheduler.soon(settle);
  scheduler.soon(paintList);
}

function hide() {
  stream.hide(grid.currentQuote?.instrument ?? null);
}

function visibilityChanged() {
  if (document.hidden) return hide();
  stream.show();
  if (!market.filled) return;
  view.refresh(page.hold.held || stream.paused);
  if (!stream.paused) scheduler.soon(settle);
  scheduler.soon(paintList);
  scheduler.wake();
}

function listsChanged(changed = listing.list) {
  // A star pressed in another list must not move rows under the pointer.
  if (changed === listing.list) listing.showLists();
  scheduler.soon(paintFigures);
  scheduler.soon(paintState);
}

/** The user's alerts are loaded where there are any; until then, `page.alerts` is null. */
async function loadAlerts() {
  if (page.alerts !== null || readJson(ALERTS_KEY, []).length === 0) return;
  const part = await load(["alerting"], page, null);
  part?.alertsOf(page);
}

function alertsChanged() {
  stream.wanted.watched = page.alerts.symbols;
  if (stream.wanted.away || stream.wanted.only !== null) stream.ask();
  dialogs.refresh();
  scheduler.soon(paintState);
}

/** An embedded page has no room for details: it opens the full page instead. */
function openDetails({ instrument, unlisted }) {
  if (unlisted) return;
  if (!prefs.embedded) details.open(instrument);
  else open(prefs.queryWith({ embed: null, sel: instrument }), "_blank", "noopener");
}

/** The focus leaves the search for the row: else the keys of the details would be typed into the field. */
function openBest() {
  const [best] = view.rows;
  if (best === undefined) return;
  grid.show(view.rows); // what was typed just before Enter has not been painted yet
  grid.select(best.symbol);
  grid.focus();
  openDetails(best);
}

/** The details have opened or closed: their venues are streamed while they are shown. */
function detailsChanged(symbol, hadFocus) {
  const instrument = symbol && instrumentOf(symbol);
  stream.wanted.details = instrument?.includes("*") ? null : instrument; // what a URL names is never a pattern
  stream.ask();
  listing.forgetVenues();
  if (symbol === null) {
    if (hadFocus) grid.focus();
  } else if (instrument !== grid.currentQuote?.instrument) {
    grid.select(view.symbolOf(instrument));
  }
}

function prefChanged(name) {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => prefs.showAddress(), ADDRESS_AFTER_MS);
  applyChoice(name);
  scheduler.soon(paintFigures);
}

/** Apply a setting; ui/listing.js applies those of what is listed. @param {string} name see store/choices.js */
function applyChoice(name) {
  const value = prefs.get(name);
  if (["theme", "updown", "density"].includes(name)) theme.apply();
  if (name === "density") grid.measure();
  if (name === "cols") grid.use(chosenColumns(value));
  if (name === "rate") scheduler.paintsPerSecond = Number(value);
  if (name === "flashes") grid.flashing = value === "on";
  if (name === "tz") times.local = value === "local";
  if (name === "locale") numbers.use(value);
  if (name !== "tz" && name !== "locale") return;
  grid.rebuild();
  details.panel?.redraw();
}

/** Another tab has written to the browser's storage. */
function adopt({ key }) {
  prefs.adopt(key);
  prefs.stay(key);
  lists.adopt(key);
  page.alerts?.adopt(key);
  if (key === ALERTS_KEY) loadAlerts();
  if (key !== TOKEN_KEY || token() === null || stream.socket.state.reason !== "denied") return;
  dialogs.close(); // it asks for the token that was entered there
  stream.socket.connect();
}

lists.onChange = listsChanged;
prefs.onChange = prefChanged;
addEventListener("online", () => stream.socket.wake());
addEventListener("storage", adopt);
document.addEventListener("visibilitychange", visibilityChanged);
loadAlerts();
listing.start();
for (const name of ["theme", "rate", "tz", "flashes", "cols"]) applyChoice(name);
scheduler.soon(paintFigures);
setInterval(everySecond, 1000);
setInterval(twiceASecond, 500);
if (prefs.embedded) {
  document.body.classList.add("embedded");
  find("#embed-link").hidden = false;
  find("#embed-link").href = location.pathname + prefs.queryWith({ embed: null });
} else {
  actions.wire(); // in an embedded page keys would change what it does not show
  details.start();
}
if (document.hidden) hide(); // opened in the background
stream.socket.connect();
