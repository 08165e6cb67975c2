"""What a request costs, checked before the work is done and counted for its address; see `ticker.quota`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends

from ticker.errors import ProtocolError
from ticker.scope import Scope
from ticker.selection import Selection
from ticker.service import Service
from ticker.slices import tested, untested
from web.problem import Problem

RETRY_SOON = {"Retry-After": "1"}


async def _in_hand() -> AsyncIterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


InHand = Annotated[contextlib.ExitStack, Depends(_in_hand)]
"""Closed when the answer has been taken, or its client has left."""


async def admit_patterns(service: Service, address: str, selection: Selection) -> None:
    """Match all symbols against the patterns that are new, and charge the address as for an answer with all of them.

    Raises:
        Problem: 503, the address has asked for too much lately.
    """
    if new := untested(service.store, selection):
        check_snapshot(service, address, sum(map(service.store.tests, new)))
        await service.hub.turns.complete(tested(service.store, selection))


@contextlib.contextmanager
def scope_of(service: Service, selection: Selection) -> Iterator[Scope]:
    """The selection, resolved for the duration of the block.

    Raises:
        Problem: 400, it matches more symbols than one reader may select.
    """
    scope = service.store.resolve(selection)
    try:
        matched, limit = service.store.matched(scope), service.settings.limits.symbols
        if matched > limit:
            raise Problem(400, "too_many_symbols", f"{matched} symbols match, {limit} are allowed")
        yield scope
    finally:
        service.store.release(scope)


def check_snapshot(service: Service, address: str, symbols: int, in_hand: contextlib.ExitStack | None = None) -> None:
    """Charge an address for the symbols of a full answer, and count them as in hand; see `ticker.quota`.

    Raises:
        Problem: 503, the address has asked for too much lately, or does not take what it asked for.
    """
    quota = service.hub.groups.quota
    with as_problem():
        if in_hand is not None:
            in_hand.enter_context(quota.in_hand(address, symbols))
        quota.check_snapshot(address, symbols)


@contextlib.contextmanager
def as_problem() -> Iterator[None]:
    """Turn a `ProtocolError` into a `Problem`: 503 if the same may be accepted later, else 400."""
    try:
        yield
    except ProtocolError as error:
        if error.code == "overloaded":
            raise Problem(503, error.code, str(error), RETRY_SOON) from None
        raise Problem(400, error.code, str(error)) from None
