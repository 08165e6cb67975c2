/**
 * What the browser stores for the page: JSON under versioned keys, so that no version misreads what another one left;
 * and the access token of a service that requires one, which is never in a URL.
 *
 * Promises: never throws. What is broken, missing or of another shape is the default; what cannot be stored lasts as
 * long as the page.
 */

export const TOKEN_KEY = "ticker.token.v1";
export const ALERTS_KEY = "ticker.alerts.v1";

/** The JSON value under a key if it is of the same shape (list or object) as the default; else the default. */
export function readJson(key, fallback) {
  try {
    const value = JSON.parse(read(key));
    const fits = typeof value === "object" && value !== null && Array.isArray(value) === Array.isArray(fallback);
    return fits ? value : fallback;
  } catch {
    return fallback;
  }
}

/** Store a JSON value, if the browser allows it. */
export function writeJson(key, value) {
  write(key, JSON.stringify(value));
}

/** @returns {string | null} */
export function token() {
  return read(TOKEN_KEY);
}

/** @param {string | null} text null: forget it @returns {boolean} whether the browser allowed it */
export function keepToken(text) {
  return write(TOKEN_KEY, text);
}

function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // where storage is forbidden
  }
}

function write(key, text) {
  try {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
    return true;
  } catch {
    return false; // private windows and full quotas
  }
}
