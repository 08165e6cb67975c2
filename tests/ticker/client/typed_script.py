"""A script as its author's type checker sees it; read by `test_typing.py`, never run."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, assert_type

from ticker.client import Change, Frame, Quote, State, View, get, sync, watch


async def asynchronous() -> None:
    async with watch("BTC-USD", fields=("last", "ts"), interval_ms=250, on_state=print) as view:
        assert_type(view, View[Decimal])
        assert_type(view["BTC-USD"], Quote[Decimal])
        assert_type(view["BTC-USD"].last, Decimal | None)
        assert_type(view["BTC-USD"].ts, int | None)
        assert_type(view["BTC-USD"].state, str | None)
        assert_type(view.get("BTC-USD"), Quote[Decimal] | None)
        assert_type(view.state, State)
        assert_type(view.cursor, str | None)
        async for change in view:
            assert_type(change, Change[Decimal])
            assert_type(change.quote.mid, Decimal | None)
            if change.quote.bid is not None and change.quote.ask is not None:
                spread: Decimal = change.quote.ask - change.quote.bid
                print(spread)
            assert_type(change.fields, tuple[str, ...])
        async for frame in view.frames():
            assert_type(frame, Frame[Decimal])
            assert_type(frame.deltas, Mapping[str, dict[str, str | int | float | None] | None])
        await view.subscribe("ETH-USD", "kraken:*")
    async with watch("BTC-USD", exact=False) as floats:
        assert_type(floats["BTC-USD"].last, float | None)
        assert_type(await floats.wait_for("BTC-USD", lambda quote: (quote.bid or 0) > 1), Quote[float])
    assert_type(await get("BTC-USD", exact=True), list[dict[str, Any]])


def blocking(*, exact: bool) -> None:
    assert_type(sync.watch("BTC-USD", exact=exact), sync.View[Decimal] | sync.View[float])
    with sync.watch("BTC-USD", exact=False) as view:
        for change in view:
            assert_type(change.quote["ask"], float | None)
        for frame in view.frames():
            assert_type(frame, Frame[float])
    assert_type(sync.get("BTC-USD"), list[dict[str, Any]])


def mistakes() -> None:
    watch("BTC-USD", interval=250)  # type: ignore[call-overload]
    watch("BTC-USD", fields=3)  # type: ignore[call-overload]
    print(sync.watch("BTC-USD").lst)  # type: ignore[attr-defined]
