"""What one feed remembers of each symbol that had a row; what a server invents takes bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feeds.exchange.change import DayChanges
from feeds.exchange.directory import OPEN, Directory
from feeds.exchange.venue import Venue
from feeds.rows import digits_of
from ticker.clock import Clock
from ticker.model import Quote, Value

ABSENT_S = 600.0
"""A symbol that is no longer listed is removed once there was no row for it for this long."""


class Memory:
    """When each symbol last had a row, its decimals, and its prices of the day.

    Attributes:
        changes: the changes of its prices.

    Args:
        venue: whose symbols they are.
        directory: which of them are listed.
        clock: for ages and trading hours.
    """

    def __init__(self, venue: Venue, directory: Directory, clock: Clock) -> None:
        self.changes = DayChanges(venue.change_from, venue.limits.symbols)
        self._venue = venue
        self._directory = directory
        self._clock = clock
        self._seen_at: dict[str, float] = {}
        self._digits: dict[str, int] = {}

    def see(self, symbols: Sequence[str]) -> None:
        """Note that these symbols had a row just now."""
        room = self._venue.limits.symbols - len(self._seen_at)
        if len(symbols) > room:
            new = [symbol for symbol in symbols if symbol not in self._seen_at]
            symbols = [symbol for symbol in symbols if symbol in self._seen_at] + new[: max(0, room)]
        self._seen_at.update(dict.fromkeys(symbols, self._clock.monotonic()))

    def decimals(self, symbol: str, values: Mapping[str, Value]) -> int:
        """Digits after the point if the list does not give them: the most that any price of the symbol has had.

        With exchanges that cut trailing zeros the number would otherwise flicker.
        """
        digits = max(self._digits.get(symbol, 0), digits_of(values))
        if symbol in self._digits or len(self._digits) < self._venue.limits.symbols:
            self._digits[symbol] = digits
        return digits

    def delisted(self) -> list[str]:
        """Forget and return the venue symbols that neither the list nor recent rows have any more."""
        limit = self._clock.monotonic() - ABSENT_S
        gone = [s for s, at in self._seen_at.items() if at < limit and not self._directory.lists(s)]
        for symbol in gone:
            del self._seen_at[symbol]
            self._digits.pop(symbol, None)
            self.changes.forget(symbol)
        return gone

    def halted(self) -> list[Quote]:
        """The state of known symbols whose markets are not open, by trading hours or by the list.

        The exchange may send no rows that say so.
        """
        if self.shut:
            return [Quote(symbol, {"state": "closed"}) for symbol in self._seen_at]
        listed = ((symbol, self._directory.market(symbol)) for symbol in self._seen_at)
        return [Quote(symbol, {"state": state}) for symbol, state in listed if state not in OPEN]

    @property
    def shut(self) -> bool:
        """Whether it is outside the trading hours of an exchange that has any."""
        session, now = self._venue.session, self._clock.wall_ms()
        return session is not None and session.state(now, now) == "closed"
