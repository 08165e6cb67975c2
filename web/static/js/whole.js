/**
 * Says so when part of the page did not load, which would otherwise seem to be connecting forever, and reloads it on a
 * click or when the network is back. Imports nothing, so that it depends on no other file, and comes before main.js in
 * the document, whose error it would miss otherwise.
 */

const reload = () => location.reload();

addEventListener("error", ({ target }) => {
  if (!target.src?.endsWith("/js/main.js")) return;
  const notice = document.querySelector("#notice");
  const button = notice.querySelector("button");
  notice.querySelector("p").textContent = "Part of this page could not be loaded.";
  button.textContent = "Reload";
  button.addEventListener("click", reload);
  addEventListener("online", reload);
  notice.hidden = false;
  document.querySelector("#cluster").hidden = document.querySelector("#skeleton").hidden = true;
}, { capture: true });
