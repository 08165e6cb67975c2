/**
 * Start-up and wiring: who is told what, and when. Everything that happens is in the modules.
 */

import { Numbers } from "./fmt/number.js";
import { Times } from "./fmt/time.js";
import { Sparklines } from "./net/api.js";
import { ServerClock } from "./net/clock.js";
import { early } from "./net/early.js";
import { Stream } from "./net/stream.js";
import { KEY as TOKEN_KEY, token } from "./net/token.js";
import { Alerts } from "./store/alerts.js";
import { Lists } from "./store/lists.js";
import { Market } from "./store/market.js";
import { Prefs } from "./store/prefs.js";
import { Rates } from "./store/rates.js";
import { RecentSamples } from "./store/samples.js";
import { Freshness } from "./store/stale.js";
import { openStorage } from "./store/storage.js";
import { View } from "./store/view.js";
import { Actions } from "./ui/actions.js";
import { Announcer } from "./ui/announce.js";
import { Breadth } from "./ui/breadth.js";
import { applyChoice } from "./ui/choices.js";
import { Details } from "./ui/details.js";
import { Dialogs } from "./ui/dialogs.js";
import { Feeds } from "./ui/feeds.js";
import { Figures } from "./ui/figures.js";
import { Filters } from "./ui/filters.js";
import { Grid } from "./ui/grid.js";
import { Head } from "./ui/head.js";
import { Hold } from "./ui/hold.js";
import { Listing } from "./ui/listing.js";
import { Notice } from "./ui/notice.js";
import { Rings } from "./ui/rings.js";
import { Scheduler } from "./ui/scheduler.js";
import { Search } from "./ui/search.js";
import { Status } from "./ui/status.js";
import { Tabs } from "./ui/tabs.js";
import { Theme } from "./ui/theme.js";
import { Title } from "./ui/title.js";
import { Toasts } from "./ui/toasts.js";

const FIGURES_OVER_MS = 5000;
const ADDRESS_AFTER_MS = 250; // browsers refuse a page that changes its address with every key

const byId = (id) => document.getElementById(id);

const storage = openStorage();
const prefs = new Prefs(storage, new URLSearchParams(location.search));
const lists = new Lists(storage, prefs.get("symbols"));
const numbers = new Numbers(prefs.get("locale"));
const times = new Times();
const clock = new ServerClock();
const market = new Market(clock);
const alerts = new Alerts(storage, (symbol) => market.quotes.get(symbol));
const view = new View(market);
const freshness = new Freshness(clock, () => stream.late);
const rates = new Rates();
const latencies = new RecentSamples(FIGURES_OVER_MS);
const frameTimes = new RecentSamples(FIGURES_OVER_MS);
const sparklines = new Sparklines(document.baseURI);

const theme = new Theme(document.documentElement, byId("theme"), prefs);
const scheduler = new Scheduler(Number(prefs.get("rate")), (ms) => frameTimes.add(performance.now(), ms));
const grid = new Grid(byId("grid"), { numbers, times, freshness, lists, alerts, view, clock }, scheduler);
const head = new Head(document.querySelector(".grid-head"));
const hold = new Hold(document.querySelector(".grid-body"));
const search = new Search(document.querySelector(".header"));
const tabs = new Tabs(byId("tabs"));
const filters = new Filters(byId("feed"), byId("quote"));
const breadth = new Breadth(byId("breadth"), numbers);
const status = new Status(byId("cluster"), byId("figures"), numbers);
const feeds = new Feeds(byId("feeds"), byId("kind-label"), numbers);
const announcer = new Announcer(byId("announcements"));
const toasts = new Toasts(byId("toasts"));
const title = new Title(byId("icon"), numbers);
const details = new Details(byId("details"), prefs, {
  numbers, times, market, freshness, clock, announcer, toasts, alerts, favourites: lists.favourites.symbols,
  star: (symbol) => listing.toggle(lists.favourites, symbol), open: (symbol) => details.open(symbol),
  editAlerts: (symbol) => dialogs.open("alerts", market.find(symbol)),
});
const notice = new Notice(byId("notice"), {
  Reload: () => location.reload(),
  Retry: () => stream.socket.connect(),
  "Enter token": () => dialogs.open("token"),
  Clear: () => search.clear(),
  Search: () => search.open(),
  "Show all": () => listing.showAll(),
});
const stream = new Stream({
  url: new URL("ws", document.baseURI.replace(/^http/, "ws")).href,
  early,
  clock,
  market,
  alerts,
  painter: { state: connectionChanged, hello: serverGreeted, data: dataCame, answered, resumed },
});

/** What the larger parts may use of each other. */
const page = {
  prefs, lists, numbers, times, clock, market, alerts, view, rates, latencies, frameTimes, grid, head, search, tabs,
  filters, breadth, status, feeds, announcer, toasts, notice, stream, skeleton: byId("skeleton"),
  list: () => listing.list,
  paint: { list: () => scheduler.soon(paintList) },
  details, theme, scheduler, togglePause,
  open: openDetails,
  title: () => {
    const quote = market.find(details.symbol ?? grid.currentQuote?.instrument ?? "");
    title.show(quote, quote !== undefined && freshness.state(quote) === "live", figures.condition());
  },
  figures: () => figures,
  askToNotify: () => rings.ask(),
  admit: () => stream.socket.connect(),
  serverName: () => server,
};
const rings = new Rings(page);
const figures = new Figures(page);
const dialogs = (page.dialogs = new Dialogs(page));
const listing = (page.listing = new Listing(page));
const actions = new Actions(page);

let server = "the service";
let unpaintedMs = null; // server time of the oldest update that is not on the screen yet
let secondAtMs = performance.now();
let addressTimer = null;

function serverGreeted(hello) {
  figures.helloKinds = Array.isArray(hello.kinds) ? hello.kinds : [];
  server = String(hello.server ?? server);
}

function connectionChanged({ name, reason }) {
  if (name === "live") announcer.say("connection", "Connected.");
  else if (freshness.connected) announcer.say("connection", "Connection lost.");
  if (reason === "denied") dialogs.open("token");
  freshness.connected = name === "live";
  latencies.clear();
  figures.showState();
  scheduler.soon(paintState);
}

function dataCame(frame, kind, wasFilled) {
  if (kind.first) sparklines.forget();
  else if (!kind.old) unpaintedMs ??= frame.time;
  if (wasFilled) scheduler.paced(paint);
  else scheduler.soon(paintFirst);
  if (stream.wanted.away) page.title(); // browsers slow the timers of hidden pages, but not their messages
}

/** What was asked for has come, perhaps symbols that were not there before. */
function answered() {
  if (document.hidden) return;
  listing.answered(hold.held);
  scheduler.soon(paintSlowly);
}

function paintFirst() {
  byId("skeleton").hidden = true;
  view.refresh();
  grid.show(view.rows);
  paint();
  figures.show();
  loadTrends();
}

function paint() {
  if (stream.paused) return;
  grid.paint(market.dirty);
  details.paint();
  market.dirty.clear();
  if (unpaintedMs !== null && clock.settled) latencies.add(performance.now(), Math.max(0, clock.now() - unpaintedMs));
  unpaintedMs = null;
}

/** What has changed since the last painting comes at once, and without flashes: nobody saw it happen. */
function settle() {
  grid.settle(market.dirty);
  details.paint();
  market.dirty.clear();
  unpaintedMs = null;
}

function paintState() {
  grid.paintAll();
  figures.showNotice();
}

function paintList() {
  grid.show(view.rows);
  figures.show();
}

function arrange() {
  if (!hold.pressed) grid.arrange();
}

function paintSlowly() {
  grid.paintSlowly();
  details.paintSlowly();
}

function paintFigures() {
  figures.show();
  dialogs.refresh();
}

async function loadTrends() {
  if (stream.socket.state.name !== "live") return;
  const answer = await sparklines.load(grid.symbolsInView);
  if (answer === null || !Number.isFinite(answer.end)) return;
  for (const [symbol, closes] of Object.entries(answer.closes ?? {})) {
    if (Array.isArray(closes)) market.find(symbol)?.trend.fill(closes, answer.end);
  }
  scheduler.soon(paintSlowly);
}

function everySecond() {
  const now = performance.now();
  if (!stream.paused) rates.add(market.takeReceived(), (now - secondAtMs) / 1000);
  secondAtMs = now;
  alerts.tick();
  if (document.hidden) {
    page.title(); // which can still be seen
    return;
  }
  figures.count();
  const changed = market.filled && view.refreshInTime(hold.held || stream.paused);
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
  byId("pause").setAttribute("aria-pressed", String(stream.paused));
  announcer.say("pause", stream.paused ? "Paused." : "Resumed.");
  figures.showState();
}

function resumed() {
  sparklines.forget(); // nothing was drawn of what happened meanwhile
  view.refresh(hold.held);
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
  view.refresh(hold.held || stream.paused);
  if (!stream.paused) scheduler.soon(settle);
  scheduler.soon(paintList);
  scheduler.wake();
}

function listsChanged(changed = listing.list) {
  // A star pressed in another list is no reason for rows to move under the pointer.
  if (changed === listing.list) listing.showLists();
  scheduler.soon(paintFigures);
  scheduler.soon(paintState);
}

function alertsChanged() {
  stream.wanted.watched = alerts.symbols;
  if (stream.wanted.away || stream.wanted.only !== null) stream.ask();
  dialogs.refresh();
  scheduler.soon(paintState);
}

/** A page inside another one has no room for details: its links open the whole page. */
function openDetails({ instrument, unlisted }) {
  if (unlisted) return;
  if (prefs.get("embed") !== "1") details.open(instrument);
  else open(prefs.queryWith({ embed: null, sel: instrument }), "_blank", "noopener");
}

/** Details have opened or closed: their venues are streamed as long as they are shown. */
function detailsChanged(symbol, hadFocus) {
  const instrument = symbol?.slice(symbol.indexOf(":") + 1) ?? null;
  stream.wanted.details = instrument?.includes("*") ? null : instrument; // a name out of an address is no pattern
  stream.ask();
  listing.forgetVenues();
  if (symbol === null) {
    if (hadFocus) grid.focus();
  } else if (instrument !== grid.currentQuote?.instrument) {
    grid.select(view.symbolOf(instrument));
  }
}

/** The token that this tab may be waiting for was given to another one. */
function admitElsewhere() {
  if (stream.socket.state.reason !== "denied") return;
  dialogs.close();
  stream.socket.connect();
}

function prefChanged(name) {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => history.replaceState(history.state, "", prefs.address), ADDRESS_AFTER_MS);
  applyChoice(name, page);
  scheduler.soon(paintFigures);
}

function wireLists() {
  tabs.onChoose = (key) => listing.choose(key);
  tabs.onNew = () => listing.create();
  tabs.onRename = (list, title) => listing.rename(list, title);
  tabs.onMove = (list, way) => listing.move(list, way);
  tabs.onDelete = (list) => listing.remove(list);
  tabs.onSave = () => listing.save();
  tabs.onMenu = (list, button) => actions.openListMenu(list, button);
  lists.onChange = listsChanged;
  filters.onChoose = (name, value) => listing.filter(name, value);
  head.onSort = (key) => listing.sortBy(key);
  search.onSearch = (query) => listing.searchFor(query);
  search.onEnter = () => view.rows.length > 0 && openDetails(view.rows[0]);
}

function wire() {
  grid.onAction = (action, quote) => actions.onRow(action, quote);
  grid.onOpen = openDetails;
  details.onChange = detailsChanged;
  grid.onColumns = (columns) => head.use(columns);
  grid.onMove = () => hold.keyed();
  grid.onLeaveUp = () => head.focus();
  head.onLeaveDown = search.onLeaveDown = () => grid.focus();
  feeds.onChange = (name, state) => announcer.say(`feed ${name}`, `Feed ${name} is ${state}.`);
  alerts.onChange = alertsChanged;
  alerts.onFire = (alert, value) => rings.ring(alert, value);
  prefs.onChange = prefChanged;
  if (prefs.get("embed") !== "1") actions.wire(byId); // else a key would change what nothing there shows
  addEventListener("online", () => stream.socket.wake());
  addEventListener("storage", ({ key }) => {
    if (key === TOKEN_KEY && token() !== null) admitElsewhere();
    prefs.adopt(key);
    prefs.stay(key);
    lists.adopt(key);
    alerts.adopt(key);
  });
  document.addEventListener("visibilitychange", visibilityChanged);
}

if (prefs.get("embed") === "1") {
  document.body.classList.add("embedded");
  byId("embed-link").hidden = false;
  byId("embed-link").href = location.pathname + prefs.queryWith({ embed: null });
}
stream.wanted.watched = alerts.symbols;
wireLists();
wire();
listing.start();
for (const name of ["theme", "tz", "flashes", "cols"]) applyChoice(name, page);
scheduler.soon(paintFigures);
setInterval(everySecond, 1000);
setInterval(twiceASecond, 500);
if (prefs.get("embed") !== "1") details.start();
if (document.hidden) hide(); // opened in the background
stream.socket.want(stream.wanted.subscription);
stream.socket.connect();
