/**
 * Making elements. Text goes in as text nodes only, so that nothing from the network can become markup.
 */

const SVG = "http://www.w3.org/2000/svg";
const MARKS = {
  live: "live", connecting: "connecting", closed: "connecting", unknown: "connecting",
  down: "offline", failed: "offline", gone: "offline",
};

/** The page's own element that a selector names. */
export const find = (place) => document.querySelector(place);

/**
 * @param {string} tag
 * @param {Object<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

/** The same for SVG. @returns {SVGElement} */
export function svg(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

/** A button. @param {() => void} press */
export function button(attributes, press, ...children) {
  const made = element("button", { type: "button", ...attributes }, ...children);
  made.addEventListener("click", press);
  return made;
}

/**
 * Let keys do things in an element. An action that returns false leaves the key to the browser, and so does an input
 * method that is composing text.
 * @param {Object<string, (event: KeyboardEvent) => unknown>} actions by `event.key`
 */
export function onKeys(node, actions) {
  node.addEventListener("keydown", (event) => {
    if (event.isComposing || !Object.hasOwn(actions, event.key)) return;
    if (actions[event.key](event) !== false) event.preventDefault();
  });
}

/** A drawing from the page's sprite: `icon-…` or `mark-…`, which is also its class. */
export function icon(name) {
  return svg("svg", { class: name.slice(0, 4), "aria-hidden": "true" }, svg("use", { href: `#${name}` }));
}

/** The mark of a feed's or a symbol's state. */
export function mark(state = "live") {
  return icon(`mark-${MARKS[state] ?? "delayed"}`);
}

/** Let a mark show another state. */
export function showMark({ firstChild: use }, state) {
  setAttribute(use, "href", `#mark-${MARKS[state] ?? "delayed"}`);
}

/** A copy of a drawing in the sprite, `star` or `bell`, for the rows: what is used from there is cloned with its tree. */
export function drawing(name) {
  const symbol = document.getElementById(name);
  const attributes = { class: name, viewBox: symbol.getAttribute("viewBox"), "aria-hidden": "true" };
  return svg("svg", attributes, symbol.firstChild.cloneNode());
}

/** What a path through these points is called. @param {[number | string, number][]} points */
export function lineThrough(points) {
  return points.map(([x, y], i) => `${i === 0 ? "M" : "L"}${x} ${y.toFixed(1)}`).join("");
}

/** Set an element's text through its one text node, and only if it differs. */
export function setText(node, text) {
  if (node.firstChild === null) node.append(text);
  else if (node.firstChild.data !== text) node.firstChild.data = text;
}

/** Set an attribute only if it differs; null removes it. */
export function setAttribute(node, name, value) {
  if (node.getAttribute(name) === value) return;
  if (value === null) node.removeAttribute(name);
  else node.setAttribute(name, value);
}

/** Whether the screen is as narrow as a phone's: rows of two lines, details as a sheet. The styles have the same limit. */
export const phone = matchMedia("(max-width: 719.98px)");

function furnish(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
