"""The door through which prices enter: order, limits, and the state of each symbol and feed.

Feeds hand quotes to their `FeedIntake`. A quote that is out of order, or whose symbol is malformed or over a limit,
is counted and dropped; the rest goes to the store, each symbol with the state that the service gives it: its market's,
but `stale` when `staleness` says so, and `down` while its feed is down or failed. New data ends both.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ticker.clock import Clock
from ticker.model import KINDS, VENUE_SYMBOL, Change, FeedStatus, Quote, wording
from ticker.rhythm import BURST_S, Rhythm
from ticker.source import Source
from ticker.staleness import Deadlines, FeedAge, is_old
from ticker.store import Store

JUMP = 1.5
"""A last price more than this factor above or below the previous one counts as a jump; it is shown all the same."""
RATE_WINDOW_S = 2.0

log = logging.getLogger("ticker.intake")


@dataclass(slots=True)
class Intake:
    """The doors of all feeds to one store.

    Args:
        store: where accepted quotes go.
        clock: the service's clock.
        max_symbols: how many venue symbols may exist in all.
        wake: called after something was ingested: the hub's.
        on_ingest: called with the accepted quotes of a batch, before conflation, and their time of arrival, ms.
    """

    store: Store
    clock: Clock
    max_symbols: int
    wake: Callable[[], None] = lambda: None
    on_ingest: list[Callable[[Sequence[Quote], int], None]] = field(default_factory=list)
    feeds: dict[str, FeedIntake] = field(default_factory=dict)
    oldest_at: float | None = None  # when the first quote of the next flush arrived, monotonic seconds
    sources: dict[str, Source] = field(default_factory=dict)
    deadlines: Deadlines = field(default_factory=Deadlines)

    def feed(self, name: str, kind: str, clock: str, stale_after_s: float) -> FeedIntake:
        """Make the door of one feed; the order of these calls ranks feeds of the same kind."""
        status = FeedStatus(name, kind, clock, since=self.clock.wall_ms())
        door = self.feeds[name] = FeedIntake(self, status, stale_after_s, len(self.feeds))
        door.show()
        return door

    @property
    def statuses(self) -> list[FeedStatus]:
        """The state and the counters of all feeds."""
        return [door.status for door in self.feeds.values()]

    def kinds(self) -> list[str]:
        """The kinds of all feeds."""
        return sorted({feed.kind for feed in self.statuses})

    def begun(self) -> bool:
        """Whether any feed knows its symbols, and they are visible."""
        return not self.store.behind and any(feed.loaded for feed in self.statuses)

    def loading(self) -> list[str]:
        """The feeds that do not know their symbols yet; one that has failed for good does not count."""
        return [f.name for f in self.statuses if not f.loaded and f.state != "failed"]

    def not_ready(self) -> list[str]:
        """Why no new readers should be sent here; empty if they may."""
        feeds = self.statuses
        reasons = [f"feed {f.name} has not delivered yet" for f in feeds if f.state == "connecting"]
        if feeds and all(f.last_data_at is None for f in feeds):
            reasons.append("no feed has delivered a price")
        return reasons

    def rank(self, symbol: str) -> tuple[int, int]:
        """The rank of a venue symbol for consolidation: smaller is better."""
        return self.sources[symbol].rank

    def awaited(self) -> bool:
        """Whether some feed of real prices has not delivered any yet but still may."""
        real = (feed for feed in self.statuses if feed.kind in {"live", "delayed"})
        return any(feed.last_data_at is None and feed.state != "failed" for feed in real)

    @property
    def stale(self) -> int:
        """How many venue symbols are stale now."""
        return sum(source.state == "stale" for source in self.sources.values())

    def expire(self) -> Iterator[None]:
        """Mark what has been silent for too long, pausing after each slice; to be started every `staleness.TICK_S`."""
        now = self.clock.monotonic()
        for source in self.deadlines.silent(now):
            if source is None:
                yield
            else:
                self.mark(source, "stale")
        for feed in self.feeds.values():
            feed.expire(now)

    def mark(self, source: Source, state: str) -> None:
        """Tell readers that a symbol is now in this state."""
        if source.state != state:
            source.state = state
            self.store.ingest(source.symbol, {"state": state})
            self.wake()


class FeedIntake:
    """The door of one feed; implements `feeds.base.Sink`.

    Args:
        intake: what all feeds share.
        status: the feed's counters and state.
        stale_after_s: the least silence that may count as stale, seconds.
        place: its place in the configuration.
    """

    def __init__(self, intake: Intake, status: FeedStatus, stale_after_s: float, place: int) -> None:
        self.status = status
        self._intake = intake
        self._stale_after_s = stale_after_s
        self._rank = KINDS.index(status.kind), place
        self._sources: dict[str, Source] = {}
        self._run = 0
        self._age = FeedAge(status.kind, stale_after_s, self._all_shut)
        self._verdict: str | None = None  # why it was last called stale here
        self._surplus: str | None = None  # the message about symbols that were left out
        self._rated = 0
        self._rated_at = intake.clock.monotonic()

    # What a feed calls

    def publish(self, quotes: Iterable[Quote]) -> None:
        """Take quotes, in order; see `feeds.base.Sink`."""
        intake = self._intake
        now, wall_ms = intake.clock.monotonic(), intake.clock.wall_ms()
        rows, sources = [], self._sources
        for quote in quotes:
            symbol = quote[0]
            source = sources.get(symbol) or self._birth(symbol, now)
            if source is not None:
                rows.append((source, quote))
        store = intake.store
        if any(quote is not source.quote and store.differs(source.symbol, quote.values) for source, quote in rows):
            self._age.changed(now)
        accepted = self._accept(rows, now, wall_ms)
        self.status.rejects["out_of_order"] += len(rows) - len(accepted)
        if self._age.frozen and self._all_shut():
            self._age.frozen = None  # nothing changes until they open again
        if not accepted:
            if self._surplus and self.status.state == "connecting":
                self.state("connecting", self._surplus)
            return
        for listener in intake.on_ingest:
            listener(accepted, wall_ms)
        self.status.updates += len(accepted)
        self._note_lag(rows, wall_ms)
        self.status.last_data_at = wall_ms
        self._age.came(now)
        state, why = ("stale", self._age.frozen) if self._age.frozen else ("live", self._surplus)
        if self.status.state != state:
            if state == "live" and self._verdict and self._verdict == self.status.message:
                log.info("live", extra={"feed": self.status.name, "state": "live"})
            self.state(state, why)
        if intake.oldest_at is None:
            intake.oldest_at = now
        intake.wake()

    def state(self, state: str, message: str | None = None) -> None:
        """Set the feed's state, with a message that says why."""
        status = self.status
        if (state, message) == (status.state, status.message):
            return
        if state in {"down", "failed", "connecting"}:
            self._run += 1  # a source's own sequence may restart
        if state != status.state:
            status.since = self._intake.clock.wall_ms()
        change = Change(self._intake.clock.wall_ms(), state, message)
        if status.changes and state == status.state and wording(message) == wording(status.message):
            change = change._replace(at=status.changes.pop().at)
        status.changes.append(change)
        status.state, status.message = state, message
        self.show()
        if state in {"down", "failed"}:
            self._mark_all("down")
        elif state == "stale":
            self._mark_all("stale")
        self._intake.wake()

    def remove(self, symbols: Iterable[str]) -> None:
        """These venue symbols are gone for good."""
        for symbol in symbols:
            if (source := self._sources.pop(symbol, None)) is not None:
                source.state = "gone"
                del self._intake.sources[symbol]
                self._intake.store.remove(symbol)
        self.status.symbols = len(self._sources)
        self._intake.wake()

    def loaded(self) -> None:
        """The feed knows its symbols now."""
        self.status.loaded = True

    # What the intake calls

    def show(self) -> None:
        """Write the feed's own record to the store."""
        status = self.status
        self._intake.store.ingest(
            f"@{status.name}",
            {"state": status.state, "since": status.since, "kind": status.kind, "clock": status.clock,
             "message": status.message},
        )  # fmt: skip

    def expire(self, now: float) -> None:
        """Mark the whole feed stale if nothing arrived, or nothing changed, for too long."""
        if now - self._rated_at >= RATE_WINDOW_S:
            self.status.rate = (self.status.updates - self._rated) / (now - self._rated_at)
            self._rated, self._rated_at = self.status.updates, now
        if self.status.state == "live" and (why := self._age.verdict(now)):
            log.info(why, extra={"feed": self.status.name, "state": "stale"})
            self._verdict = why
            self.state("stale", why)

    # Inside

    def _all_shut(self) -> bool:
        """Whether there are markets and none of them is open."""
        return bool(self._sources) and all(source.market != "live" for source in self._sources.values())

    def _birth(self, symbol: str, now: float) -> Source | None:
        """Make the source for a symbol's first row; None if it is not let in.

        A recording may name a venue that has a feed of its own here; it must not touch that feed's symbols.
        """
        intake = self._intake
        if not VENUE_SYMBOL.fullmatch(symbol):
            self.status.rejects["symbol"] += 1
            return None
        owner = intake.feeds.get(symbol.partition(":")[0], self)
        if symbol in intake.sources or owner.status.kind != self.status.kind:
            self._leave_out("symbol", f"{symbol} belongs to another feed; such symbols are left out")
            return None
        if len(intake.sources) >= intake.max_symbols:
            most = f"store.max_symbols = {intake.max_symbols}"
            self._leave_out("limit", f"more symbols than {most}; the rest is left out")
            return None
        source = Source(symbol, self._rank, self._stale_after_s, Rhythm(now), now)
        intake.sources[symbol] = self._sources[symbol] = source
        self.status.symbols = len(self._sources)
        return source

    def _leave_out(self, reason: str, why: str) -> None:
        """Count a row whose symbol is not let in; log why once, and show it for as long as the feed is live."""
        self.status.rejects[reason] += 1
        if self._surplus is None:
            self._surplus = why
            log.warning(why, extra={"feed": self.status.name})
        if self.status.state == "live":
            self.state("live", self._surplus)

    def _accept(self, rows: list[tuple[Source, Quote]], now: float, wall_ms: int) -> list[Quote]:
        """Take the rows that are in order; returns their quotes.

        A sequence that stays behind for longer than a symbol may be silent has restarted, and counts from there.
        """
        store, deadlines = self._intake.store, self._intake.deadlines
        run, frozen, least_s = self._run, self._age.frozen, self._stale_after_s
        suspect_ms = wall_ms - least_s * 1000 if self.status.kind == "live" else -math.inf  # none is too old then
        accepted: list[Quote] = []
        for source, quote in rows:
            symbol, values, ts, seq = quote
            if source.run != run:
                source.run, source.seq = run, None
            before = source.seq
            if seq is not None and before is not None and (seq >= before or now - source.seq_at <= least_s):
                if seq < before:
                    continue
            elif ts is not None and source.ts is not None and ts < source.ts:
                continue
            if seq is not None:
                source.seq, source.seq_at = seq, now
            if ts is not None:
                if source.trades is None:
                    if ts == source.ts and now - source.rhythm.last >= BURST_S:
                        source.trades = Rhythm(now)
                elif ts != source.ts:
                    source.trades.beat(now)
                source.ts = ts
            again = quote is source.quote
            source.quote = quote
            if (last := values.get("last")) and last != source.last:
                price, earlier = float(last), source.price
                if earlier and (price > JUMP * earlier or earlier > JUMP * price):
                    self.status.jumps += 1
                source.last, source.price = last, price
            told = values.get("state", "")
            if told != "":
                source.market = str(told or "live")
            born = not source.state
            state = source.market
            if frozen or (ts is not None and ts < suspect_ms and is_old(source, (wall_ms - ts) / 1000)):
                state = "stale" if state == "live" else state
            elif not born:
                source.rhythm.beat(now)
            if not source.watched:
                deadlines.add(source, now)
            if source.state != state or told not in ("", state):
                source.state, again = state, False
                values = {**values, "state": state}
                if born:
                    values["source"] = symbol.partition(":")[0]
            if not again:
                store.ingest(symbol, values, ts, wall_ms)
            accepted.append(quote)
        return accepted

    def _note_lag(self, rows: list[tuple[Source, Quote]], wall_ms: int) -> None:
        """Note how far behind the exchange's time a batch arrived; replayed and simulated prices have no such time."""
        if self.status.kind in {"live", "delayed"} and self.status.clock == "exchange":
            newest = max((quote.ts for _, quote in rows if quote.ts is not None), default=None)
            if newest is not None:
                self.status.source_lag.observe(max(0.0, (wall_ms - newest) / 1000))

    def _mark_all(self, state: str) -> None:
        for source in self._sources.values():
            if state == "down" or source.market == "live":
                self._intake.mark(source, state)
