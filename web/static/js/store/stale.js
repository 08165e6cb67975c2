/**
 * How fresh a quote is.
 *
 * Promises: while connected the server's word alone decides; disconnected, prices age by this page's own clock, each
 * by its symbol's own rhythm, the way the server judges it. When nothing has come for so long that any price may have
 * changed, none is live.
 */

const LEAST_LIMIT_MS = 5000;
const UNKNOWN_RHYTHM_LIMIT_MS = 60_000;
const MOST_LIMIT_MS = 3_600_000;
const RHYTHMS = 8;

export class Freshness {
  /** Whether the stream is up. */
  connected = false;

  #clock;
  #late;
  #monotonic;

  /**
   * @param {import("../net/clock.js").ServerClock} clock
   * @param {() => boolean} late whether the service has been silent or away for too long
   */
  constructor(clock, late, monotonic = () => performance.now()) {
    this.#clock = clock;
    this.#late = late;
    this.#monotonic = monotonic;
  }

  /** `live`, or what is wrong: `stale`, `halted`, `closed`, `down`, `gone`, `unlisted`. */
  state(quote) {
    if (quote.unlisted) return "unlisted";
    if (quote.gone) return "gone";
    const said = quote.state ?? "live";
    if (said !== "live") return said;
    if (this.#late()) return "stale";
    return this.connected || this.ageMs(quote) <= limitMs(quote) ? "live" : "stale";
  }

  /** Time since the exchange made the price; where that is unknown, since this page heard of it. */
  ageMs(quote) {
    const age = quote.ts === null ? this.#monotonic() - quote.heardAtMs : this.#clock.now() - quote.ts;
    return Math.max(0, age);
  }

  /** Whether a live quote is old enough to say its age. */
  isAgeing(quote) {
    return this.ageMs(quote) > limitMs(quote) / 2;
  }
}

function limitMs({ beats, rhythmMs }) {
  if (beats < RHYTHMS) return UNKNOWN_RHYTHM_LIMIT_MS;
  return Math.min(MOST_LIMIT_MS, Math.max(LEAST_LIMIT_MS, RHYTHMS * rhythmMs));
}
