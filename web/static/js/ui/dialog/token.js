/**
 * Asks for the access token of a service that requires one.
 */

import { keepToken, token } from "../../store/kept.js";
import { element } from "../elements.js";

export const title = "Access token";

const WANTED = "This service requires an access token.";
const REFUSED = "The token is not valid, or it has expired.";
const KEPT = "It is kept in this browser until you choose Forget token in Settings, and never appears in a URL.";
const NOT_KEPT = "This browser blocks storage, so the token cannot be kept. Allow storage for this site.";

export function build({ admit }, close) {
  const said = element("input", { name: "token", type: "password", required: "", autofocus: "", autocomplete: "off", spellcheck: "false" });
  const problem = element("p", { class: "problem", role: "alert" }, token() === null ? "" : REFUSED);
  const form = element(
    "form", { class: "fields" }, element("label", { class: "field" }, element("span", {}, "Token"), said), problem,
    element("button", { type: "submit", class: "plain-button strong" }, "Continue"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!keepToken(said.value.trim())) {
      problem.textContent = NOT_KEPT;
      return;
    }
    close();
    admit();
  });
  return { body: [element("p", { class: "note" }, WANTED), form, element("p", { class: "note" }, KEPT)] };
}
