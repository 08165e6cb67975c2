/**
 * JSON in the browser's storage. Keys carry a version: what another version of the page left is not misread.
 *
 * Promises: never throws. What is broken, missing or of another shape is the default; what cannot be kept lives as
 * long as the page.
 */

/** The browser's storage, or null where it is forbidden. */
export function openStorage() {
  try {
    return localStorage;
  } catch {
    return null;
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
    // Private windows and full quotas.
  }
}
