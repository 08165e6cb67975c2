/**
 * The state of the connection in figures.
 */

import { MISSING } from "../../fmt.js";
import { element, mark, setText } from "../elements.js";
import { SHARES } from "../figures.js";

export const title = "Connection";

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

/** All figures of the connection, as text, by their titles. */
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
    State: figures.state,
    "Latency, server to screen": quantiles(latencies, 0),
    "Frame time": quantiles(frameTimes, 1),
    "Symbol updates": `${numbers.count(rates.total)}/s`,
    Messages: messages === null ? MISSING : `${numbers.fixed(messages, 1)}/s`,
    Received: bytes === null ? MISSING : `${numbers.fixed(bytes / 1024, 1)} KiB/s`,
    Sequence: numbers.count(position.version),
    Gaps: numbers.count(counts.gaps),
    Resumes: numbers.count(counts.resumes),
    "Malformed messages": numbers.count(counts.malformed),
    Symbols: numbers.count(market.quotes.size + market.venues.size),
    "Rows rendered": numbers.count(document.querySelectorAll(".row").length),
  };
}

export function build(page) {
  const { market, stream } = page;
  const perSecond = meter(stream.socket.counts);
  const sheet = element("dl", { class: "sheet" });
  for (const title of Object.keys(diagnose(page, perSecond))) sheet.append(element("div", {}, element("dt", {}, title), element("dd")));
  const feeds = element("ul", { class: "sheet-feeds" });
  let shown = null;
  const refresh = () => {
    Object.values(diagnose(page, perSecond)).forEach((text, i) => setText(sheet.children[i].lastChild, text));
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
    body: [sheet, element("h3", {}, "Feeds"), feeds, element("p", {}, status)],
    refresh,
  };
}
