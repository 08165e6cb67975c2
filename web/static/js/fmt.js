/**
 * Numbers as text in one locale; times and durations as short text.
 *
 * Promises: decimals come from the symbol, never from the value; the minus is U+2212; a missing value is "—".
 * Never reads the clock, the page or a setting.
 */

export const MISSING = "—";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
const MINUS = "\u2212";
const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const UNITS = ["", "K", "M", "B", "T"];
export const MOST_DECIMALS = 30; // as many as the wire allows
const FOLD_ABOVE_DECIMALS = 8;
const FOLD_FROM_ZEROS = 4; // fewer zeros are no shorter when folded

/** -1, 0 or 1: the direction of a percentage as shown, so that "0.00%" is neutral. */
export function direction(percent) {
  return percent === null || Math.abs(percent) < 0.005 ? 0 : Math.sign(percent);
}

export class Numbers {
  #locale;
  #formats = new Map();
  #leadingZeros;

  /** @param {string} [locale] BCP 47; an unknown one means the browser's own. */
  constructor(locale) {
    this.use(locale);
  }

  /** Switch to this locale. @param {string} [locale] */
  use(locale) {
    this.#locale = known(locale);
    this.#formats.clear();
    const zero = this.#format(0).format(0);
    const mark = this.#format(1).formatToParts(0.5).find((part) => part.type === "decimal").value;
    this.#leadingZeros = new RegExp(`^(${MINUS}?${zero}[${mark}])(${zero}{${FOLD_FROM_ZEROS},})(?!$|${zero})`);
  }

  /** A price with its symbol's decimals; if they are more than 8, leading zeros are folded: 0.0₉2048. */
  price(value, decimals) {
    const text = this.fixed(value, decimals);
    if (decimals === null || decimals <= FOLD_ABOVE_DECIMALS) return text;
    if (text === this.fixed(0, decimals)) return this.count(0); // a difference of nothing
    return text.replace(this.#leadingZeros, (_, head, zeros) => head + zeros[0] + subscript(zeros.length));
  }

  /** A plain number; of a price every digit, for tooltips and screen readers. */
  fixed(value, decimals) {
    return value === null ? MISSING : this.#signed(value, this.#format(decimals));
  }

  /** +1,804.20: how far a price has moved; zero has no sign. */
  difference(value, decimals) {
    const text = this.price(value, decimals);
    return value !== null && value > 0 && text !== this.price(0, decimals) ? `+${text}` : text;
  }

  /** +1.89%; two decimals, none from 1,000% up; zero has no sign. */
  percent(value) {
    if (value === null) return MISSING;
    const text = this.#format(Math.abs(value) < 999.995 ? 2 : 0).format(Math.abs(value));
    return `${[MINUS, "", "+"][direction(value) + 1]}${text}%`;
  }

  /** Basis points with one decimal, none from 1,000 up; "<0.1" for a spread below that. */
  basisPoints(value) {
    if (value === null) return MISSING;
    const tenth = this.#format(Math.abs(value) < 999.95 ? 1 : 0);
    return value > 0 && value < 0.1 ? `<${tenth.format(0.1)}` : this.#signed(value, tenth);
  }

  /** 1.79B; at most four significant digits and two decimals; "<0.01" for what would round to zero. */
  volume(value) {
    if (value === null) return MISSING;
    if (value > 0 && value < 0.005) return `<${this.#format(2).format(0.01)}`;
    let unit = 0;
    let scaled = value;
    // 999.96 would be shown as 1,000.0: a value that rounds up to the next unit is written in that unit.
    while (scaled >= 999.95 && unit < UNITS.length - 1) {
      scaled /= 1000;
      unit += 1;
    }
    const decimals = scaled < 99.995 ? 2 : scaled < 999.95 ? 1 : 0;
    return this.#format(decimals).format(scaled) + UNITS[unit];
  }

  /** 2,048 */
  count(value) {
    return this.fixed(value, 0);
  }

  /** 1 symbol, 2,048 symbols. */
  counted(value, noun) {
    return `${this.count(value)} ${noun}${value === 1 ? "" : "s"}`;
  }

  // The sign is ours: locales disagree about the character, and rounding may leave a signed zero.
  #signed(value, format) {
    const text = format.format(Math.abs(value));
    return value < 0 && text !== format.format(0) ? MINUS + text : text;
  }

  /** @param {number | null} decimals null: unknown, as for a rare symbol */
  #format(decimals) {
    let format = this.#formats.get(decimals);
    if (format === undefined) {
      const options = decimals === null ? { maximumSignificantDigits: 8 }
        : { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
      format = new Intl.NumberFormat(this.#locale, options);
      this.#formats.set(decimals, format);
    }
    return format;
  }
}

function known(locale) {
  try {
    return locale ? Intl.getCanonicalLocales(locale)[0] : undefined;
  } catch {
    return undefined;
  }
}

function subscript(count) {
  return Array.from(String(count), (digit) => SUBSCRIPTS[digit]).join("");
}

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

  /** What stands behind a time. */
  get label() {
    return this.local ? "local" : "UTC";
  }

  /** What to add to a time so that, read as UTC, it shows the chosen zone's. */
  shiftMs(ms) {
    return this.local ? -MINUTE_MS * new Date(ms).getTimezoneOffset() : 0;
  }

  /** 14:32:07 */
  clock(ms) {
    return clock(ms + this.shiftMs(ms));
  }

  /** 2026-11-25 14:32:07 UTC */
  full(ms) {
    return `${new Date(ms + this.shiftMs(ms)).toISOString().slice(0, 19).replace("T", " ")} ${this.label}`;
  }
}
