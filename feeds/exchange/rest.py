"""The HTTP requests of one feed: paced by the host's budget, conditional if the server sends an ETag, and parsed.

The pace keeps within the exchange's limits, whichever feeds share the host, and no request is sent while the exchange
asks for a pause. A 304 counts as the last answer again. Works for every `Venue` and mentions none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from feeds.base import Context
from feeds.budget import Budget
from feeds.exchange.fetch import Answer, HttpSource
from feeds.exchange.venue import Limits
from ticker.errors import FeedError
from ticker.model import FeedStatus

T = TypeVar("T")

MOST_KEPT = 16
KEPT_BYTES = 4_000_000
"""How many answers are kept for a 304, and the size limit of each."""
_ETAG = re.compile(r"[!-~]{1,200}")
"""An ETag that can be sent back in a header."""


class Rest:
    """The HTTP side of one feed.

    Args:
        source: the host; the feed opens it.
        limits: the exchange's rate limits.
        gap_s: minimum seconds from the start of one request to the start of the next.
        budget: shared by all feeds of the host.
        context: time.
    """

    def __init__(self, source: HttpSource, limits: Limits, gap_s: float, budget: Budget, context: Context) -> None:
        self.source = source
        self._limits = limits
        self._gap_s = gap_s
        self._budget = budget
        self._clock = context.clock
        self._tagged: dict[str, Answer] = {}

    async def ask(self, target: str, parse: Callable[[bytes], T], status: FeedStatus, *, method: str = "GET") -> T:
        """The parsed answer, which is never empty; everything else is a `FeedError`."""
        waited_s = await self._budget.request(self._clock, self._gap_s)
        status.rate_limit_wait_s += waited_s  # not `+= await`: others wait meanwhile
        try:
            answer = await self._answer(target, status, method)
            try:
                found = parse(answer.body)
            except ValueError as error:
                raise FeedError(f"{self.source.route} sent an unreadable answer: {str(error)[:200]}") from error
        except FeedError as error:
            self._budget.obey(self._clock, error, self._limits.ban_s, connects=error.reason == "banned")
            raise
        if not found:
            raise FeedError(f"{self.source.route} sent an answer without any entries")
        return found

    async def _answer(self, target: str, status: FeedStatus, method: str) -> Answer:
        before = self._tagged.get(target)
        headers = {"If-None-Match": before.headers["etag"]} if before else None
        asked_at = self._clock.monotonic()
        answer = await self.source.ask(target, status, method=method, headers=headers)
        status.answer_time.observe(self._clock.monotonic() - asked_at)
        self._note_use(answer)
        if before and answer.status == HTTPStatus.NOT_MODIFIED:
            return before
        self._tagged.pop(target, None)
        sane = _ETAG.fullmatch(answer.headers.get("etag", ""))
        if sane and len(self._tagged) < MOST_KEPT and len(answer.body) <= KEPT_BYTES:
            self._tagged[target] = answer
        return answer

    def _note_use(self, answer: Answer) -> None:
        limits = self._limits
        used = answer.headers.get(limits.used_header, "") if limits.used_header else ""
        if used.isascii() and used.isdigit():
            self._budget.used(self._clock, int(used[:9]), limits.used_limit)
