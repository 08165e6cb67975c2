/**
 * Keys that work everywhere on the page. Single letters never fire while text is being typed.
 */

/**
 * @param {Document} document
 * @param {Object<string, () => void>} actions by `event.key`, letters in lower case
 * @param {() => void} search also bound to Ctrl+K and Cmd+K
 */
export function bindKeys(document, actions, search) {
  document.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && !event.altKey && key === "k") {
      event.preventDefault();
      search();
      return;
    }
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(actions, key)) return;
    event.preventDefault();
    actions[key]();
  });
}
