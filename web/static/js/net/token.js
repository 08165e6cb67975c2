/**
 * The token of a service that asks for one: said in a connection's first message and in the heads of requests, never
 * in an address.
 *
 * Promises: never throws. It is kept as long as the tab lives, or on this device where the user wants that.
 */

const KEY = "ticker.token.v1";

let said = null; // where the browser keeps nothing

/** @returns {string | null} */
export function token() {
  try {
    return said ?? sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** @param {string} text @param {boolean} forGood whether this device shall remember it */
export function keepToken(text, forGood) {
  said = text;
  try {
    sessionStorage.setItem(KEY, text);
    if (forGood) localStorage.setItem(KEY, text);
    else localStorage.removeItem(KEY);
  } catch {
    // Private windows and full quotas: it lives as long as the page.
  }
}

/** What a request's head carries. */
export function authorization() {
  const text = token();
  return text === null ? {} : { Authorization: `Bearer ${text}` };
}

/** The messages that a connection begins with: the token, where there is one. */
export function introduction() {
  const text = token();
  return text === null ? [] : [{ op: "auth", token: text }];
}
