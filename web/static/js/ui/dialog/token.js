/**
 * Asks for the token of a service that wants one.
 */

import { keepToken, token } from "../../store/kept.js";
import { element } from "../elements.js";

export const title = "Token";

const WANTED = "This service shows its prices to those who have a token.";
const REFUSED = "This service does not know the token, or the token has expired.";
const KEPT = "It stays in this browser until you press Forget token in the settings, and never stands in an address.";
const NOT_KEPT = "This browser keeps nothing, so it cannot keep the token. Allow it storage for this site.";

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
