"""The client library against the real service, in one process: what a script sees."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.web.server import PRICES, Live, run, serving, start
from ticker.client import ConfigError, RefusedError, State, UnknownSymbolError, UnreachableError, get, sync, watch
from ticker.model import FIELDS


def url(live: Live) -> str:
    return f"http://127.0.0.1:{live.port}"


@serving()
async def test_a_view_has_the_current_quotes(live: Live) -> None:
    """After entering, the first data is there: exact prices by symbol, and the cursor."""
    async with watch(url(live), "BTC-USD", "toy:*") as view:
        assert view.state == "live"
        assert view["BTC-USD"].last == Decimal("97000.10")
        assert str(view["BTC-USD"].last) == "97000.10"
        assert (
            set(view.quotes()) == {"BTC-USD", "toy:BTC-USD", "toy:ETH-USD"} == {s for s in view.quotes() if s in view}
        )
        assert (len(view), view.get("NOPE"), view.feeds["toy"]["kind"]) == (3, None, "live")
        assert (view.cursor or "").startswith(f"{live.service.store.epoch}:{live.service.store.version}:")
        with pytest.raises(KeyError, match="NOPE"):
            view["NOPE"]
        with pytest.raises(TypeError, match="not iterable"):  # seen: KeyError: 0
            list(view)  # type: ignore[call-overload]
        with pytest.raises(RuntimeError, match="a view can be entered only once"):
            await view.__aenter__()


@serving()
async def test_changes_name_the_changed_fields(live: Live) -> None:
    """First come the current quotes, then one change at a time."""
    async with watch("BTC-USD", url=url(live), fields=("last", "bid")) as view:
        changes = aiter(view)
        first = await anext(changes)
        live.publish({"BTC-USD": "97001.5"})
        second = await anext(changes)
    assert (first.symbol, first.snapshot, first.quote.last) == ("BTC-USD", True, Decimal("97000.10"))
    assert (second.snapshot, second.fields, second.quote.last) == (False, ("last",), Decimal("97001.5"))
    assert (second.version > first.version, second.quote.ask) == (True, None)


@serving()
async def test_a_view_has_floats_on_request(live: Live) -> None:
    """It has floats instead of exact prices."""
    async with watch(url(live), "*", exact=False) as view:
        assert {s: q.last for s, q in view.quotes().items()} == {s: float(p) for s, p in PRICES.items()}
        assert isinstance(view["BTC-USD"].last, float)


@serving()
async def test_patterns_are_subscribed_and_unsubscribed_at_run_time(live: Live) -> None:
    """Subscribing returns with the quotes there, unsubscribing with them gone; a new loop starts with all of them."""
    async with watch(url(live), "BTC-USD") as view:
        await view.subscribe("toy:*", "SOL-USD")
        assert set(view.quotes()) == {"BTC-USD", "toy:BTC-USD", "toy:ETH-USD"}
        live.publish({"SOL-USD": "150"})
        assert (await view.wait_for("SOL-USD", lambda quote: quote.last == 150)).source == "toy"
        await view.unsubscribe("toy:*")
        assert set(view.quotes()) == {"BTC-USD", "SOL-USD"}
        with pytest.raises(RefusedError, match="not subscribed to 'toy:"):
            await view.unsubscribe("toy:*")
        frame = await anext(view.frames())
        assert (frame.snapshot, set(frame.deltas)) == (True, {"BTC-USD", "SOL-USD"})
        await view.unsubscribe("BTC-USD", "SOL-USD")
        assert len(view) == 0
        await view.subscribe("ETH-USD")
        assert view["ETH-USD"].last == Decimal("3100.5")


@serving()
async def test_unknown_symbols_have_their_nearest_names(live: Live) -> None:
    """A mistyped symbol is waited for, since it may appear, but its nearest names are available."""
    async with watch(url(live), "BTC-USD", "ETH-USDX") as view:
        assert view.unknown == {"ETH-USDX": ["ETH-USD"]}
        await view.subscribe("SOL-USD")
        assert view.unknown.keys() == {"ETH-USDX", "SOL-USD"}
        live.publish({"SOL-USD": "150"})
        await view.wait_for("SOL-USD", lambda quote: quote.last == 150)
        assert view.unknown.keys() == {"ETH-USDX"}
        await view.unsubscribe("ETH-USDX")
        assert view.unknown == {}


@serving()
async def test_unknown_symbols_are_reported_once_the_feeds_have_loaded(live: Live) -> None:
    """A script that subscribes while a feed may still bring the symbol is told once that feed has loaded.

    Seen: `view.unknown` stayed empty for ever, and a loop was mute.
    """
    late = live.service.feed("late", "live", "received", 5.0)
    late.state("connecting", "on its way")
    live.hub.flush()
    told: asyncio.Queue[dict[str, list[str]]] = asyncio.Queue()
    async with watch(url(live), "BTC-USD", "ETH-USDX", on_unknown=told.put_nowait) as view:
        assert (view.unknown, told.empty()) == ({}, True)
        late.loaded()
        late.state("live")
        assert await told.get() == {"ETH-USDX": ["ETH-USD"]}
        assert view.unknown == {"ETH-USDX": ["ETH-USD"]}


@serving(limits={"patterns": 3})
async def test_a_refused_subscription_changes_nothing(live: Live) -> None:
    """Too many symbols are a typed error; the view keeps what it had."""
    async with watch(url(live), "BTC-USD") as view:
        with pytest.raises(RefusedError, match="at most 3") as refusal:
            await view.subscribe("A", "B", "C")
        assert refusal.value.code == "too_many_symbols"
        await view.subscribe("ETH-USD")
        assert set(view.quotes()) == {"BTC-USD", "ETH-USD"}


@serving()
async def test_a_list_as_one_symbol_is_refused(live: Live) -> None:
    """Seen: `view.subscribe(["BTC-USD", "toy:*"])` was a TypeError about hashes, though `watch` says what to do."""
    symbols: Any = ["BTC-USD", "toy:*"]
    async with watch(url(live), "BTC-USD") as view:
        for act in (view.subscribe, view.unsubscribe):
            with pytest.raises(ConfigError, match="give each symbol or pattern as a string of its own"):
                await act(symbols)
        await view.subscribe(*symbols)
        assert "toy:ETH-USD" in view


@serving()
async def test_wait_for_refuses_a_symbol_outside_the_view(live: Live) -> None:
    """Seen: `wait_for` of a symbol that no pattern of the view matches never returned. A pattern that matches is
    enough.
    """
    async with watch(url(live), "*-USD") as view:
        assert (await view.wait_for("BTC-USD", lambda quote: quote.last is not None)).symbol == "BTC-USD"
        with pytest.raises(ConfigError, match="this view does not include 'toy:BTC-USD'; subscribe to it first"):
            await asyncio.wait_for(view.wait_for("toy:BTC-USD", lambda _: True), 10)

    def script() -> None:
        with sync.watch(url(live), "BTC-USD") as view, pytest.raises(ConfigError, match="does not include 'ETH-USD'"):
            view.wait_for("ETH-USD", lambda _: True, timeout_s=10)

    await asyncio.to_thread(script)


def test_a_mistyped_argument_is_named() -> None:
    """Seen: the error of `watch("BTC-USD", interval=250)` named `Stream.__init__()`, and suggested nothing."""
    options: Any = {"interval": 250}
    for twin in (watch, sync.watch):
        with pytest.raises(TypeError, match=r"^watch\(\) has no argument 'interval'; did you mean 'interval_ms'\?$"):
            twin("BTC-USD", **options)


@serving()
async def test_wildcards_beyond_the_limit_are_named(live: Live) -> None:
    """The service accepts what it can of a message; a pattern that it rejects is raised."""
    async with watch(url(live), "BTC-USD") as view:
        with pytest.raises(RefusedError, match=r"'A32\*': at most 32 patterns"):
            await view.subscribe(*(f"A{i}*" for i in range(33)))
    with pytest.raises(RefusedError, match="at most 32"):
        async with watch(url(live), *(f"A{i}*" for i in range(33))):
            pass


@serving()
async def test_a_view_resumed_at_a_cursor_has_only_what_changed(live: Live) -> None:
    """A view resumed at a cursor contains only what has changed since."""
    async with watch(url(live), "*") as view:
        cursor = view.cursor
    live.publish({"ETH-USD": "3101"})
    live.hub.flush()
    async with watch(url(live), "*", cursor=cursor) as view:
        [change] = await anext(view.frames())
    assert (change.symbol, change.quote.row()["last"], "ask" in change.fields) == ("ETH-USD", Decimal(3101), False)


@serving()
async def test_a_busy_loop_does_not_block_the_connection(live: Live) -> None:
    """A loop that always has a change to take, and never waits, does not keep the connection from being read."""
    async with watch(url(live), "*") as view:
        price = 0
        async for change in view:
            if change.symbol == "ETH-USD":
                if change.quote.last == 50:
                    break
                price += 1
                live.publish({"ETH-USD": str(price), "BTC-USD": str(price)})


@serving()
async def test_a_view_closes_with_1000(live: Live) -> None:
    """A closed view closes its connection with 1000."""
    async with watch(url(live), "BTC-USD"):
        pass
    assert (await live.get("/api/status")).json["readers"]["disconnects"] == {"1000": 1}


@serving()
async def test_closing_a_view_ends_its_loops_in_other_tasks(live: Live) -> None:
    """A loop in another task ends when the view is left."""

    async def count() -> int:
        return len([change async for change in view])

    async with watch(url(live), "*") as view:
        loop = asyncio.create_task(count())
        while not any(not b._pending for b in view._book.backlogs()):  # noqa: ASYNC110 - until it has taken all
            await asyncio.sleep(0)
    assert await loop == 2


@serving()
async def test_get_returns_rows_of_plain_values(live: Live) -> None:
    """Rows of plain values: floats, or decimals with `exact`; named symbols as given, then the others sorted."""
    rows = await get(url(live), "toy:ETH-USD", "*")
    assert live.hub.counts.connects == {"ws": 0, "sse": 0, "poll": 0}, "it takes no place"
    assert [row["symbol"] for row in rows] == ["toy:ETH-USD", "BTC-USD", "ETH-USD"]
    assert list(rows[0]) == ["symbol", *FIELDS]
    assert rows[1]["last"] == 97000.1
    assert json.loads(json.dumps(rows)) == rows
    assert await get(url(live), "BTC-USD", fields=["last"], exact=True) == [
        {"symbol": "BTC-USD", "last": Decimal("97000.10")}
    ]


@serving()
async def test_get_raises_for_an_unknown_symbol_with_the_nearest(live: Live) -> None:
    """A symbol that does not exist is a typed error with its nearest names."""
    with pytest.raises(UnknownSymbolError, match="no symbol 'BTC-USDX'; nearest: BTC-USD") as error:
        await get(url(live), "BTC-USDX", "ETH-USD")
    assert error.value.nearest == {"BTC-USDX": ["BTC-USD"]}


@serving(prices={})
async def test_get_before_the_feeds_have_loaded_calls_no_symbol_unknown(live: Live) -> None:
    """A symbol that may still come is not unknown."""
    with pytest.raises(UnreachableError, match="cannot look up BTC-USD, ETH-USD: no feed has loaded"):
        await get(url(live), "BTC-USD", "ETH-USD")


def forked(use: Callable[[], object]) -> int:
    """Use something in a fork of this process: 0 if that raised the error that forbids it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's own, of forks beside threads
        child = os.fork()
    if not child:
        try:
            use()
        except RuntimeError as error:
            os._exit("fork" not in str(error))
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@serving()
async def test_the_blocking_library_has_the_same_functions(live: Live) -> None:
    """It has changes, frames, waiting, subscribing and `get` under the same names.

    Seen: in a fork, a worker of `multiprocessing` say, a view was "live" for ever, with the prices of the fork, and its
    loops waited for ever. Promised: it raises.
    """

    def script() -> None:
        with sync.watch(url(live), "BTC-USD") as view:
            changes = iter(view)
            assert (next(changes).quote.last, view.state, view.trouble) == (Decimal("97000.10"), "live", "")
            assert (view.feeds["toy"]["kind"], view.cursor is not None) == ("live", True)
            live.server.servers[0].get_loop().call_soon_threadsafe(live.publish, {"BTC-USD": "1.50"})
            assert next(changes).quote.last == Decimal("1.50")
            view.subscribe("ETH-USD")
            assert (len(view), view["ETH-USD"].last, "toy:ETH-USD" in view) == (2, Decimal("3100.5"), False)
            frame = next(view.frames())
            assert (len(frame), frame.snapshot, {change.quote.last for change in frame}) == (
                2, True, {Decimal("1.50"), Decimal("3100.5")},
            )  # fmt: skip
            assert view.wait_for("BTC-USD", lambda quote: quote.last == Decimal("1.50"), 10).symbol == "BTC-USD"
            with pytest.raises(TimeoutError):
                view.wait_for("BTC-USD", lambda quote: quote.last == 2, 0.01)
            assert [forked(use) for use in (lambda: view.state, lambda: view["BTC-USD"], view.frames)] == [0, 0, 0]
            view.unsubscribe("ETH-USD")
            assert (set(view.quotes()), view.get("ETH-USD")) == ({"BTC-USD"}, None)
            view.subscribe("BTC-USDX")
            assert view.unknown == {"BTC-USDX": ["BTC-USD"]}
        assert list(changes) == []
        with pytest.raises(sync.ClientError):
            view.subscribe("ETH-USD")
        with sync.watch(url(live), "ETH-USD", exact=False) as floats:
            assert floats["ETH-USD"].last == 3100.5
        assert sync.get(url(live), "ETH-USD", fields=["last"]) == [{"symbol": "ETH-USD", "last": 3100.5}]
        with pytest.raises(UnknownSymbolError):
            sync.get(url(live), "NOPE")
        with pytest.raises(RefusedError), sync.watch(url(live) + "/nowhere", "BTC-USD"):
            pass

    await asyncio.to_thread(script)


def test_a_token_is_taken_from_argument_or_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is `TICKER_TOKEN`; without a valid token the refusal is a typed error; no token is ever shown."""
    file = tmp_path / "tokens.toml"
    file.write_text(f'[me]\nsha256 = "{hashlib.sha256(b"hush").hexdigest()}"\n')

    async def scenario() -> None:
        async with start({"auth": {"tokens_file": str(file)}}) as live:
            async with watch(url(live), "BTC-USD", token="hush") as view:
                assert view["BTC-USD"].last == Decimal("97000.10")
            with pytest.raises(RefusedError, match="set TICKER_TOKEN to a valid one"):
                await get(url(live), "BTC-USD", token="wrong")
            with pytest.raises(RefusedError, match="set TICKER_TOKEN to a valid one"):
                await asyncio.to_thread(sync.get, url(live), "BTC-USD")
            monkeypatch.setenv("TICKER_TOKEN", "hush")
            assert len(await get(url(live), "BTC-USD")) == 1

    run(scenario)


def test_get_without_a_service_is_a_typed_error() -> None:
    """It is the same error with asyncio and blocking."""
    with pytest.raises(UnreachableError, match=r"cannot connect to http://127.0.0.1:1: connection refused"):
        asyncio.run(get("http://127.0.0.1:1", "BTC-USD"))
    with pytest.raises(UnreachableError, match=r"cannot connect to http://127.0.0.1:1: connection refused"):
        sync.get("http://127.0.0.1:1", "BTC-USD")


@serving()
async def test_a_callback_may_close_a_blocking_view_but_not_wait_for_it(live: Live) -> None:
    """It may read and close the view; what would have to wait for the callback's own thread is refused."""
    said: list[object] = []

    def on_state(_: State) -> None:
        said.append(view["BTC-USD"].last)
        try:
            view.subscribe("ETH-USD")
        except RuntimeError as error:
            said.append(str(error)[:22])
        view.close()

    def script() -> None:
        with view:
            said.append([change.symbol for change in view])

    view = sync.watch(url(live), "BTC-USD", on_state=on_state)
    await asyncio.wait_for(asyncio.to_thread(script), 30)
    assert said == [Decimal("97000.10"), "a callback cannot chan", ["BTC-USD"]]


@serving()
async def test_closing_a_blocking_view_ends_calls_of_other_threads(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call into a view that another thread closes ends, even if the view's loop never starts on it."""

    def script() -> None:
        for never in (Future[None](), cancelled):
            with sync.watch(url(live), "BTC-USD") as view:
                monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", lambda _, __, never=never: never)
                asking = threading.Thread(target=ask, args=(view,))
                asking.start()
            asking.join(30)
            assert said.pop() == "the view is closed"

    def ask(view: sync.View[Decimal]) -> None:
        try:
            view.subscribe("ETH-USD")
        except sync.ClientError as error:
            said.append(str(error))

    said: list[str] = []
    cancelled: Future[None] = Future()
    cancelled.cancel()
    await asyncio.to_thread(script)


def test_entering_a_blocking_view_without_open_files_raises() -> None:
    """Seen: when the process had no open file left for an event loop, it waited for ever.

    So it did if the view's thread had not quite ended when it was told.
    """
    script = """
import os, resource, threading
from ticker.client.sync import watch
view = watch("http://127.0.0.1:1", "BTC-USD", reconnect=False)
looked, end, is_alive = threading.Event(), view._ended.set_result, view._thread.is_alive
view._ended.set_result = lambda _: (looked.wait(), end(None))
view._thread.is_alive = lambda: (is_alive(), looked.set())[0]
resource.setrlimit(resource.RLIMIT_NOFILE, (os.open(os.devnull, os.O_RDONLY) + 1,) * 2)
try:
    view.__enter__()
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "Too many open files\n"


def test_a_view_must_be_entered_once_and_before_use() -> None:
    """A forgotten `with` raises, instead of a wait that would never end."""

    async def scenario() -> None:
        view = watch("BTC-USD")
        await view.close()
        for use in (anext(aiter(view)), view.subscribe("ETH-USD"), view.wait_for("BTC-USD", bool)):
            with pytest.raises(RuntimeError, match="enter the view first"):
                await asyncio.wait_for(use, 10)

    run(scenario)
    blocking = sync.watch("http://127.0.0.1:1", "BTC-USD", reconnect=False)
    blocking.close()
    with pytest.raises(RuntimeError, match="enter the view first"):
        blocking.wait_for("BTC-USD", bool, timeout_s=10)
    with pytest.raises(RuntimeError, match="enter the view first"):
        blocking.subscribe("ETH-USD")
    with pytest.raises(UnreachableError), blocking:
        pass
    with pytest.raises(RuntimeError, match="a view can be entered only once"), blocking:
        pass
