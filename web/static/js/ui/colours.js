/**
 * The page's colours for a canvas: `var()` resolved for the place where it is drawn.
 */

const ROLES = {
  surface: "surface", text: "text", text2: "text-2", text3: "text-3", hairline: "hairline", line: "line",
  control: "control", accent: "accent", warning: "warning", up: "up", down: "down",
};

/** @param {HTMLElement} place @returns {Object<string, string>} by role, as `rgb(…)` */
export function colours(place) {
  const probe = document.createElement("i");
  probe.hidden = true;
  place.append(probe);
  const found = {};
  for (const [role, name] of Object.entries(ROLES)) {
    probe.style.color = `var(--${name})`;
    found[role] = getComputedStyle(probe).color;
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
