"""What a stream covers: which symbols and fields it delivers, so which must be polled, and what of a poll is news.

Neither ever sets the other back: what was streamed is newer than what a poll says of it, and a poll's price is not
older than the last streamed one only because its time is coarser. Pure, except that it reads the clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from feeds.exchange.shards import Shard
from feeds.rows import PRICES
from ticker.clock import Clock
from ticker.model import Quote

QUIET_S = 4.0
"""A field that the stream has not delivered for this long is taken from polls."""
NEVER = float("-inf")
NOT_NEWS = frozenset({"decimals", "name", "state"})
"""Fields that are taken from polls, whatever the stream delivers."""


@dataclass(slots=True)
class Recent:
    """What came for one symbol lately; times are monotonic seconds.

    Attributes:
        asked_at: when it was last polled.
        ts: the exchange's time of the last streamed quote.
        came_at: when the stream last delivered anything.
        doubtful: the stream's first quote after a silence was old by its own time, and no poll has followed yet.
        fields: when the stream last delivered each field; one of its channels may be mute while others are not.
    """

    asked_at: float = NEVER
    ts: int | None = None
    came_at: float = NEVER
    doubtful: bool = False
    fields: dict[str, float] = field(default_factory=dict)

    @property
    def priced_at(self) -> float:
        """When the stream delivered the oldest of the price fields."""
        return min((self.fields[name] for name in PRICES if name in self.fields), default=NEVER)


class Coverage:
    """What came for the symbols of one feed, by stream and by polls.

    Attributes:
        carriers: the shard that carries each venue symbol, and its wire name there; kept by the feed.

    Args:
        complete: see `Stream.complete`.
        stale_after_s: how long a symbol must be silent to count as stale.
        most: how many symbols are remembered, in case a server invents names.
        clock: time.
    """

    def __init__(self, *, complete: bool, stale_after_s: float, most: int, clock: Clock) -> None:
        self.carriers: dict[str, tuple[Shard, str]] = {}
        self._complete = complete
        self._stale_after_s = stale_after_s
        self._most = most
        self._clock = clock
        self._recent: dict[str, Recent] = {}
        self._polled = set(NOT_NEWS)  # all fields that polls ever had

    def lacks(self, symbol: str, quiet_s: float) -> bool:
        """Whether a venue symbol must be polled: the stream lacks something of it, or has been quiet for so long."""
        carrier = self.carriers.get(symbol)
        if carrier is None or not (self._complete and carrier[0].brings(carrier[1])):
            return True
        recent = self._of(symbol)
        return recent.doubtful or self._clock.monotonic() - max(recent.asked_at, recent.priced_at) > quiet_s

    def asked(self, symbols: Iterable[str]) -> None:
        """These were polled, whether or not the answer had them."""
        for symbol in symbols:
            recent = self._of(symbol)
            recent.asked_at, recent.doubtful = self._clock.monotonic(), False

    def streamed(self, quotes: Iterable[Quote]) -> list[Quote]:
        """Remember quotes of the stream; returns them."""
        now, wall_ms = self._clock.monotonic(), self._clock.wall_ms()
        passed = list(quotes)
        for quote in passed:
            recent = self._of(quote.symbol)
            if quote.ts is not None:
                recent.ts = quote.ts
                # As with a quiet symbol's first quote on a new connection; if the exchange's clock is slow, every one.
                if now - recent.came_at > self._stale_after_s and wall_ms - quote.ts > self._stale_after_s * 1000:
                    recent.doubtful = True
            recent.came_at = now
            recent.fields.update(dict.fromkeys(quote.values, now))
        return passed

    def polled(self, quotes: Iterable[Quote]) -> list[Quote]:
        """Polled quotes without the fields that the stream delivers: its prices are newer.

        What is left is not rejected for a slightly older time: REST often has whole seconds, or a cached time; and if a
        working stream has nothing newer, nobody has traded since. While the stream is away, fields that polls never
        have are cleared: they would belong to other prices than those beside them.
        """
        now = self._clock.monotonic()
        old_ms = self._clock.wall_ms() - self._stale_after_s * 1000
        since, quiet_since = now - self._stale_after_s, now - QUIET_S
        trimmed = []
        for quote in quotes:
            recent, carrier = self._of(quote.symbol), self.carriers.get(quote.symbol)
            recent.asked_at = now
            values, fields, tolerance_ms = quote.values, recent.fields, 1000.0
            self._polled.update(values)
            delivering = carrier is not None and carrier[0].delivering
            if delivering:
                if recent.came_at >= since:
                    tolerance_ms = self._stale_after_s * 1000
                left = (n for n in values if n in NOT_NEWS or fields.get(n, NEVER) < quiet_since)
                values = {n: values[n] for n in left}
            else:
                lost = (n for n, at in fields.items() if at < since and n not in self._polled)
                values = {**dict.fromkeys(lost), **values}
            ts = quote.ts
            if ts is not None and recent.ts is not None and 0 <= recent.ts - ts <= tolerance_ms:
                ts = None if delivering and recent.ts < old_ms else recent.ts
            trimmed.append(Quote(quote.symbol, values, ts, quote.seq))
        return trimmed

    def _of(self, symbol: str) -> Recent:
        recent = self._recent.get(symbol)
        if recent is None:
            recent = Recent()
            if len(self._recent) < self._most:
                self._recent[symbol] = recent
        return recent
