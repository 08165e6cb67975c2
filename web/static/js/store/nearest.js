/**
 * The names nearest to one that does not exist. Pure.
 */

const MOST_LETTERS = 64; // no symbol is longer

/**
 * @param {string} name
 * @param {Iterable<string>} names
 * @param {number} count
 * @returns {string[]} the nearest first
 */
export function nearest(name, names, count) {
  const wanted = name.toUpperCase().slice(0, MOST_LETTERS);
  const ranked = Array.from(names, (one) => ({ one, far: distance(wanted, one.toUpperCase()) }));
  ranked.sort((a, b) => a.far - b.far || (a.one < b.one ? -1 : 1));
  return ranked.slice(0, count).map(({ one }) => one);
}

/** The Levenshtein distance. */
function distance(a, b) {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i += 1) {
    const line = [i + 1];
    for (let j = 0; j < b.length; j += 1) {
      line.push(Math.min(above[j] + (a[i] === b[j] ? 0 : 1), above[j + 1] + 1, line[j] + 1));
    }
    above = line;
  }
  return above.at(-1);
}
