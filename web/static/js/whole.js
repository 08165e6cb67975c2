/**
 * Says that the page did not come whole, which would else seem to be connecting for ever, and loads it anew on a press,
 * or when the network is back. Imports nothing, so that nothing else must have come, and stands before main.js, whose
 * loss it would not hear of afterwards.
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
