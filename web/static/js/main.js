/**
 * Start-up and wiring: who is told what, and when. Everything that happens is in the modules.
 */

import { Numbers } from "./fmt/number.js";
import { Sparklines } from "./net/api.js";
import { ServerClock } from "./net/clock.js";
import { LiveSocket } from "./net/socket.js";
import { Favourites } from "./store/lists.js";
import { Market } from "./store/market.js";
import { Prefs } from "./store/prefs.js";
import { Rates } from "./store/rates.js";
import { RecentSamples } from "./store/samples.js";
import { Freshness } from "./store/stale.js";
import { View } from "./store/view.js";
import { Announcer } from "./ui/announce.js";
import { Breadth } from "./ui/breadth.js";
import { COLUMNS } from "./ui/columns.js";
import { Details } from "./ui/details.js";
import { Feeds } from "./ui/feeds.js";
import { Grid } from "./ui/grid.js";
import { Head } from "./ui/head.js";
import { Hold } from "./ui/hold.js";
import { bindKeys } from "./ui/keys.js";
import { Notice, noticeFor } from "./ui/notice.js";
import { Scheduler } from "./ui/scheduler.js";
import { Search } from "./ui/search.js";
import { Status } from "./ui/status.js";
import { Tabs } from "./ui/tabs.js";
import { Theme } from "./ui/theme.js";
import { Title } from "./ui/title.js";

const SUBSCRIPTION = { symbols: ["*"], interval_ms: 50 };
const FIGURES_OVER_MS = 5000;
const SKELETON_AFTER_MS = 200;
const DELAYED_MS = 1000;
const LATE_HEARTBEATS = 1.5;
const LISTS = [
  { key: "all", title: "All" },
  { key: "favourites", title: "Favourites", starred: true },
];

const byId = (id) => document.getElementById(id);

function openStorage() {
  try {
    return localStorage;
  } catch {
    return null; // forbidden in this browser: choices live as long as the page
  }
}

const storage = openStorage();
const prefs = new Prefs(storage, new URLSearchParams(location.search));
const favourites = new Favourites(storage);
const numbers = new Numbers(prefs.locale);
const clock = new ServerClock();
const market = new Market(clock);
const view = new View(market);
const freshness = new Freshness(clock);
const rates = new Rates();
const latencies = new RecentSamples(FIGURES_OVER_MS);
const frameTimes = new RecentSamples(FIGURES_OVER_MS);
const sparklines = new Sparklines(document.baseURI);

const theme = new Theme(document.documentElement, byId("theme"), prefs);
const scheduler = new Scheduler(Number(prefs.get("rate")), (ms) => frameTimes.add(performance.now(), ms));
const grid = new Grid(byId("grid"), { numbers, freshness, favourites, clock }, scheduler);
const head = new Head(document.querySelector(".grid-head"));
const hold = new Hold(document.querySelector(".grid-body"));
const search = new Search(document.querySelector(".header"));
const tabs = new Tabs(byId("tabs"), LISTS);
const breadth = new Breadth(byId("breadth"), numbers);
const status = new Status(byId("cluster"), byId("figures"), numbers);
const feeds = new Feeds(byId("feeds"), byId("kind-label"), numbers);
const announcer = new Announcer(byId("announcements"));
const title = new Title(byId("icon"), numbers);
const details = new Details(byId("details"), prefs, {
  numbers, market, freshness, favourites, clock, announcer, star: toggleFavourite, open: (symbol) => details.open(symbol),
});
const notice = new Notice(byId("notice"), {
  Reload: () => location.reload(),
  Retry: () => socket.connect(),
  Clear: () => search.clear(),
});

let list = LISTS[0];
let helloKinds = [];
let unpaintedMs = null; // server time of the oldest update that is not on the screen yet
let secondAtMs = performance.now();

const socket = new LiveSocket({
  url: new URL("ws", document.baseURI.replace(/^http/, "ws")).href,
  subscription: SUBSCRIPTION,
  clock,
  listener: { state: connectionChanged, hello: serverGreeted, data: dataCame },
});

function serverGreeted(hello) {
  helloKinds = Array.isArray(hello.kinds) ? hello.kinds : [];
}

function connectionChanged({ name }) {
  if (name === "live") announcer.say("connection", "Connected.");
  else if (freshness.connected) announcer.say("connection", "Connection lost.");
  freshness.connected = name === "live";
  latencies.clear();
  status.showState(name, retryInMs());
  scheduler.soon(paintState);
}

function dataCame(frame, kind) {
  const filled = market.filled;
  market.apply(frame, kind, performance.now());
  if (kind.first) sparklines.forget();
  else if (!kind.replace) unpaintedMs ??= frame.time;
  if (filled) scheduler.paced(paint);
  else scheduler.soon(paintFirst);
}

function paintFirst() {
  byId("skeleton").hidden = true;
  view.refresh();
  grid.show(view.rows);
  paint();
  paintFigures();
  loadTrends();
}

function paint() {
  grid.paint(market.dirty);
  details.paint();
  market.dirty.clear();
  if (unpaintedMs !== null && !document.hidden) {
    latencies.add(performance.now(), Math.max(0, clock.now() - unpaintedMs)); // the clock is known to half a round trip
  }
  unpaintedMs = null;
}

function paintState() {
  grid.paintAll();
  paintNotice();
}

function paintList() {
  grid.show(view.rows);
  paintFigures();
}

function paintSlowly() {
  grid.paintSlowly();
  details.paintSlowly();
}

/** What the figures and counts of the frame say; prices are none of it. */
function paintFigures() {
  const now = performance.now();
  head.show(view.sort, view.waiting);
  status.show({
    state: condition(now),
    retryInMs: retryInMs(),
    latencyMs: latencies.quantiles(now, [0.5, 0.95]),
    frameMs: frameTimes.quantiles(now, [0.5])?.[0] ?? null,
    ratePerSecond: rates.total,
    version: socket.position.version,
    gaps: socket.counts.gaps,
    nowMs: clock.now(),
  });
  feeds.show(market, socket.state.name === "live" ? rates.bySource : null, clock.now());
  title.show(market.quotes.get(details.symbol ?? grid.current), condition(now));
  feeds.showKinds(new Set([...helloKinds, ...market.kinds]));
  if (market.filled) {
    tabs.showCount("all", numbers.count(market.quotes.size));
    tabs.showCount("favourites", numbers.count(favourites.countIn(market.quotes)));
    search.describe(`Search ${numbers.count(market.quotes.size)} symbols`);
    breadth.show(view.breadth());
  }
  paintNotice();
}

function paintNotice() {
  const alone = view.rows.length === 0;
  const { state } = socket;
  const said = noticeFor({
    state, retryInMs: retryInMs(), filled: market.filled, rows: view.rows.length, query: view.query, list,
  });
  if (said !== null) byId("skeleton").hidden = true;
  notice.show(said, alone);
}

function condition(now) {
  if (socket.state.name !== "live") return socket.state.name;
  const late = now - socket.heardAtMs > LATE_HEARTBEATS * socket.heartbeatMs;
  const slow = (latencies.quantiles(now, [0.5])?.[0] ?? 0) > DELAYED_MS;
  return late || slow ? "delayed" : "live";
}

function retryInMs() {
  return socket.state.name === "offline" ? socket.state.retryAtMs - performance.now() : null;
}

async function loadTrends() {
  if (socket.state.name !== "live") return;
  const answer = await sparklines.load(grid.symbolsInView);
  if (answer === null || !Number.isFinite(answer.end)) return;
  for (const [symbol, closes] of Object.entries(answer.closes ?? {})) {
    if (Array.isArray(closes)) market.quotes.get(symbol)?.trend.fill(closes, answer.end);
  }
  scheduler.soon(paintSlowly);
}

function everySecond() {
  const now = performance.now();
  rates.add(market.takeReceived(), (now - secondAtMs) / 1000);
  secondAtMs = now;
  if (document.hidden) return;
  const changed = market.filled && view.refresh(hold.held);
  scheduler.soon(changed ? paintList : paintFigures);
}

function twiceASecond() {
  if (document.hidden || !market.filled) return;
  scheduler.paced(paintSlowly);
  loadTrends();
}

function toggleFavourite(symbol) {
  if (symbol === null) return;
  const added = favourites.toggle(symbol);
  announcer.say("favourite", `${symbol} ${added ? "added to" : "removed from"} Favourites.`);
  view.refresh();
  scheduler.soon(paintList);
  scheduler.soon(paintState);
}

function cycleTheme() {
  announcer.say("theme", `Theme: ${theme.cycle()}.`);
  if (location.search !== prefs.query) history.replaceState(history.state, "", prefs.query + location.hash);
}

/** Details have opened or closed: their venues are streamed as long as they are shown. */
function detailsChanged(symbol, hadFocus) {
  const venues = symbol === null ? null : `*:${symbol.slice(symbol.indexOf(":") + 1)}`;
  socket.select(venues === null ? SUBSCRIPTION.symbols : [...SUBSCRIPTION.symbols, venues]);
  market.forgetVenues((one) => venues === null || !one.endsWith(venues.slice(1)));
  if (symbol !== null) grid.select(symbol);
  else if (hadFocus) grid.focus();
}

function sortBy(key) {
  view.cycleSort(key);
  const { title } = COLUMNS.find((column) => column.key === view.sort.key);
  announcer.say("sort", `Sorted by ${title}, ${view.sort.descending ? "descending" : "ascending"}.`);
  scheduler.soon(paintList);
}

function searchFor(query) {
  view.search(query);
  if (view.query !== "") announcer.say("search", `${numbers.count(view.rows.length)} symbols match.`);
  scheduler.soon(paintList);
}

function chooseList(key) {
  list = LISTS.find((one) => one.key === key);
  view.choose(key === "all" ? null : favourites);
  scheduler.soon(paintList);
}

function wire() {
  grid.onStar = toggleFavourite;
  grid.onMove = () => hold.keyed();
  grid.onOpen = (symbol) => details.open(symbol);
  grid.onLeaveUp = () => head.focus();
  head.onLeaveDown = search.onLeaveDown = () => grid.focus();
  head.onSort = sortBy;
  search.onSearch = searchFor;
  tabs.onChoose = chooseList;
  feeds.onChange = (name, state) => announcer.say(`feed ${name}`, `Feed ${name} is ${state}.`);
  byId("theme").addEventListener("click", cycleTheme);
  details.onChange = detailsChanged;
  const keys = { "/": () => search.open(), t: cycleTheme, f: () => toggleFavourite(grid.current), escape: () => details.close() };
  for (const n of [1, 2, 3, 4, 5, 6]) keys[n] = () => details.chooseInterval(n);
  bindKeys(document, keys, () => search.open());
  addEventListener("online", () => socket.wake());
  document.addEventListener("visibilitychange", () => {
    unpaintedMs = null;
    if (!document.hidden) socket.wake();
  });
}

theme.apply();
wire();
details.start();
scheduler.soon(paintFigures);
setTimeout(() => {
  if (!market.filled) byId("skeleton").hidden = false;
}, SKELETON_AFTER_MS);
setInterval(everySecond, 1000);
setInterval(twiceASecond, 500);
socket.connect();
