/**
 * Times and spans of time as short text. Never reads the clock.
 */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** 8 s, 2 min, 3 h, 4 d; whole units, rounded down. */
export function age(ms) {
  const span = Math.max(0, ms);
  if (span < MINUTE_MS) return `${Math.floor(span / SECOND_MS)} s`;
  if (span < HOUR_MS) return `${Math.floor(span / MINUTE_MS)} min`;
  if (span < 2 * DAY_MS) return `${Math.floor(span / HOUR_MS)} h`;
  return `${Math.floor(span / DAY_MS)} d`;
}

/** 14:32:07, in UTC. */
export function clock(ms) {
  return new Date(ms).toISOString().slice(11, 19);
}

/** Times of day, in UTC or as the browser's own clock has them. */
export class Times {
  local = false;

  /** What a time says of itself. */
  get label() {
    return this.local ? "local" : "UTC";
  }

  /** What to add to a time so that it reads in UTC as it does here. */
  shiftMs(ms) {
    return this.local ? -MINUTE_MS * new Date(ms).getTimezoneOffset() : 0;
  }

  /** 14:32:07 */
  clock(ms) {
    return clock(ms + this.shiftMs(ms));
  }
}
