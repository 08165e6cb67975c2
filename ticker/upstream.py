"""A gateway's side of the service that it follows: what that shows becomes what this store shows, version by version.

A gateway has no feeds; it serves what another service shows, under the same cursors, so that its readers may go on at
that service or at any other gateway. Versions are never made here, with one exception: when nothing has been heard for
too long, the prices must not look live. The store then begins anew in an epoch of this gateway's own, with the same
prices as `stale`, until the other service is back.

No `await`, no I/O: `ticker.gateway` connects, and hands in what comes.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ticker.clock import Clock
from ticker.model import Value
from ticker.record import PLACES, Contents, Flush, Record
from ticker.store import Store

GATEWAY = " gateway"
"""What a gateway's `hello` adds to the name of the server."""
AWAY_S = 5.0
"""How long there may be no connection before prices are stale. A connection that is mute is judged by its client."""

LEAST_OWN_EPOCH = 1 << 52
"""Those of services are far below, being ms since 1970; a browser can count to twice this."""
MOST_SHOWN = 200
"""How many characters are shown of what the other service says of itself: every reader gets it."""

_STATE = PLACES["state"][1]

log = logging.getLogger("ticker.upstream")


class Connection(Protocol):
    """A connection that is made again whenever it is lost."""

    @property
    def state(self) -> str:
        """`live`, `reconnecting`, or `stale`: nothing has come for longer than the other service is ever silent."""

    @property
    def connected(self) -> bool:
        """Whether there is one now that has brought data; it may be mute."""

    @property
    def trouble(self) -> str:
        """Why the last one ended or could not be made; empty if that has not happened yet."""


@dataclass(slots=True)
class Upstream:
    """What a store follows.

    Args:
        store: shows what the other service shows.
        clock: the gateway's clock.
        name: the other service's address, for messages.
        wake: called after something came: the hub's.

    Attributes:
        connection: the connection to the other service; set by whoever makes it, None while nobody does.
        orphaned: whether the store shows its last prices as stale, in an epoch of its own.
        restarts: how often the store has begun anew.
        updates: how many records have come as changed, or gone, since the start.
        oldest_at: when what the next flush shows first came, monotonic seconds.
    """

    store: Store
    clock: Clock
    name: str
    wake: Callable[[], None] = lambda: None
    connection: Connection | None = None
    orphaned: bool = False
    restarts: int = 0
    updates: int = 0
    oldest_at: float | None = None
    _following: bool = False  # everything has come once
    _lost_at: float | None = None  # since when it has not been live and nothing came, monotonic seconds
    _stale: set[str] | None = None  # the venue symbols that are stale; None: to be looked for
    _said: str | None = None  # the last complaint in the log; empty once it was live

    def __post_init__(self) -> None:
        self.store.epoch = self._own_epoch()
        self.store.on_flush.append(self._note)
        self.store.on_restart.append(self._look_again)

    # What the connection hands in

    def hear(self) -> None:
        """Something has come and is being checked: that is a word, however long it takes."""
        self._lost_at = None

    def replace(self, epoch: int, contents: Contents) -> None:
        """Show all this instead, at once, and send everybody a snapshot of it; see `Store.restart`."""
        self._following, self.orphaned, self._lost_at = True, False, None
        self.store.restart(epoch, contents)
        self._began_anew()

    def merge(self, version: int, records: Mapping[str, dict[str, Value]], gone: Sequence[str]) -> None:
        """Show what changed up to a version; it must follow what came last, and the store may not be orphaned.

        `records` are the fields that changed, by the keys of the store, and `gone` are symbols.
        """
        assert not self.orphaned
        self._lost_at = None
        if version <= self.store.reached:  # it repeats what came before
            return
        self.updates += len(records) + len(gone)
        for symbol in gone:
            self.store.remove(symbol)
        for key, values in records.items():
            self.store.ingest(key, values)
        self.store.follow(version)
        if self.oldest_at is None:
            self.oldest_at = self.clock.monotonic()
        self.wake()

    # What the hub and the service ask

    def expire(self) -> Iterator[None]:
        """Show the prices as stale if the other service has been away for too long, while it is followed."""
        if self.connection is None:
            return iter(())
        if self.live:
            if self._said != "":
                log.info("following %s", self.name)
            self._lost_at, self._said = None, ""
        else:
            if self._lost_at is None:
                self._lost_at = self.clock.monotonic()
            if self._complaint() != self._said and (self._following or self._trouble()):
                self._said = self._complaint()
                log.warning(self._said)
        if self._following and not self.orphaned and self._away():
            self.orphaned = True
            self.store.go_stale(self._own_epoch(), self.clock.wall_ms(), self._complaint())
            self._began_anew()
        return iter(())

    def kinds(self) -> list[str]:
        """The kinds of all feeds."""
        return sorted({str(kind) for feed in self.store.feeds() if (kind := feed.get("kind"))})

    def begun(self) -> bool:
        """Whether symbols are known."""
        return self._following

    def loading(self) -> list[str]:
        """The feeds that may not know their symbols yet: none has come, and they may still bring some."""
        feeds = [(feed.key[1:], feed.get("state")) for feed in self.store.feeds()]
        return [name for name, state in feeds if state in {"connecting", "down"} and not self.store.has_venue(name)]

    def not_ready(self) -> list[str]:
        """Why no new readers should be sent here; empty if they may."""
        return [] if self._following and not self.orphaned else [self._complaint()]

    @property
    def live(self) -> bool:
        """Whether there is a connection, and it is not mute."""
        return self.connection is not None and self.connection.state == "live"

    @property
    def stale(self) -> int:
        """How many venue symbols are stale now."""
        if self._stale is None:
            self._stale = {record.key for record in self.store.records() if record.instrument and _is_stale(record)}
        return len(self._stale)

    # Inside

    def _away(self) -> bool:
        """Whether there has been no word for too long; finding out that a connection is mute has taken that long."""
        connection = self.connection
        mute = connection is not None and connection.connected and connection.state == "stale"
        return mute or (self._lost_at is not None and self.clock.monotonic() - self._lost_at >= AWAY_S)

    def _complaint(self) -> str:
        text = f"no word from {self.name}" if self._following else f"nothing has come yet from {self.name}"
        return f"{text}: {why[:MOST_SHOWN]}" if (why := self._trouble()) else text

    def _trouble(self) -> str:
        """Why there is no connection; empty if there is one."""
        connection = self.connection
        return "" if connection is None or connection.connected else connection.trouble

    def _own_epoch(self) -> int:
        """An epoch that no other process uses, as it is random."""
        return LEAST_OWN_EPOCH + secrets.randbelow(LEAST_OWN_EPOCH)

    def _note(self, flush: Flush) -> None:
        """Keep count of what is stale."""
        if self._stale is not None:
            for record in flush.changed:
                if record.instrument and record.mask & _STATE:
                    (self._stale.add if _is_stale(record) else self._stale.discard)(record.key)
            self._stale.difference_update(flush.gone)

    def _look_again(self) -> None:
        self._stale = None

    def _began_anew(self) -> None:
        self.restarts += 1
        self.oldest_at = None
        self.wake()


def _is_stale(record: Record) -> bool:
    return record.get("state") == "stale"
