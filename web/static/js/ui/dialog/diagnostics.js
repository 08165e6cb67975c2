/**
 * How the stream does, in figures, as of now.
 */

import { element, icon, setText } from "../elements.js";

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
  ["Not understood", (d) => d.malformed],
  ["Symbols", (d) => d.symbols],
  ["Rows in the page", (d) => d.rows],
];

export function build({ diagnose, market }) {
  const values = ROWS.map(([label, valueOf]) => {
    const value = element("dd", {}, "");
    return { valueOf, value, line: element("div", {}, element("dt", {}, label), value) };
  });
  const feeds = element("ul", { class: "sheet-feeds" });
  const refresh = () => {
    const figures = diagnose();
    for (const { valueOf, value } of values) setText(value, valueOf(figures));
    const lines = [...market.feeds].sort().map(([name, { state, message }]) => {
      const mark = icon(state === "live" ? "mark-live" : "mark-delayed", "mark");
      return element("li", { class: "feed", "data-state": state }, mark, element("b", {}, name), ` ${state}${message ? `: ${message}` : ""}`);
    });
    feeds.replaceChildren(...lines);
  };
  refresh();
  const status = element("a", { href: "status" }, "All of the service");
  return {
    body: [
      element("dl", { class: "sheet" }, ...values.map(({ line }) => line)),
      element("h3", {}, "Feeds"), feeds, element("p", {}, status),
    ],
    refresh,
  };
}
