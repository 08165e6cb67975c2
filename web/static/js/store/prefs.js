/**
 * What the user has chosen: from the URL, else from the browser's storage, else the default.
 *
 * Promises: unknown parameters and values are ignored; broken or full storage means defaults, never an error.
 */

const STORAGE_KEY = "ticker.prefs.v1";

const CHOICES = {
  theme: ["auto", "dark", "light", "contrast"],
  updown: ["western", "east", "safe"],
  rate: ["20", "60", "4", "1"],
  tf: ["5m", "1m", "15m", "1h", "4h", "1d"],
  chart: ["candles", "line"],
};

export class Prefs {
  #storage;
  #parameters;
  #stored;

  /**
   * @param {Storage | null} storage
   * @param {URLSearchParams} parameters of the page
   */
  constructor(storage, parameters) {
    this.#storage = storage;
    this.#parameters = parameters;
    this.#stored = readJson(storage, STORAGE_KEY, {});
  }

  /** @param {"theme" | "updown" | "rate" | "tf" | "chart"} name */
  get(name) {
    const allowed = CHOICES[name];
    const wanted = [this.#parameters.get(name), this.#stored[name]];
    return wanted.find((value) => allowed.includes(value)) ?? allowed[0];
  }

  /** The `locale` parameter as it stands; whoever formats numbers checks it. */
  get locale() {
    return this.#parameters.get("locale") ?? undefined;
  }

  /** The page's query as it should be now, so that reloading keeps a choice that came by URL and was changed. */
  get query() {
    return this.#parameters.size === 0 ? "" : `?${this.#parameters}`;
  }

  /** The page's whole address as it should be now, without the origin. */
  get address() {
    return location.pathname + this.query + location.hash;
  }

  /** The symbol whose details the address asks for, or null. */
  get selected() {
    return this.#parameters.get("sel") || null;
  }

  /** @param {string | null} symbol whose details are open */
  select(symbol) {
    if (symbol === null) this.#parameters.delete("sel");
    else this.#parameters.set("sel", symbol);
  }

  /** Choose a value and keep it; it stands in the address if that names the choice already, or if it shall. */
  set(name, value, shown = this.#parameters.has(name)) {
    if (shown) this.#parameters.set(name, value);
    this.#stored = { ...this.#stored, [name]: value };
    writeJson(this.#storage, STORAGE_KEY, this.#stored);
  }

  /** Choose the value after the present one, and keep it. */
  cycle(name) {
    const allowed = CHOICES[name];
    const value = allowed[(allowed.indexOf(this.get(name)) + 1) % allowed.length];
    this.set(name, value);
    return value;
  }
}

/** The JSON value under a key if it is of the same shape (list or object) as the default; else the default. */
export function readJson(storage, key, fallback) {
  try {
    const value = JSON.parse(storage.getItem(key));
    const fits = typeof value === "object" && value !== null && Array.isArray(value) === Array.isArray(fallback);
    return fits ? value : fallback;
  } catch {
    return fallback;
  }
}

/** Keep a JSON value; a browser that will not store it is no reason to stop. */
export function writeJson(storage, key, value) {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch {
    // Private windows and full quotas: the choice lives as long as the page.
  }
}
