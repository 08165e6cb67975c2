/**
 * The state of the connection in figures.
 */

import { MISSING } from "../../fmt.js";
import { element, mark, setText } from "../elements.js";
import { SHARES } from "../figures.js";

export const title = "Connection";

const ROWS = [
  ["State", (d) => d.state],
  ["Latency, server to screen", (d) => d.latency],
  ["Frame time", (d) => d.frame],
  ["Symbol updates", (d) => d.updates],
  ["Messages", (d) => d.messages],
  ["Received", (d) => d.bytes],
  ["Sequence", (d) => d.sequence],
  ["Gaps", (d) => d.gaps],
  ["Resumes", (d) => d.resumes],
  ["Malformed messages", (d) => d.malformed],
  ["Symbols", (d) => d.symbols],
  ["Rows rendered", (d) => d.rows],
];

/** A function that returns how fast counts have grown since its last call, a second ago; null at first. */
function meter(counts) {
  let before = { atMs: performance.now(), ...counts };
  let rates = { messages: null, bytes: null };
  return ({ messages, bytes }) => {
    const atMs = performance.now();
    const seconds = (atMs - before.atMs) / 1000;
    if (seconds < 0.5) return rates; // too short to measure
    rates = { messages: (messages - before.messages) / seconds, bytes: (bytes - before.bytes) / seconds };
    before = { atMs, messages, bytes };
    return rates;
  };
}

/** All figures of the connection, as text. */
function diagnose({ figures, stream, numbers, market }, perSecond) {
  const { position, counts } = stream.socket;
  const quantiles = (samples, decimals) => {
    const found = samples.quantiles();
    if (found[0] === null) return MISSING;
    return `${SHARES.map((share, i) => `p${share * 100} ${numbers.fixed(found[i], decimals)}`).join(" · ")} ms`;
  };
  const { latencies, frameTimes, rates } = figures;
  const { messages, bytes } = perSecond(counts);
  return {
    state: figures.state,
    latency: quantiles(latencies, 0),
    frame: quantiles(frameTimes, 1),
    updates: `${numbers.count(rates.total)}/s`,
    messages: messages === null ? MISSING : `${numbers.fixed(messages, 1)}/s`,
    bytes: bytes === null ? MISSING : `${numbers.fixed(bytes / 1024, 1)} KiB/s`,
    sequence: numbers.count(position.version),
    gaps: numbers.count(counts.gaps),
    resumes: numbers.count(counts.resumes),
    malformed: numbers.count(counts.malformed),
    symbols: numbers.count(market.quotes.size + market.venues.size),
    rows: numbers.count(document.querySelectorAll(".row").length),
  };
}

export function build(page) {
  const { market, stream } = page;
  const perSecond = meter(stream.socket.counts);
  const values = ROWS.map(([label, valueOf]) => {
    const value = element("dd");
    return { valueOf, value, line: element("div", {}, element("dt", {}, label), value) };
  });
  const feeds = element("ul", { class: "sheet-feeds" });
  let shown = null;
  const refresh = () => {
    const figures = diagnose(page, perSecond);
    for (const { valueOf, value } of values) setText(value, valueOf(figures));
    const states = JSON.stringify([...market.feeds]);
    if (states === shown) return; // or it would undo what the user has selected there
    shown = states;
    const lines = [...market.feeds].sort().map(([name, { state, message }]) => {
      const words = ` ${state}${message ? `: ${message}` : ""}`;
      return element("li", { class: "feed", "data-state": state }, mark(state), element("b", {}, name), words);
    });
    feeds.replaceChildren(...lines);
  };
  refresh();
  const status = element("a", { href: "status" }, "Service status");
  return {
    body: [
      element("dl", { class: "sheet" }, ...values.map(({ line }) => line)),
      element("h3", {}, "Feeds"), feeds, element("p", {}, status),
    ],
    refresh,
  };
}
