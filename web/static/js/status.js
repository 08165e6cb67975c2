/**
 * The service page: shows the service's state, asked for every two seconds. Not part of the dashboard.
 */

import { clock, Numbers } from "./fmt.js";
import { ask } from "./net/api.js";
import { FeedTable } from "./service/feeds.js";
import { Tiles, uptime } from "./service/tiles.js";
import { Window } from "./service/window.js";
import { Prefs } from "./store/choices.js";
import { Dialogs, Theme, bindKeys } from "./ui/actions.js";
import { element, setAttribute, setText } from "./ui/elements.js";

const PERIOD_MS = 2000;

const byId = (id) => document.getElementById(id);

const prefs = new Prefs(new URLSearchParams(location.search));
const numbers = new Numbers(new URLSearchParams(location.search).get("locale") ?? undefined);
const theme = new Theme(prefs);
const answers = new Window();
const tiles = new Tiles(byId("tiles"), numbers);
const table = new FeedTable(byId("feeds"), byId("feed"), numbers);
const dialogs = new Dialogs({ admit: refresh, toasts: { say: (_, text) => setText(byId("reasons"), text) } });

let lastFeeds = {};

class TokenWanted extends Error {}

async function load(path) {
  const response = await ask(path);
  if (response.status === 401) throw new TokenWanted();
  if (!response.ok) throw new Error(await reason(response));
  return response.json();
}

/** What a service says of its refusal, as a gateway does that cannot ask its upstream; else the status alone. */
async function reason(response) {
  const { detail } = await response.json().catch(() => ({})) ?? {};
  return typeof detail === "string" ? detail : `HTTP status ${response.status}`;
}

/** The feeds; while they cannot be had as they were last known, but none of them is live. */
async function loadFeeds() {
  try {
    lastFeeds = (await load("api/feeds")).feeds;
  } catch (error) {
    if (error instanceof TokenWanted) throw error;
    for (const feed of Object.values(lastFeeds)) {
      feed.rate = 0;
      if (feed.state === "live") Object.assign(feed, { state: "stale", message: `Not known now: ${error.message}` });
    }
  }
  return lastFeeds;
}

async function refresh() {
  try {
    const [status, feeds] = await Promise.all([load("api/status"), loadFeeds()]);
    answers.add(status);
    show(status, feeds);
  } catch (error) {
    if (error instanceof TokenWanted) {
      sayState("offline", "Token required");
      sayReasons("The service requires an access token. Reload this page to enter one.");
      await dialogs.open("token"); // which refreshes when a token has been entered
      return;
    }
    sayState("offline", "No answer");
    sayReasons("The service does not answer. These are its last figures; retrying every 2 s.");
  }
  setTimeout(refresh, PERIOD_MS); // browsers slow the timers of hidden pages by themselves
}

function show(status, feeds) {
  const { reasons } = status;
  sayState(reasons.length === 0 ? "live" : "delayed", reasons.length === 0 ? "Ready" : "Not ready");
  const uptimeText = `${uptime(status)}, since ${new Date(status.started_at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  sayReasons(reasons.join(" · "), reasons.length === 0 ? uptimeText : "");
  setText(byId("time"), clock(status.time));
  tiles.show(answers, feeds);
  table.show(feeds, status.time);
  showVersions(status.versions);
}

function showVersions(versions) {
  const text = Object.entries(versions).map((pair) => pair.join(" ")).join("");
  if (byId("versions").textContent === text) return; // or it would undo what the user has selected there
  const parts = Object.entries(versions).map(([name, version]) => element("span", {}, `${name} `, element("b", {}, version)));
  byId("versions").replaceChildren(...parts);
}

function sayState(state, word) {
  const cluster = byId("cluster");
  setAttribute(cluster, "data-state", state);
  setAttribute(cluster.querySelector("use"), "href", `#mark-${state}`);
  setText(cluster.querySelector(".word"), word);
}

/** Screen readers announce the reasons, but not the uptime. */
function sayReasons(reasons, uptimeText = "") {
  setText(byId("reasons"), reasons);
  setText(byId("uptime"), uptimeText);
}

prefs.onChange = () => {
  theme.apply();
  prefs.showAddress();
};
theme.apply();
addEventListener("storage", ({ key }) => prefs.adopt(key));
byId("theme").addEventListener("click", () => theme.cycle());
bindKeys({ t: () => theme.cycle() }, prefs);
refresh();
