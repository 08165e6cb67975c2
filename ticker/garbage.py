"""What the garbage collector must not look at again and again: at 50,000 symbols each time would take 0.1 s.

Nearly all that a service has made stays, so it is *frozen*: set aside, as no garbage. Part of the composition root.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator

from ticker.service import Service

MANY_MORE = 1.5
"""By what factor the symbols must have grown before they are frozen again."""
FROZEN_S = 600.0
"""How long what is frozen need not be looked at, seconds: that takes 0.2 s at 50,000 symbols."""


def freezer(service: Service) -> Callable[[], None]:
    """A function to call regularly: once prices are there, it freezes all objects.

    It freezes again when many more symbols have come, or the store has begun anew, with other records; now and then it
    first looks for garbage among what was frozen: a connection that was open then may have left some.
    """
    store, clock = service.store, service.clock
    frozen, looked_at = 0, clock.monotonic()

    def begin_anew() -> None:
        nonlocal frozen
        frozen = 0
        gc.freeze()  # before anybody collects: it would look at all that was made

    def freeze() -> None:
        nonlocal frozen, looked_at
        if service.facts.loaded() and len(store) > MANY_MORE * frozen:
            if clock.monotonic() - looked_at >= FROZEN_S:
                gc.unfreeze()
                looked_at = clock.monotonic()
            gc.collect()
            gc.freeze()
            frozen = len(store)

    store.on_restart.append(begin_anew)
    return freeze


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile: very many objects are made."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
