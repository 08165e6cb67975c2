/**
 * A sheet that follows a finger dragging its header down, and closes when released far enough below.
 */

import { phone } from "./elements.js";

const FAR_PX = 80;

/** @param {HTMLElement} sheet @param {HTMLElement} head of it @param {() => void} close */
export function dragToClose(sheet, head, close) {
  let startedAt = null;
  const moveTo = (px) => {
    sheet.style.transform = px === 0 ? "" : `translateY(${px}px)`;
  };
  head.addEventListener("touchstart", ({ touches }) => {
    startedAt = touches.length === 1 ? touches[0].clientY : null;
  }, { passive: true });
  head.addEventListener("touchmove", (event) => {
    if (startedAt === null || !phone.matches) return;
    event.preventDefault(); // the sheet moves, not what it holds
    moveTo(Math.max(0, event.touches[0].clientY - startedAt));
  });
  head.addEventListener("touchend", ({ changedTouches }) => {
    const far = startedAt !== null && sheet.style.transform !== "" && changedTouches[0].clientY - startedAt > FAR_PX;
    startedAt = null;
    moveTo(0);
    if (far) close();
  });
  head.addEventListener("touchcancel", () => moveTo(0));
}
