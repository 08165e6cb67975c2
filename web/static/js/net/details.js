/**
 * What the panel loads over HTTP: a symbol's bars, and where its price comes from.
 *
 * Promises: an answer of the right shape, or an error whose message can be shown.
 */

import { LATEST_MS } from "../store/quote.js";
import { ask } from "./api.js";

/**
 * @param {string} symbol
 * @param {string} interval
 * @param {number} limit
 * @returns {Promise<unknown[][]>} rows `[t, open, high, low, close, volume or null, flags]`, oldest first
 */
export async function loadBars(symbol, interval, limit) {
  const { bars } = await get(`api/candles/${encodeURIComponent(symbol)}?interval=${interval}&limit=${limit}`);
  if (!Array.isArray(bars) || !bars.every(isBar)) throw new Error("the answer is malformed");
  return bars;
}

/** @returns {Promise<{source: string, since: number | null, before: string | null, venues: string[]}>} */
export async function loadSources(symbol) {
  const answer = await get(`api/sources/${encodeURIComponent(symbol)}`);
  if (!Array.isArray(answer.venues)) throw new Error("the answer is malformed");
  return answer;
}

async function get(path) {
  let response;
  try {
    response = await ask(path);
  } catch {
    throw new Error("the service does not answer");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(typeof body.detail === "string" ? body.detail : `status ${response.status}`);
  return body;
}

function isBar(row) {
  if (!Array.isArray(row)) return false;
  const [t, open, high, low, close, volume, flags] = row;
  const isTime = Number.isInteger(t) && t >= 0 && t <= LATEST_MS;
  const known = [open, high, low, close, volume ?? 0].every(Number.isFinite);
  return isTime && known && typeof flags === "string";
}
