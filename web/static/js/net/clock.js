/**
 * The server's clock as seen from this page.
 *
 * Promises: never jumps with the computer's own clock, for it runs on the monotonic one; of the recent pings the one
 * with the shortest round trip decides, because its answer is the least late. Never sends anything.
 */

const KEPT_PONGS = 8;
const ENOUGH_PONGS = 3; // the first ones come while the page is busy with its start, and are late

export class ServerClock {
  #monotonic;
  #offsetMs = null;
  #pongs = [];

  /** @param {() => number} [monotonic] milliseconds that never go back */
  constructor(monotonic = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  /** Whether it is known well enough to measure by. */
  get settled() {
    return this.#pongs.length >= ENOUGH_PONGS;
  }

  /** The server's time in ms since 1970 UTC; this computer's before the server has said its own. */
  now() {
    return this.#offsetMs === null ? Date.now() : this.#monotonic() + this.#offsetMs;
  }

  /** A new connection said its time: good enough until the first pong, which is better by half a round trip. */
  hello(serverMs) {
    this.#pongs = [];
    this.#offsetMs = serverMs - this.#monotonic();
  }

  /** The machine has slept for so long, and its monotonic clock with it; what was measured before counts no more. */
  skip(ms) {
    this.#pongs = [];
    if (this.#offsetMs !== null) this.#offsetMs += ms;
  }

  /** A ping that was sent at the monotonic time `sentMs` has been answered just now. */
  pong(sentMs, serverMs) {
    const roundTripMs = this.#monotonic() - sentMs;
    this.#pongs.push({ roundTripMs, offsetMs: serverMs - sentMs - roundTripMs / 2 });
    if (this.#pongs.length > KEPT_PONGS) this.#pongs.shift();
    const best = this.#pongs.reduce((a, b) => (b.roundTripMs < a.roundTripMs ? b : a));
    this.#offsetMs = best.offsetMs;
  }
}
