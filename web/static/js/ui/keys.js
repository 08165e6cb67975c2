/**
 * Keys that work everywhere on the page. They never fire while text is being typed, a dialog is open, or in a menu.
 */

const BUSY = "input, textarea, select, [contenteditable], [role=menu]";
const OWN_SPACE = "button, a, summary"; // what Space presses
const ALT_WRITES = ["[", "]"]; // on many keyboards
const SIMPLE = /^[^a-z0-9+[\]?/]$|^.{2,}$/; // no single character of a keyboard: no matter of WCAG 2.1.4

/**
 * @param {Document} document
 * @param {Object<string, () => unknown>} actions by `event.key`, letters in lower case; false: the key stays the browser's
 * @param {(() => void) | null} search also bound to Ctrl+K and Cmd+K, if there is one
 * @param {() => boolean} singleKeys whether keys of a single character are wanted
 */
export function bindKeys(document, actions, search, singleKeys) {
  document.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    const element = event.target;
    if (event.defaultPrevented || document.querySelector("dialog[open]") !== null) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && key === "k" && search !== null) {
      event.preventDefault();
      search();
      return;
    }
    const written = event.altKey && !event.metaKey && ALT_WRITES.includes(key);
    if (!written && (event.ctrlKey || event.metaKey || event.altKey)) return;
    if (element.closest?.(BUSY) || !Object.hasOwn(actions, key)) return;
    if (key === " " && element.closest?.(OWN_SPACE)) return;
    if (!SIMPLE.test(key) && !singleKeys()) return;
    if (actions[key]() !== false) event.preventDefault();
  });
}
