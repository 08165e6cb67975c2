"""Supervises one feed: an exception is counted and retried and, if it persists, becomes a state and a log line.

No failure of a feed reaches the rest of the service. It is retried for ever, with exponential backoff and jitter
that start over once it has delivered, and never earlier than the exchange has asked. A feed that has just delivered
is not `down` after one failure: it keeps its state, with the failure as message, until its prices are too old. A bug
is not retried, because that would hide it. Cancellation passes through. Prices are never looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from feeds.backoff import Backoff
from feeds.base import Context, Sink
from ticker.errors import FatalFeedError, FeedError
from ticker.model import Quote, wording

MOST_TOLD = 20
"""How many different messages about one state are logged."""

log = logging.getLogger("ticker.feeds")


def log_fields(name: str) -> dict[str, object]:
    """The log's fields for the name of a feed, `alpha`, or of a part of one, `alpha polls`."""
    feed, _, part = name.partition(" ")
    return {"feed": feed, "part": part} if part else {"feed": feed}


class Runnable(Protocol):
    """What can be supervised: a `base.Feed`, or a part of one."""

    @property
    def name(self) -> str:
        """Its name in the log."""

    @property
    def stale_after_s(self) -> float:
        """How long it may keep its state while it fails, in seconds since it last delivered."""

    async def run(self, sink: Sink, /) -> None:
        """See `base.Feed.run`."""


class Runner:
    """Runs one feed for as long as the service lives."""

    def __init__(self, feed: Runnable, sink: Sink, context: Context) -> None:
        self._feed = feed
        self._tap = _Tap(feed, sink, context)
        self._clock = context.clock
        self._backoff = Backoff(context.rng)

    async def run(self) -> None:
        """Supervise until cancelled. Returns early if the source has ended or the feed has failed for good."""
        while (error := await self._try()) is not None:
            if self._tap.delivered:
                self._backoff.forgive()
            pause_s = self._backoff.pause_s(error)
            self._tap.retry(error, pause_s)
            await self._clock.sleep(pause_s)
            self._tap.status.reconnects += 1

    async def _try(self) -> FeedError | None:
        """Run the feed once: the failure to retry after, or None if there is nothing to retry."""
        self._tap.delivered = False
        try:
            await self._feed.run(self._tap)
        except FatalFeedError as error:
            self._tap.park(error)
        except FeedError as error:
            return error
        except OSError as error:  # a network failure that the feed has not turned into a FeedError
            reason = "timeout" if isinstance(error, TimeoutError) else "connect"
            return FeedError(str(error) or type(error).__name__, reason=reason)
        except Exception as error:  # noqa: BLE001 - the project's one broad handler: a feed's bug ends only the feed
            self._tap.park(error)
        else:
            log.info("ended", extra=log_fields(self._feed.name))
        return None


class _Tap:
    """The feed's sink; remembers when the feed delivered, and logs each new state."""

    def __init__(self, feed: Runnable, sink: Sink, context: Context) -> None:
        self.status = sink.status
        self.delivered = False
        self._name = feed.name
        self._feed = feed
        self._clock = context.clock
        self._sink = sink
        self._delivered_at: float | None = None
        self._excuse: str | None = None  # the failure shown while the feed keeps its state
        self._state = "connecting"  # as logged last,
        self._told: set[str | None] = {None}  # with these messages

    def publish(self, quotes: Iterable[Quote]) -> None:
        self.delivered = True
        self._delivered_at = self._clock.monotonic()
        self._sink.publish(quotes)
        if self._excuse is not None:
            if self.status.message == self._excuse:
                self._sink.state(self.status.state, None)
            self._excuse = None
        if self.status.state == "live" and self._is_news("live"):
            log.info("live", extra=self._fields("live"))

    def state(self, state: str, message: str | None = None) -> None:
        if self._is_news(state, message):
            level = logging.WARNING if state in {"down", "failed"} and message else logging.INFO
            log.log(level, message or state, extra=self._fields(state))
        self._sink.state(state, message)

    def remove(self, symbols: Iterable[str]) -> None:
        self._sink.remove(symbols)

    def loaded(self) -> None:
        self._sink.loaded()

    def retry(self, error: FeedError, pause_s: float) -> None:
        """The feed has failed and will be retried."""
        self._count(error)
        at = self._delivered_at
        if at is not None and self._clock.monotonic() - at <= self._feed.stale_after_s:
            log.debug(str(error), extra=self._fields(None, reason=error.reason, retry_s=round(pause_s, 1)))
            self._excuse = str(error)
            self._sink.state(self.status.state, self._excuse)
            return
        if self._is_news("down", error.reason):
            log.warning(str(error), extra=self._fields("down", reason=error.reason, retry_s=round(pause_s, 1)))
        self._sink.state("down", str(error))

    def park(self, error: Exception) -> None:
        """The feed has failed for good and will not be retried."""
        if isinstance(error, FeedError):
            self._count(error)
            log.error(str(error), extra=self._fields("failed", reason=error.reason))
            self._sink.state("failed", str(error))
        else:
            first = error
            while isinstance(first, ExceptionGroup):
                first = first.exceptions[0]
            log.error("stopped by a bug: %s", type(first).__name__, exc_info=error, extra=self._fields("failed"))
            self._sink.state("failed", f"stopped by a bug ({type(first).__name__}); see the log, restart to retry")

    def _fields(self, state: str | None, **more: object) -> dict[str, object]:
        """The fields of a log line."""
        return log_fields(self._name) | ({"state": state} if state else {}) | more

    def _count(self, error: FeedError) -> None:
        errors = self.status.errors
        errors[error.reason if error.reason in errors else "protocol"] += 1

    def _is_news(self, state: str, detail: str | None = None) -> bool:
        """Whether the log does not have this yet: a message that comes, goes and comes back is logged once a state."""
        detail = wording(detail)
        if state != self._state:
            self._state, self._told = state, {None}
        elif detail in self._told or len(self._told) > MOST_TOLD:
            return False
        self._told.add(detail)
        return True
