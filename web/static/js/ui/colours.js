/**
 * The page's colours for a canvas: `var()` resolved for the place where it is drawn.
 */

const ROLES = ["surface", "text-3", "hairline", "line", "control", "accent", "warning", "up", "down"];

/** @param {HTMLElement} place @returns {Object<string, string>} by role, as `rgb(…)` */
export function colours(place) {
  const probe = document.createElement("i");
  probe.hidden = true;
  place.append(probe);
  const found = {};
  for (const role of ROLES) {
    probe.style.color = `var(--${role})`;
    found[role.replace("-", "")] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

/** The same colour with this opacity. */
export function faded(colour, share) {
  const [r, g, b] = colour.match(/[\d.]+/g);
  return `rgba(${r}, ${g}, ${b}, ${share})`;
}

/** Call this whenever the theme, the palette or the system's preference changes. */
export function watchTheme(changed) {
  new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ["data-theme", "data-updown"] });
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
    matchMedia(query).addEventListener("change", changed);
  }
}
