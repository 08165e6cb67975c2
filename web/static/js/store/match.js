/**
 * How well a quote answers a search. Pure.
 */

/**
 * @param {{instrument: string, parts: string[], name: string | null}} quote
 * @param {string} needle lower case, not empty
 * @returns {number | null} 0 is best; null: it does not match
 */
export function rankOf({ instrument, parts, name }, needle) {
  const symbol = instrument.toLowerCase();
  const at = symbol.indexOf(needle);
  if (at >= 0) {
    if (symbol === needle || (at === 0 && needle.length === parts[0].length)) return 0; // all of it, or all of its base
    if (at === 0) return 1;
    return at === parts[0].length + 1 && at + needle.length === symbol.length ? 2 : 4; // what it is quoted in
  }
  if (name === null) return null;
  const place = name.toLowerCase().indexOf(needle);
  if (place < 0) return null;
  return place === 0 || name[place - 1] === " " ? 3 : 5;
}
