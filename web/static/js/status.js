/**
 * The service page: asks every two seconds how the service fares, and shows it. Not part of the dashboard.
 */

import { Numbers } from "./fmt/number.js";
import { clock } from "./fmt/time.js";
import { FeedTable } from "./service/feeds.js";
import { Tiles, uptime } from "./service/tiles.js";
import { Window } from "./service/window.js";
import { Prefs } from "./store/prefs.js";
import { element, setAttribute, setText } from "./ui/elements.js";
import { Theme } from "./ui/theme.js";

const PERIOD_MS = 2000;

const byId = (id) => document.getElementById(id);

function openStorage() {
  try {
    return localStorage;
  } catch {
    return null; // forbidden in this browser
  }
}

const prefs = new Prefs(openStorage(), new URLSearchParams(location.search));
const numbers = new Numbers(new URLSearchParams(location.search).get("locale") ?? undefined);
const theme = new Theme(document.documentElement, byId("theme"), prefs);
const answers = new Window();
const tiles = new Tiles(byId("tiles"), numbers);
const table = new FeedTable(byId("feeds"), byId("feed"), numbers);

async function ask(path) {
  const response = await fetch(new URL(path, document.baseURI), { signal: AbortSignal.timeout(5 * PERIOD_MS) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

async function refresh() {
  try {
    const [status, { feeds }] = await Promise.all([ask("api/status"), ask("api/feeds")]);
    answers.add(status);
    show(status, feeds);
  } catch {
    sayState("offline", "No answer");
    setText(byId("reasons"), "The service does not answer. The figures below are its last ones; asking again every 2 s.");
  }
  setTimeout(refresh, PERIOD_MS); // browsers slow the timers of hidden pages by themselves
}

function show(status, feeds) {
  const { reasons } = status;
  sayState(reasons.length === 0 ? "live" : "delayed", reasons.length === 0 ? "Ready" : "Not ready");
  const uptimeText = `${uptime(status)}, since ${new Date(status.started_at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  setText(byId("reasons"), reasons.length === 0 ? uptimeText : reasons.join(" · "));
  setText(byId("time"), clock(status.time));
  tiles.show(answers, feeds);
  table.show(feeds, status.time);
  const versions = Object.entries(status.versions).map(([name, version]) => element("span", {}, `${name} `, element("b", {}, version)));
  byId("versions").replaceChildren(...versions);
}

function sayState(state, word) {
  const cluster = byId("cluster");
  setAttribute(cluster, "data-state", state);
  setAttribute(cluster.querySelector("use"), "href", `#mark-${state}`);
  setText(cluster.querySelector(".word"), word);
}

function cycleTheme() {
  theme.cycle();
  theme.apply();
  history.replaceState(history.state, "", prefs.address);
}

theme.apply();
byId("theme").addEventListener("click", cycleTheme);
document.addEventListener("keydown", (event) => {
  if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.altKey) cycleTheme();
});
refresh();
