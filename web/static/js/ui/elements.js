/**
 * Making elements, and the room for them. Text goes in as text nodes only, so nothing from the network can become
 * markup.
 */

const SVG = "http://www.w3.org/2000/svg";
const STAR = "m7 1.3 1.75 3.65 4 .55-2.92 2.8.72 3.97L7 10.35l-3.55 1.92.72-3.97-2.92-2.8 4-.55z";

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

/** A drawing from the sprite in index.html. */
export function icon(name, className) {
  return svg("svg", { class: className, "aria-hidden": "true" }, svg("use", { href: `#${name}` }));
}

/** A star. Drawn in place, for every row has one, and a drawing from the sprite is cloned for each use. */
export function star() {
  return svg("svg", { class: "star", viewBox: "0 0 14 14", "aria-hidden": "true" }, svg("path", { d: STAR }));
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

/** Whether there is no more room than on a phone: rows of two lines, details as a sheet. The styles say the same. */
export const phone = matchMedia("(max-width: 719.98px)");

function furnish(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
