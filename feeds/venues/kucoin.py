"""KuCoin spot: every pair in one answer over REST, or a stream of last, bid and ask; only REST has the rest.

REST has a time for the answer only, which is not used. Names survive renamed coins: `BCHSV-USDT` is BSV in the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from feeds.exchange.adapter import exchange
from feeds.exchange.shapes import Index, Shape, at, list_at, read_object, text_at, write
from feeds.exchange.venue import Candles, Heard, Limits, Listing, Row, Stream, Venue
from ticker.errors import FeedError

_TICKER = Shape(
    wire="symbol", fraction="changeRate",
    fields={"last": "last", "bid": "buy", "ask": "sell", "high": "high", "low": "low", "volume": "vol"},
    optional={"bid_size": "bestBidSize", "ask_size": "bestAskSize", "quote_volume": "volValue"},  # added later
)  # fmt: skip
_UNTRADED = {"high": None, "low": None}  # left out for a pair without a trade
_STREAMED = Shape(
    wire=None, time="time",
    fields={"last": "price", "bid": "bestBid", "ask": "bestAsk", "bid_size": "bestBidSize", "ask_size": "bestAskSize"},
)  # fmt: skip
_INDEX = Index(
    wire="symbol", base="baseCurrency", quote="quoteCurrency", tick=("priceIncrement",),
    status="enableTrading", open=True, halted=(False,),
)  # fmt: skip
_TOPIC = "/market/ticker:"


def parse_rest(body: bytes) -> list[Row]:
    return [_TICKER.row(_UNTRADED | one if isinstance(one, dict) else one) for one in list_at(_data(body), "ticker")]


def parse_instruments(body: bytes) -> list[Listing]:
    return [one._replace(symbol=one.symbol.upper()) for one in _INDEX.listings(list_at(_data(body)))]


def parse_open(body: bytes) -> tuple[str, float | None]:
    data = _data(body)
    endpoint, token = text_at(data, "instanceServers", 0, "endpoint"), text_at(data, "token")
    if not endpoint or not token:
        raise ValueError("no address of a stream")
    interval_ms = at(data, "instanceServers", 0, "pingInterval")
    sane = isinstance(interval_ms, int) and 0 < interval_ms <= 3_600_000
    return f"{endpoint}?{urlencode({'token': token})}", interval_ms / 1000 if sane else None


def subscribe(wires: Sequence[str], number: int) -> list[str]:
    return [write({"id": number, "type": "subscribe", "topic": _TOPIC + ",".join(wires), "response": True})]


def parse_stream(body: bytes, _memory: dict[str, Any]) -> Heard:
    message = read_object(body)
    kind, topic, number = text_at(message, "type"), text_at(message, "topic"), text_at(message, "id")
    if kind == "message" and topic.startswith(_TOPIC):
        return Heard((_STREAMED.row(at(message, "data"))._replace(wire=topic.removeprefix(_TOPIC)),))
    if kind == "error" and not number.isdecimal():
        raise FeedError(f"KuCoin says {body[:100]!r}")
    named = (reason := text_at(message, "data")).partition(_TOPIC)[2].partition(" ")[0]
    refused = ((named if named and "," not in named else int(number), reason),) if kind == "error" else ()
    return Heard(acked=(int(number),) if kind == "ack" else (), refused=refused, ready=kind == "welcome")


def _data(body: bytes) -> Any:
    reply = read_object(body)
    if (code := text_at(reply, "code")) != "200000":
        raise FeedError(f"KuCoin says {body[:100]!r}", reason="rate_limited" if code == "429000" else "protocol")
    return at(reply, "data")


KUCOIN = Venue(
    name="kucoin",
    summary="KuCoin spot: last, bid and ask in real time, the rest polled",
    base_url="https://api.kucoin.com",
    limits=Limits(interval_s=2.0, gap_s=0.25),
    rest_request=lambda _symbols: "/api/v1/market/allTickers",
    parse_rest=parse_rest,
    fields=_TICKER.names,
    instruments_request="/api/v2/symbols",
    parse_instruments=parse_instruments,
    clock="exchange",
    polled_clock="received",
    stream=Stream(
        subscribe=subscribe, parse=parse_stream, open_request="/api/v1/bullet-public", parse_open=parse_open,
        greets=True, complete=False, ping=('{"id":"ping","type":"ping"}', 18.0), mute_after_s=10.0,
        wires_per_connection=300, lifetime_s=86_400.0,
    ),
    candles=Candles(
        request="/api/v1/market/candles?symbol={wire}&type={interval}&startAt={begin_s}&endAt={end_s}",
        rows=lambda body: list_at(_data(body)), columns=(0, 1, 3, 4, 2, 5), time_unit="s", most=1500,
        intervals={60: "1min", 300: "5min", 900: "15min", 3600: "1hour", 14_400: "4hour", 86_400: "1day"},
    ),
)  # fmt: skip
ADAPTER = exchange(KUCOIN)
