/**
 * The token of a service that asks for one: said in a connection's first message and in the heads of requests, never
 * in an address. The browser keeps it.
 *
 * Promises: never throws. Where nothing is kept there is none.
 */

export const KEY = "ticker.token.v1";

/** @returns {string | null} */
export function token() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** @param {string | null} text null: forget it @returns {boolean} whether the browser did so */
export function keepToken(text) {
  try {
    if (text === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, text);
    return true;
  } catch {
    return false;
  }
}

/** What a request's head carries. */
export function authorization() {
  const text = token();
  return text === null ? {} : { Authorization: `Bearer ${text}` };
}

/** The messages that a connection begins with. */
export function introduction() {
  const text = token();
  return text === null ? [] : [{ op: "auth", token: text }];
}
