/**
 * The search field: filters as you type; Escape clears it; on a narrow screen it takes the header's place.
 */

export class Search {
  /** Told the text whenever it changes. */
  onSearch = () => {};
  /** Told when the keyboard wants to go down into the results. */
  onLeaveDown = () => {};
  /** Told when the best match is wanted. */
  onEnter = () => {};

  #input;
  #header;

  /** @param {HTMLElement} header that contains the field and the button that opens it */
  constructor(header) {
    this.#header = header;
    this.#input = header.querySelector("input");
    this.#input.addEventListener("input", () => this.onSearch(this.#input.value));
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#input.addEventListener("blur", () => this.#close());
    header.querySelector("#search-open").addEventListener("click", () => this.open());
    // Pressed before the field loses the keyboard, or the press would come too late to meet the button.
    const button = header.querySelector("#search-clear");
    button.addEventListener("pointerdown", (event) => event.preventDefault());
    button.addEventListener("click", () => this.clear());
  }

  /** What is searched for. */
  set text(text) {
    this.#input.value = text;
    this.#header.classList.toggle("searching", text !== "");
  }

  /** Say how many symbols there are to search. */
  describe(text) {
    this.#input.placeholder = text;
  }

  open() {
    this.#header.classList.add("searching");
    this.#input.focus();
    this.#input.select();
  }

  clear() {
    this.text = "";
    this.onSearch("");
  }

  #key(event) {
    if (event.isComposing) return; // Enter takes what an input method offers
    if (event.key === "Escape") {
      this.clear();
      this.#input.blur();
    } else if (event.key === "ArrowDown") {
      this.onLeaveDown();
    } else if (event.key === "Enter") {
      this.onEnter();
    } else {
      return;
    }
    event.preventDefault();
  }

  // What was searched for stays in sight.
  #close() {
    if (this.#input.value === "") this.#header.classList.remove("searching");
  }
}
