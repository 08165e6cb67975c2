/**
 * One plain sentence where prices should be, what happens next, and a button where one helps.
 */

import { setText } from "./elements.js";

const ENDINGS = {
  protocol: { text: "This page is older than the server. Reload.", button: "Reload" },
  refused: { text: "The server refused this page’s request. Prices stand still until you retry.", button: "Retry" },
  denied: { text: "The server asks for a token. Prices come, or go on, when it has a good one.", button: "Enter token" },
  bye: { text: "The server has ended this session. Prices stand still until you retry.", button: "Retry" },
};

const KEY_HINT = matchMedia("(pointer: coarse)").matches ? "" : " Press / to find one.";

/**
 * What there is to say, if anything.
 * @param {object} situation
 * @param {import("../net/socket.js").State} situation.state
 * @param {number | null} situation.retryInMs
 * @param {boolean} situation.filled whether there ever was data
 * @param {number} situation.rows how many rows are shown
 * @param {boolean} situation.asking whether more may be shown in a moment
 * @param {string} situation.query
 * @param {import("../store/lists.js").List} situation.list
 * @param {string} situation.filters by feed and by currency, in words; empty for none
 * @param {string} situation.leftOut how many symbols there was no room for; empty for none
 * @param {string} situation.shown how many there are
 * @returns {{text: string, button?: "Reload" | "Retry" | "Enter token" | "Clear" | "Search" | "Show all",
 *   phones?: boolean} | null} `phones`: wider screens say it elsewhere
 */
export function noticeFor({ state, retryInMs, filled, rows, asking, query, list, filters, leftOut, shown }) {
  if (state.name === "ended") {
    const { text, button } = ENDINGS[state.reason];
    return { text: state.detail ? `${text} It said: ${state.detail}` : text, button };
  }
  if (!filled && state.name === "offline") {
    const seconds = Math.max(1, Math.ceil(retryInMs / 1000));
    return { text: `The server cannot be reached. Trying again in ${seconds} s.`, button: "Retry" };
  }
  if (!filled) return null;
  if (rows === 0) return asking ? null : emptiness(query, list, filters);
  if (leftOut !== "") return { text: `This page has room for ${shown} symbols; ${leftOut} more are left out.` };
  return filters === "" ? null : { text: `Only ${filters}.`, button: "Show all", phones: true };
}

function emptiness(query, list, filters) {
  if (query !== "") return { text: `Nothing matches ‘${query}’ in ${list.title}.`, button: "Clear" };
  if (filters !== "") return { text: `Nothing in ${list.title} passes the filters: ${filters}.`, button: "Show all" };
  if (list.kind === "favourites") return { text: "No symbols in Favourites yet. Press the star beside one." };
  if (list.kind === "own") return { text: `No symbols in ${list.title} yet.${KEY_HINT}`, button: "Search" };
  return { text: "No symbols yet. They appear here as soon as a feed delivers." };
}

export class Notice {
  #element;
  #text;
  #button;

  /**
   * @param {HTMLElement} noticeElement
   * @param {Object<string, () => void>} actions by the button's text
   */
  constructor(noticeElement, actions) {
    this.#element = noticeElement;
    this.#text = noticeElement.querySelector("p");
    this.#button = noticeElement.querySelector("button");
    this.#button.addEventListener("click", () => actions[this.#button.textContent]());
  }

  /**
   * @param {{text: string, button?: string, phones?: boolean} | null} notice null: nothing to say
   * @param {boolean} alone there are no rows: it stands in their place
   */
  show(notice, alone) {
    this.#element.hidden = notice === null;
    if (notice === null) return;
    this.#element.classList.toggle("alone", alone);
    this.#element.classList.toggle("for-phones", notice.phones === true);
    setText(this.#text, notice.text);
    this.#button.hidden = notice.button === undefined;
    setText(this.#button, notice.button ?? "");
  }
}
