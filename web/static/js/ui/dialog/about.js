/**
 * What this page is, where else its data can be had, and whose work it contains.
 */

import { element } from "../elements.js";
import { exactCsv } from "../share.js";

export const title = "About Ticker";

const LINKS = [["status", "Service status"], ["docs", "API reference"]];

export function build({ server }) {
  const links = LINKS.map(([href, words]) => element("li", {}, element("a", { href, target: "_blank", rel: "noopener" }, words)));
  const chart = element("a", { href: "https://www.tradingview.com/", target: "_blank", rel: "noopener" }, "TradingView");
  return {
    body: [
      element("p", {}, `Live market prices, served by ${server}.`),
      element("ul", {}, ...links, element("li", {}, exactCsv("All quotes as CSV, with exact decimals"))),
      element("p", {}, "Prices are shown as their sources report them and may be late, wrong or missing. Nothing here is advice."),
      element("h3", {}, "Notice"),
      element("p", {}, "Charts by ", chart, ": TradingView Lightweight Charts™. Copyright (c) 2025 TradingView, Inc. ",
        "Licensed under the Apache License, Version 2.0."),
    ],
  };
}
