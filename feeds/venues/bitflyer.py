"""bitFlyer: a stream of full tickers, or one request per symbol over REST; every price is dated by bitFlyer.

`BTC_JPY` is spot, `FX_BTC_JPY` its derivative, here `BTC-JPY.FX`; dated futures keep their own names. During the daily
maintenance prices stay the same and `state` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from feeds.exchange.adapter import exchange
from feeds.exchange.shapes import Shape, at, list_at, read, read_object, text_at, write
from feeds.exchange.venue import Heard, Limits, Listing, Row, Stream, Venue
from ticker.errors import FeedError

_TICKER = Shape(
    wire="product_code",
    time="timestamp",
    fields={
        "last": "ltp", "bid": "best_bid", "ask": "best_ask", "bid_size": "best_bid_size", "ask_size": "best_ask_size",
        "volume": "volume_by_product",  # `volume` is of all products together
    },
)  # fmt: skip
_STATES = {"": None, "RUNNING": "live", "CLOSED": "closed", "MATURED": "closed"}  # any other: halted
_CHANNEL = "lightning_ticker_"


def symbol(wire: str) -> str:
    """`BTC_JPY` is `BTC-JPY`, `FX_BTC_JPY` is `BTC-JPY.FX`, `BTCJPY17DEC2021` is itself."""
    market, *pair = wire.split("_") if wire.count("_") == 2 else ("", *wire.split("_"))
    return "-".join(pair) + (f".{market}" if market else "")


def product_code(symbol: str) -> str:
    """The reverse of `symbol`."""
    pair, _, market = symbol.partition(".")
    return "_".join(filter(None, (market, *pair.split("-"))))


def rest_request(symbols: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"/v1/ticker?product_code={quote(product_code(symbol))}" for symbol in symbols)


def parse_rest(body: bytes) -> list[Row]:
    answer = read_object(body)
    if "error_message" in answer:
        raise FeedError(f"bitFlyer says {body[:100]!r}")
    return [_row(answer)]


def parse_instruments(body: bytes) -> list[Listing]:
    wires = (text_at(entry, "product_code") for entry in list_at(read(body)))
    return [Listing(symbol(wire), (wire,)) for wire in wires if wire]


def subscribe(wires: Sequence[str], number: int) -> list[str]:
    return [write({"method": "subscribe", "params": {"channel": _CHANNEL + wire}, "id": number}) for wire in wires]


def parse_stream(body: bytes, _memory: dict[str, Any]) -> Heard:
    message = read_object(body)
    if text_at(message, "params", "channel").startswith(_CHANNEL):
        return Heard((_row(at(message, "params", "message")),))
    number = at(message, "id")
    if "error" in message:
        if isinstance(number, int):
            return Heard(refused=((number, text_at(message, "error", "message")),))
        raise FeedError(f"bitFlyer says {body[:100]!r}")
    return Heard(acked=(number,)) if isinstance(number, int) and at(message, "result") is True else Heard()


def _row(sent: Any) -> Row:
    return _TICKER.row(sent)._replace(state=_STATES.get(text_at(sent, "state"), "halted"))


BITFLYER = Venue(
    name="bitflyer",
    summary="bitFlyer, spot and derivatives in JPY",
    base_url="https://api.bitflyer.com",
    limits=Limits(interval_s=10.0, gap_s=0.7, symbols_per_request=1),  # 500 requests in 5 minutes
    rest_request=rest_request,
    parse_rest=parse_rest,
    fields=_TICKER.names,
    instruments_request="/v1/getmarkets",
    parse_instruments=parse_instruments,
    symbol=symbol,
    wire=product_code,
    clock="exchange",
    time_unit="iso",
    stream=Stream(
        url="wss://ws.lightstream.bitflyer.com/json-rpc",
        subscribe=subscribe,
        parse=parse_stream,
        wires_per_message=1,
        mute_after_s=20.0,
    ),
)
ADAPTER = exchange(BITFLYER)
