/**
 * Numbers as people read them, in one locale.
 *
 * Promises: decimals come from the symbol, never from the value; the minus is U+2212; what is missing is "—".
 * Never reads the clock, the page or a setting.
 */

export const MISSING = "—";

const MINUS = "\u2212";
const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const UNITS = ["", "K", "M", "B", "T"];
const MOST_DECIMALS = 30; // as many as the wire allows
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

  /** @param {string} [locale] BCP 47; one that the browser does not know means the browser's own. */
  constructor(locale) {
    this.use(locale);
  }

  /** Write as in this locale from now on. @param {string} [locale] */
  use(locale) {
    this.#locale = known(locale);
    this.#formats.clear();
    const zero = this.#format(0).format(0);
    const mark = this.#format(1).formatToParts(0.5).find((part) => part.type === "decimal").value;
    const quoted = mark.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    this.#leadingZeros = new RegExp(`^(${MINUS}?${zero}${quoted})(${zero}{${FOLD_FROM_ZEROS},})(?!$|${zero})`);
  }

  /** A price at its symbol's decimals; beyond 8 of them a run of leading zeros is folded: 0.0₉2048. */
  price(value, decimals) {
    const text = this.fullPrice(value, decimals);
    if (decimals === null || decimals <= FOLD_ABOVE_DECIMALS) return text;
    return text.replace(this.#leadingZeros, (_, head, zeros) => head + zeros[0] + subscript(zeros.length));
  }

  /** A price with every digit, for tooltips and screen readers. */
  fullPrice(value, decimals) {
    if (value === null) return MISSING;
    return this.#signed(value, decimals === null ? this.#significant() : this.#format(decimals));
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
    return `${["\u2212", "", "+"][direction(value) + 1]}${text}%`;
  }

  /** Basis points with one decimal, none from 1,000 up; "<0.1" for a spread below that. */
  basisPoints(value) {
    if (value === null) return MISSING;
    const tenth = this.#format(Math.abs(value) < 999.95 ? 1 : 0);
    return value > 0 && value < 0.1 ? `<${tenth.format(0.1)}` : this.#signed(value, tenth);
  }

  /** 1.79B; at most four significant digits and two decimals; "<0.01" for what would read as nothing. */
  volume(value) {
    if (value === null) return MISSING;
    if (value > 0 && value < 0.005) return `<${this.#format(2).format(0.01)}`;
    let unit = 0;
    let scaled = value;
    // 999.96 would be shown as 1,000.0: what rounds up to the next unit is written in it.
    while (scaled >= 999.95 && unit < UNITS.length - 1) {
      scaled /= 1000;
      unit += 1;
    }
    const decimals = scaled < 99.995 ? 2 : scaled < 999.95 ? 1 : 0;
    return this.#format(decimals).format(scaled) + UNITS[unit];
  }

  /** 2,048 */
  count(value) {
    return this.#format(0).format(value);
  }

  /** A plain number with fixed decimals, for the status line. */
  fixed(value, decimals) {
    return this.#signed(value, this.#format(decimals));
  }

  // The sign is ours: locales disagree about the character, and rounding may leave a signed zero.
  #signed(value, format) {
    const text = format.format(Math.abs(value));
    return value < 0 && text !== format.format(0) ? MINUS + text : text;
  }

  #format(decimals) {
    const digits = Math.min(decimals, MOST_DECIMALS);
    let format = this.#formats.get(digits);
    if (format === undefined) {
      const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
      format = new Intl.NumberFormat(this.#locale, options);
      this.#formats.set(digits, format);
    }
    return format;
  }

  // For the rare symbol whose decimals nobody knows.
  #significant() {
    let format = this.#formats.get(null);
    if (format === undefined) {
      format = new Intl.NumberFormat(this.#locale, { maximumSignificantDigits: 8 });
      this.#formats.set(null, format);
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
