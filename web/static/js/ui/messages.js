/**
 * What the page says of its own accord: to screen readers, in short messages on the screen, and where prices are
 * missing.
 */

import { button, element, find, setText } from "./elements.js";

const SPOKEN_APART_MS = 2000;
const STAYS_MS = 10_000;
const MOST = 4;
const MOST_UNSEEN = 50;

/**
 * The only place that announces anything to screen readers.
 *
 * Promises: at most one announcement in two seconds; what comes meanwhile is announced together afterwards. Prices are
 * never announced.
 */
export class Announcer {
  #region = find("#announcements");
  #waiting = new Map(); // topic -> sentence: only the last one on a topic matters
  #timer = null;

  /** Announce a sentence soon. A later one on the same topic replaces it while it waits. */
  say(topic, sentence) {
    this.#waiting.delete(topic);
    this.#waiting.set(topic, sentence);
    if (this.#timer === null) this.#speak();
  }

  #speak() {
    this.#timer = null;
    if (this.#waiting.size === 0) return;
    this.#region.textContent = [...this.#waiting.values()].join(" "); // a new text node, even if it reads the same
    this.#waiting.clear();
    this.#timer = setTimeout(() => this.#speak(), SPOKEN_APART_MS);
  }
}

/**
 * Short messages that disappear by themselves, some with a button.
 *
 * Promises: a message stays while it is hovered or focused, or the page is hidden. The announcer reads it out, not this
 * region.
 */
export class Toasts {
  #region = find("#toasts");
  #page;

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
  }

  /** Show a sentence, and announce it. @param {string} topic see Announcer */
  say(topic, sentence, action) {
    this.#page.announcer.say(topic, sentence);
    this.show(sentence, action);
  }

  /**
   * @param {string | Node} message
   * @param {{label: string, run: () => void}} [action]
   */
  show(message, action) {
    const toast = element("div", { class: "toast" }, element("p", {}, message));
    const add = (attributes, text, run) => toast.append(button(attributes, () => {
      this.#remove(toast);
      run?.();
    }, text));
    if (action) add({ class: "plain-button" }, action.label, action.run);
    add({ class: "icon-button", "aria-label": "Dismiss" }, "×");
    this.#region.append(toast);
    if (this.#region.children.length > (document.hidden ? MOST_UNSEEN : MOST)) this.#region.firstChild.remove();
    this.#expire(toast);
  }

  /** The focus goes to the next message, or back to the dialog or the rows. */
  #remove(toast) {
    const hadFocus = toast.contains(document.activeElement);
    toast.remove();
    if (!hadFocus) return;
    const next = (this.#region.firstChild ?? this.#region.closest("dialog"))?.querySelector("button");
    if (next) next.focus();
    else this.#page.grid.focus();
  }

  #expire(toast) {
    setTimeout(() => {
      if (document.hidden || toast.matches(":hover, :focus-within")) this.#expire(toast);
      else toast.remove();
    }, STAYS_MS);
  }
}

/** By the reason why the stream ended: what that means, and the button that helps. */
const ENDINGS = {
  protocol: { text: "This page is older than the service. Reload.", button: "Reload" },
  refused: { text: "The service refused this page’s request. Prices are frozen until you retry.", button: "Retry" },
  denied: { text: "The service requires a valid access token before it sends prices.", button: "Enter token" },
  bye: { text: "The service ended this session. Prices are frozen until you retry.", button: "Retry" },
};
/** What each of the buttons does. */
const PRESSES = {
  Reload: () => location.reload(),
  Retry: ({ stream }) => stream.socket.connect(),
  "Enter token": ({ dialogs }) => dialogs.open("token"),
  Clear: ({ search }) => search.clear(),
  Search: ({ search }) => search.open(),
  "Show all": ({ listing }) => listing.showAll(),
};
const KEY_HINT = matchMedia("(pointer: coarse)").matches ? "" : " Press / to find one.";

/** One sentence where prices are missing: why, what happens next, and a button where one helps. */
export class Notice {
  #page;
  #element = find("#notice");
  #button = find("#notice button");

  /** @param {object} page see main.js */
  constructor(page) {
    this.#page = page;
    this.#button.addEventListener("click", () => PRESSES[this.#button.textContent](page));
  }

  /** Show the sentence that applies now, if any. */
  show() {
    const { view, skeleton } = this.#page;
    const said = this.#said();
    if (said === null && this.#element.contains(document.activeElement)) this.#page.grid.focus();
    this.#element.hidden = said === null;
    if (said === null) return;
    skeleton.hidden = true;
    this.#element.classList.toggle("alone", view.rows.length === 0); // it stands in the rows' place
    this.#element.classList.toggle("for-phones", said.phones === true); // wider screens show it elsewhere
    setText(find("#notice p"), said.text);
    this.#button.hidden = said.button === undefined;
    setText(this.#button, said.button ?? "");
  }

  /** @returns {{text: string, button?: keyof typeof PRESSES, phones?: boolean} | null} */
  #said() {
    const { stream, market, view, listing, numbers } = this.#page;
    const { state, retryInS, asking } = stream.socket;
    if (state.name === "ended") {
      const { text, button } = ENDINGS[state.reason];
      return { text: state.detail ? `${text} Reason: ${state.detail}` : text, button };
    }
    if (!market.filled) {
      return retryInS && { text: `The service cannot be reached. Retrying in ${retryInS} s.`, button: "Retry" };
    }
    const filters = [market.feed && `feed ${market.feed}`, view.currency && `quote ${view.currency}`].filter(Boolean).join(", ");
    if (view.rows.length === 0) return asking ? null : emptiness(view.query, listing.list, filters, market.feeds);
    const leftOut = market.leftOut.size;
    if (leftOut > 0) {
      const [shown, more] = [market.quotes.size, leftOut].map((count) => numbers.count(count));
      return { text: `This page shows at most ${shown} symbols; ${more} more are left out.` };
    }
    return filters === "" ? null : { text: `Filtered by ${filters}.`, button: "Show all", phones: true };
  }
}

function emptiness(query, list, filters, feeds) {
  if (query !== "") return { text: `Nothing matches ‘${query}’ in ${list.title}.`, button: "Clear" };
  if (filters !== "") return { text: `Nothing in ${list.title} matches the filters: ${filters}.`, button: "Show all" };
  if (list.key === "favourites") return { text: "No symbols in Favourites yet. Press a star to add one." };
  if (list.own) return { text: `No symbols in ${list.title} yet.${KEY_HINT}`, button: "Search" };
  const lacks = [...feeds].map(([name, { state, message }]) => message && ` Feed ${name} is ${state}: ${message}.`);
  return { text: `No symbols yet. They appear here as soon as a feed delivers.${lacks.filter(Boolean).join("")}` };
}
