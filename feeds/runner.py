"""Keeps one feed going: what it raises becomes a state, a count, one line in the log and another try.

Promises: no failure of a feed reaches the rest of the service; it is retried for ever, after growing and
jittered pauses that are short again once it has delivered, and never earlier than the exchange has asked.
A bug is not retried, for that would hide it. Cancellation passes through. Never looks into prices.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from feeds.base import Context, Feed, Sink
from ticker.errors import FatalFeedError, FeedError
from ticker.model import Quote

log = logging.getLogger("ticker.feeds")

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
LONGEST_RETRY_AFTER_S = 3600.0


class Runner:
    """Runs one feed into its sink, for as long as the service lives."""

    def __init__(self, feed: Feed, sink: Sink, context: Context) -> None:
        self._feed = feed
        self._tap = _Tap(feed.name, sink)
        self._clock = context.clock
        self._rng = context.rng

    async def run(self) -> None:
        """Supervise until cancelled. Returns early if the source has ended or the feed is parked as failed."""
        failures = 0
        while (error := await self._try()) is not None:
            failures = 1 if self._tap.delivered else failures + 1
            pause_s = self._pause_s(failures, error.retry_after_s)
            self._tap.retry(error, pause_s)
            await self._clock.sleep(pause_s)
            self._tap.status.reconnects += 1

    async def _try(self) -> FeedError | None:
        """Run the feed once: the failure to be tried again, or None if there is nothing to try again."""
        self._tap.delivered = False
        try:
            await self._feed.run(self._tap)
        except FatalFeedError as error:
            self._tap.park(error)
        except FeedError as error:
            return error
        except OSError as error:  # a network's failure that the feed did not put into its own words
            reason = "timeout" if isinstance(error, TimeoutError) else "connect"
            return FeedError(str(error) or type(error).__name__, reason=reason)
        except Exception as error:  # noqa: BLE001 - the project's one broad handler: no feed's bug ends the rest
            self._tap.park(error)
        else:
            log.info("feed=%s ended", self._feed.name)
        return None

    def _pause_s(self, failures: int, retry_after_s: float | None) -> float:
        longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures - 1, 10))
        return min(retry_after_s or 0.0, LONGEST_RETRY_AFTER_S) + self._rng.uniform(0.0, longest_s)


class _Tap:
    """The feed's sink, with a note of whether it has delivered and a line in the log for each new state."""

    def __init__(self, name: str, sink: Sink) -> None:
        self.status = sink.status
        self.delivered = False
        self._name = name
        self._sink = sink
        self._logged: tuple[str, str | None] = ("connecting", None)

    def publish(self, quotes: Iterable[Quote]) -> None:
        self.delivered = True
        self._sink.publish(quotes)
        if self.status.state == "live" and self._is_news("live"):
            log.info("feed=%s state=live", self._name)

    def state(self, state: str, message: str | None = None) -> None:
        if self._is_news(state, message):
            log.info('feed=%s state=%s message="%s"', self._name, state, message or "")
        self._sink.state(state, message)

    def remove(self, symbols: Iterable[str]) -> None:
        self._sink.remove(symbols)

    def loaded(self) -> None:
        self._sink.loaded()

    def retry(self, error: FeedError, pause_s: float) -> None:
        """The feed is down and will be tried again."""
        self._count(error)
        if self._is_news("down", error.reason):
            line = 'feed=%s state=down reason=%s retry_s=%.1f message="%s"'
            log.warning(line, self._name, error.reason, pause_s, error)
        self._sink.state("down", str(error))

    def park(self, error: Exception) -> None:
        """The feed will not be tried again."""
        if isinstance(error, FeedError):
            self._count(error)
            log.error('feed=%s state=failed reason=%s message="%s"', self._name, error.reason, error)
            self._sink.state("failed", str(error))
        else:
            log.error("feed=%s state=failed error=%s", self._name, type(error).__name__, exc_info=error)
            self._sink.state("failed", f"stopped by a bug ({type(error).__name__}), see the log")

    def _count(self, error: FeedError) -> None:
        errors = self.status.errors
        errors[error.reason if error.reason in errors else "protocol"] += 1

    def _is_news(self, state: str, detail: str | None = None) -> bool:
        before, self._logged = self._logged, (state, detail)
        return before != self._logged
