"""Where each exchange keeps what we show, written down once more from its documentation, apart from the adapters.

Plain data: a path is names and indices with dots between them, `data.b.0`. The few functions find the rows of a
message; they judge nothing. `test_contract` plays every recording through the real adapters and compares.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

Json = Any


class Fields(NamedTuple):
    """The paths of one kind of row.

    Attributes:
        texts: of each of our fields; with `%` in front it is a fraction, and ours is in percent.
        time: of the exchange's time of the price.
        seq: of the sequence number.
        may_lack: fields whose absence is no fault: they keep their last value.
        null_if_absent: fields whose absence says that there is none.
    """

    texts: Mapping[str, str]
    time: str | None = None
    seq: str | None = None
    may_lack: frozenset[str] = frozenset()
    null_if_absent: frozenset[str] = frozenset()


class Said(NamedTuple):
    """One row of a message: the exchange's name of the instrument, the raw row, and how to read it."""

    wire: str
    raw: Json
    fields: Fields


class Named(NamedTuple):
    """One market of a list: its names on the wire, ours, the digits of its price (None: not told), and if it trades."""

    wires: tuple[str, ...]
    symbol: str
    decimals: int | None
    trades: bool = True


Reader = Callable[[Json, dict[str, Json]], Iterable[Said]]
"""The rows of one message; the dict is the memory of one connection."""


@dataclass(frozen=True, kw_only=True)
class Map:
    """One adapter's exchange.

    Attributes:
        folder: of its recordings.
        tickers: what the adapter asks for tickers; `{wire}` is one instrument.
        read_tickers: the rows of an answer.
        tickers_recorded_at: how the paths begin under which such answers were recorded.
        wire_in: the wire name in such a path, where the answer does not name it.
        rebuilt: makes an answer as it comes today of one that was recorded of another request.
        list_at: what it asks for the list; None: it has none.
        lists_recorded_at: paths under which lists were recorded.
        read_list: the markets of a list.
        made_list: a list of these wire names, where none was recorded.
        stream_at: path of its stream; None: it has none.
        read_stream: the rows of a message.
        symbol: our name of a wire name that the list does not have, None where only the list tells.
        time_unit: `ns`, `us`, `ms`, `s` or `iso`.
        key: whether it wants one.
        hands_out: what it asks by POST for the address of the stream.
        by_hand: what it asks for tickers and of which nothing was recorded, with an answer from the documentation.
        refused: the wire names that a message of the stream refuses.
        told: messages of a stream of which nothing was recorded, from the documentation.
    """

    folder: str
    tickers: str = ""
    read_tickers: Reader | None = None
    tickers_recorded_at: tuple[str, ...] = ()
    wire_in: Callable[[str], str] = field(default=lambda _path: "")
    rebuilt: Callable[[Json], Json] | None = None
    list_at: str | None = None
    lists_recorded_at: tuple[str, ...] = ()
    read_list: Callable[[Json], Iterable[Named]] | None = None
    made_list: Callable[[Iterable[str]], Json] | None = None
    stream_at: str | None = None
    read_stream: Reader | None = None
    symbol: Callable[[str], str | None] = field(default=lambda _wire: None)
    time_unit: str = "ms"
    key: bool = False
    hands_out: str | None = None
    by_hand: Mapping[str, bytes] = field(default_factory=dict)
    refused: Callable[[Json], Iterable[str]] = field(default=lambda _message: ())
    told: tuple[str, ...] = ()


def at(value: Json, path: str) -> Json:
    """What is at a path; raises LookupError where it ends early."""
    for step in path.split(".") if path else ():
        if value is None or isinstance(value, str):
            raise LookupError(path)
        value = value[int(step) if isinstance(value, list) else step]
    return value


def every(fields: Fields, path: str, wire: str) -> Reader:
    """Rows in a list at a path, each with its name at `wire`; one object instead of the list is its only row."""

    def read(message: Json, _memory: dict[str, Json]) -> Iterable[Said]:
        rows = at(message, path)
        for raw in rows if isinstance(rows, list) else [rows]:
            yield Said(at(raw, wire) if wire else "", raw, fields)

    return read


def digits(step: str) -> int:
    """Digits after the point of a step of prices."""
    return len(step.rstrip("0").partition(".")[2])


# Alpaca

_ALPACA_SNAPSHOT = b"""{"symbol": "AAPL",
  "latestTrade": {"t": "2022-03-18T14:33:58.448432206Z", "x": "V", "p": 161.1998, "s": 200, "c": ["@"], "i": 39884},
  "latestQuote": {"t": "2022-03-18T14:33:58.547942Z", "ax": "V", "ap": 161.2, "as": 2, "bx": "V", "bp": 161.19},
  "minuteBar": {"t": "2022-03-18T14:32:00Z", "o": 161.595, "h": 161.63, "l": 161.31, "c": 161.365, "v": 195503},
  "dailyBar": {"t": "2022-03-18T04:00:00Z", "o": 160.59, "h": 161.92, "l": 159.76, "c": 161.365, "v": 31749988},
  "prevDailyBar": {"t": "2022-03-17T04:00:00Z", "o": 158.6, "h": 161, "l": 157.63, "c": 160.62, "v": 73839892}}"""
_ALPACA_DAY = Fields(
    {
        "last": "latestTrade.p", "bid": "latestQuote.bp", "ask": "latestQuote.ap",
        "open": "dailyBar.o", "high": "dailyBar.h", "low": "dailyBar.l", "volume": "dailyBar.v",
    },
    time="latestTrade.t",
)  # fmt: skip
_ALPACA = {"t": Fields({"last": "p"}, time="t"), "q": Fields({"bid": "bp", "ask": "ap"})}
_ALPACA_TOLD = (
    """[{"T":"success","msg":"connected"}]""",
    """[{"T":"success","msg":"authenticated"}]""",
    """[{"T":"subscription","trades":["AAPL","BRK.B"],"quotes":["AAPL","BRK.B"],"bars":[],"updatedBars":[],"dailyBars":[],
    "statuses":[],"lulds":[],"corrections":["AAPL","BRK.B"],"cancelErrors":["AAPL","BRK.B"]}]""",
    """[{"T":"q","S":"AAPL","bx":"V","bp":161.1,"bs":2,"ax":"V","ap":161.11,"as":13,"c":["R"],"z":"C",
    "t":"2022-03-18T14:02:43.651613184Z"},{"T":"t","i":96921,"S":"BRK.B","x":"V","p":345.105,"s":1,"c":["@","I"],"z":"A",
    "t":"2022-03-18T14:02:43.700000001Z"}]""",
    """[{"T":"t","i":22730,"S":"AAPL","x":"V","p":161,"s":100,"c":["@"],"z":"C","t":"2022-03-18T14:02:44Z"}]""",
    """[{"T":"error","code":405,"msg":"symbol limit exceeded"}]""",
    """[{"T":"c","S":"AAPL","x":"V","oi":22730,"op":161,"os":100,"oc":["@"],"ci":22731,"cp":160.5,"cs":100,"cc":["@"],
    "z":"C","t":"2022-03-18T14:02:45Z"},{"T":"q","S":"BRK.B","bx":"V","bp":0,"bs":0,"ax":"V","ap":346,"as":1,"c":["R"],
    "z":"A","t":"2022-03-18T14:02:45.000000001Z"}]""",
)


def _alpaca_stream(message: Json, _memory: dict[str, Json]) -> Iterable[Said]:
    for one in message:
        if one["T"] in _ALPACA:
            yield Said(one["S"], one, _ALPACA[one["T"]])


# Binance

_BINANCE = Fields(
    {
        "last": "lastPrice", "bid": "bidPrice", "bid_size": "bidQty", "ask": "askPrice", "ask_size": "askQty",
        "open": "openPrice", "high": "highPrice", "low": "lowPrice", "volume": "volume",
        "quote_volume": "quoteVolume", "change_pct": "priceChangePercent",
    }
)  # fmt: skip
_BINANCE_BOOK = Fields({"bid": "b", "bid_size": "B", "ask": "a", "ask_size": "A"}, seq="u")
_BINANCE_TRADES = Fields(
    {"last": "c", "open": "o", "high": "h", "low": "l", "volume": "v", "quote_volume": "q", "change_pct": "P"}
)
_BINANCE_TICKER = Fields({**_BINANCE_TRADES.texts, **_BINANCE_BOOK.texts})


def _binance_stream(message: Json, memory: dict[str, Json]) -> Iterable[Said]:
    """Messages of spot: those of futures have an event type `bookTicker`, which spot has not."""
    events = message["data"]
    for event in events if isinstance(events, list) else [events]:
        if event.get("e") == "24hrTicker":
            yield Said(event["s"], event, _BINANCE_TRADES if event["s"] in memory else _BINANCE_TICKER)
        elif "e" not in event:
            memory[event["s"]] = True
            yield Said(event["s"], event, _BINANCE_BOOK)


def _binance_list(answer: Json) -> Iterable[Named]:
    for entry in answer["symbols"]:
        (step,) = (one["tickSize"] for one in entry["filters"] if one["filterType"] == "PRICE_FILTER")
        symbol = f"{entry['baseAsset']}-{entry['quoteAsset']}"
        yield Named((entry["symbol"],), symbol, digits(step), entry["status"] == "TRADING")


def _binance(folder: str, list_at: str) -> Map:
    return Map(
        folder=folder,
        tickers="/api/v3/ticker/24hr",
        read_tickers=every(_BINANCE, "", "symbol"),
        tickers_recorded_at=("/api/v1/ticker/24hr", "/api/v3/ticker/24hr"),
        list_at=list_at,
        lists_recorded_at=("/api/v3/exchangeInfo",),
        read_list=_binance_list,
        stream_at="/stream",
        read_stream=_binance_stream,
    )


# Bitfinex

_BITFINEX = Fields({"bid": "0", "ask": "2", "change_pct": "%5", "last": "6", "volume": "7", "high": "8", "low": "9"})
_BITFINEX_CODES = {"UST": "USDT", "DSH": "DASH"}


def _bitfinex_tickers(answer: Json, _memory: dict[str, Json]) -> Iterable[Said]:
    """Rows of trading begin with t, those of lending with f; both sides of a derivative end in F0."""
    for wire, *raw in answer:
        if wire[0] == "t" and not wire.partition(":")[0].endswith("F0"):
            yield Said(wire, raw, _BITFINEX)


def _bitfinex_stream(message: Json, memory: dict[str, Json]) -> Iterable[Said]:
    if isinstance(message, dict):
        if message.get("channel") == "ticker":
            memory[message["chanId"]] = message["symbol"]
    elif message[0] in memory and message[1] != "hb":
        yield Said(memory[message[0]], message[1], _BITFINEX)


def _bitfinex_list(answer: Json) -> Iterable[Named]:
    for pair in answer[0]:
        base, quote = pair.split(":") if ":" in pair else (pair[:3], pair[3:])
        yield Named((f"t{pair}",), "-".join(_BITFINEX_CODES.get(code, code) for code in (base, quote)), None)


# bitFlyer

_BITFLYER = Fields(
    {
        "last": "ltp", "bid": "best_bid", "bid_size": "best_bid_size", "ask": "best_ask",
        "ask_size": "best_ask_size", "volume": "volume_by_product",
    },
    time="timestamp",
)  # fmt: skip


def _bitflyer_symbol(wire: str) -> str:
    parts = wire.split("_")
    return f"{parts[1]}-{parts[2]}.{parts[0]}" if len(parts) == 3 else "-".join(parts)


def _bitflyer_stream(message: Json, _memory: dict[str, Json]) -> Iterable[Said]:
    if message["params"]["channel"].startswith("lightning_ticker_"):
        ticker = message["params"]["message"]
        yield Said(ticker["product_code"], ticker, _BITFLYER)


# Bitstamp

_BITSTAMP = Fields(
    {
        "last": "last", "bid": "bid", "ask": "ask", "high": "high", "low": "low", "volume": "volume",
        "open": "open_24", "change_pct": "percent_change_24",
    },
    may_lack=frozenset({"open", "change_pct"}),
)  # fmt: skip


def _bitstamp_stream(message: Json, _memory: dict[str, Json]) -> Iterable[Said]:
    if message["event"] == "trade":
        wire = message["channel"].removeprefix("live_trades_")
        yield Said(wire, message["data"], Fields({"last": "price_str"}, time="microtimestamp"))


def _bitstamp_list(answer: Json) -> Iterable[Named]:
    for entry in answer:
        wires = (entry["url_symbol"], entry["name"])
        symbol = entry["name"].replace("/", "-")
        yield Named(wires, symbol, int(entry["counter_decimals"]), entry["trading"] == "Enabled")


# Bybit

_BYBIT_TRADES = {
    "last": "lastPrice", "open": "prevPrice24h", "high": "highPrice24h", "low": "lowPrice24h",
    "volume": "volume24h", "quote_volume": "turnover24h", "change_pct": "%price24hPcnt",
}  # fmt: skip
_BYBIT = Fields(
    {**_BYBIT_TRADES, "bid": "bid1Price", "bid_size": "bid1Size", "ask": "ask1Price", "ask_size": "ask1Size"}
)


_BYBIT_LINEAR = json.dumps(
    {
        "retCode": 0,
        "result": {
            "list": [
                {
                    "symbol": "BTCUSDT", "lastPrice": "61874.00", "prevPrice24h": "62484.60", "price24hPcnt": "-0.01",
                    "highPrice24h": "62752.90", "lowPrice24h": "61000.10", "volume24h": "98430.1", "turnover24h": "6.1",
                    "bid1Price": "61873.90", "bid1Size": "3.783", "ask1Price": "61874.00", "ask1Size": "16.278",
                }
            ]
        },
    }
).encode()  # fmt: skip


def _bybit_stream(fields: Fields) -> Reader:
    def read(message: Json, memory: dict[str, Json]) -> Iterable[Said]:
        """A delta has only what has changed."""
        if "topic" in message:
            wire = message["topic"].removeprefix("tickers.")
            memory[wire] = (memory.get(wire, {}) if message["type"] == "delta" else {}) | message["data"]
            yield Said(memory[wire]["symbol"], memory[wire], fields)

    return read


def _bybit_pairs(wires: Iterable[str]) -> Iterable[tuple[str, str, str]]:
    for wire in wires:
        for quote in ("USDT", "USDC", "BTC", "ETH", "EUR", "DAI", "BRZ", "USDE"):
            if wire.endswith(quote) and wire != quote:
                yield wire, wire.removesuffix(quote), quote
                break


def _bybit_made_list(pairs: Iterable[tuple[str, str, str]]) -> Json:
    entries = [
        {"symbol": wire, "baseCoin": base, "quoteCoin": quote, "status": "Trading", "priceFilter": {"tickSize": "0.01"}}
        for wire, base, quote in pairs
    ]
    return {"retCode": 0, "retMsg": "OK", "result": {"list": entries}}


def _bybit_list(suffix: str) -> Callable[[Json], Iterable[Named]]:
    def read(answer: Json) -> Iterable[Named]:
        for entry in answer["result"]["list"]:
            yield Named((entry["symbol"],), f"{entry['baseCoin']}-{entry['quoteCoin']}{suffix}", 2)

    return read


# Coinbase Exchange

_COINBASE = Fields({"last": "price", "bid": "bid", "ask": "ask", "volume": "volume"}, time="time")
_COINBASE_STREAM = Fields(
    {
        "last": "price", "bid": "best_bid", "ask": "best_ask", "open": "open_24h", "high": "high_24h",
        "low": "low_24h", "volume": "volume_24h", "bid_size": "best_bid_size", "ask_size": "best_ask_size",
    },
    time="time", seq="sequence", may_lack=frozenset({"bid_size", "ask_size"}),
)  # fmt: skip


def _coinbase_stream(message: Json, _memory: dict[str, Json]) -> Iterable[Said]:
    if message["type"] == "ticker":
        yield Said(message["product_id"], message, _COINBASE_STREAM)


def _coinbase_list(answer: Json) -> Iterable[Named]:
    for entry in answer:
        symbol = f"{entry['base_currency']}-{entry['quote_currency']}"
        trades = entry.get("status", "online") == "online" and entry.get("trading_disabled") is not True
        yield Named((entry["id"],), symbol, digits(entry["quote_increment"]), trades)


# Finnhub

_FINNHUB = Fields({"last": "c", "open": "o", "high": "h", "low": "l", "change_pct": "dp"})


# Gate.io

_GATEIO_TRADES = {
    "last": "last", "high": "high_24h", "low": "low_24h", "volume": "base_volume", "quote_volume": "quote_volume",
    "change_pct": "change_percentage",
}  # fmt: skip
_GATEIO = Fields({**_GATEIO_TRADES, "bid": "highest_bid", "ask": "lowest_ask"})
_GATEIO_BOOK = Fields({"bid": "b", "bid_size": "B", "ask": "a", "ask_size": "A"}, time="t", seq="u")


def _gateio_stream(message: Json, memory: dict[str, Json]) -> Iterable[Said]:
    """The ticker's own bid and ask are older than those of the book."""
    raw = message["result"]
    if (message["channel"], message["event"]) == ("spot.tickers", "update"):
        wire = raw["currency_pair"]
        yield Said(wire, raw, Fields(_GATEIO_TRADES) if wire in memory else _GATEIO)
    elif message["channel"] == "spot.book_ticker":
        memory[raw["s"]] = True
        yield Said(raw["s"], raw, _GATEIO_BOOK)


def _gateio_list(answer: Json) -> Iterable[Named]:
    for entry in answer:
        symbol = f"{entry['base']}-{entry['quote']}"
        yield Named((entry["id"],), symbol, int(entry["precision"]), entry["trade_status"] == "tradable")


# Gemini

_GEMINI = Fields({"last": "close", "bid": "bid", "ask": "ask", "open": "open", "high": "high", "low": "low"})
_GEMINI_TOLD = (
    """{"id":1,"status":200,"result":{}}""",
    """{"u":1751505576085,"E":1751508438600117161,"s":"btcusd","b":"45000.50","B":"1.25","a":"45001.00","A":"0.75"}""",
    """{"E":1751508438600990000,"s":"btcusd","t":2840140956529623,"p":"45000.75","q":"0.0500","m":true}""",
    """{"e":"depthUpdate","E":1751508260659505382,"s":"btcusd","U":12345677,"u":12345678,"b":[["45000.50","1"]],"a":[]}""",
)


def _gemini_stream(message: Json, _memory: dict[str, Json]) -> Iterable[Said]:
    if message.keys() == {"u", "E", "s", "b", "B", "a", "A"}:
        yield Said(message["s"], message, Fields({"bid": "b", "bid_size": "B", "ask": "a", "ask_size": "A"}, time="E"))
    elif "p" in message:
        yield Said(message["s"], message, Fields({"last": "p"}))


def _gemini_list(answer: Json) -> Iterable[Named]:
    for entry in answer:
        if entry["product_type"] == "spot":
            symbol = f"{entry['base_currency']}-{entry['quote_currency']}"
            step = f"{Decimal(entry['quote_increment']):f}"
            trades = entry["status"] in {"open", "limit_only"}
            yield Named((entry["symbol"].lower(), entry["symbol"]), symbol, digits(step), trades)


# Kraken

_KRAKEN = Fields(
    {
        "last": "c.0", "bid": "b.0", "bid_size": "b.2", "ask": "a.0", "ask_size": "a.2", "high": "h.1", "low": "l.1",
        "volume": "v.1",
    }
)  # fmt: skip
_KRAKEN_STREAM = Fields(
    {
        "last": "last", "bid": "bid", "bid_size": "bid_qty", "ask": "ask", "ask_size": "ask_qty", "high": "high",
        "low": "low", "volume": "volume", "change_pct": "change_pct",
    },
    time="timestamp",
)  # fmt: skip
_KRAKEN_CODES = {"XBT": "BTC", "XDG": "DOGE", "LUNA": "LUNC", "LUNA2": "LUNA"}


def _kraken_symbol(wire: str) -> str | None:
    base, slash, quote = wire.replace(":", ".").partition("/")
    return f"{_KRAKEN_CODES.get(base, base)}-{_KRAKEN_CODES.get(quote, quote)}" if slash else None


def _kraken_tickers(answer: Json, _memory: dict[str, Json]) -> Iterable[Said]:
    return (Said(wire, raw, _KRAKEN) for wire, raw in answer["result"].items())


def _kraken_stream(message: Json, _memory: dict[str, Json]) -> Iterable[Said]:
    if message.get("channel") == "ticker":
        yield from (Said(raw["symbol"], raw, _KRAKEN_STREAM) for raw in message["data"])


def _kraken_list(answer: Json) -> Iterable[Named]:
    for key, pair in answer["result"].items():
        symbol = _kraken_symbol(pair.get("wsname", ""))
        if symbol:  # dark pools have no name on the stream
            yield Named((key, pair["altname"], pair["wsname"]), symbol, int(pair["pair_decimals"]))


# KuCoin

_KUCOIN = Fields(
    {
        "last": "last", "bid": "buy", "ask": "sell", "high": "high", "low": "low", "volume": "vol",
        "change_pct": "%changeRate", "bid_size": "bestBidSize", "ask_size": "bestAskSize", "quote_volume": "volValue",
    },
    may_lack=frozenset({"bid_size", "ask_size", "quote_volume"}),
    null_if_absent=frozenset({"high", "low"}),  # of a pair without a trade
)  # fmt: skip
_KUCOIN_STREAM = Fields(
    {"last": "price", "bid": "bestBid", "bid_size": "bestBidSize", "ask": "bestAsk", "ask_size": "bestAskSize"},
    time="time",
)


def _kucoin_stream(message: Json, _memory: dict[str, Json]) -> Iterable[Said]:
    channel, _, wire = message.get("topic", "").partition(":")
    if channel == "/market/ticker":
        yield Said(wire, message["data"], _KUCOIN_STREAM)


def _kucoin_list(answer: Json) -> Iterable[Named]:
    for entry in answer["data"]:
        symbol = f"{entry['baseCurrency']}-{entry['quoteCurrency']}".upper()
        yield Named((entry["symbol"],), symbol, digits(entry["priceIncrement"]), entry["enableTrading"])


# OKX

_OKX = Fields(
    {
        "last": "last", "bid": "bidPx", "bid_size": "bidSz", "ask": "askPx", "ask_size": "askSz", "open": "open24h",
        "high": "high24h", "low": "low24h", "volume": "vol24h", "quote_volume": "volCcy24h",
    },
    time="ts",
)  # fmt: skip


def _okx_stream(message: Json, _memory: dict[str, Json]) -> Iterable[Said]:
    if message["arg"]["channel"] == "tickers" and "data" in message:
        yield from (Said(raw["instId"], raw, _OKX) for raw in message["data"])


def _okx_list(answer: Json) -> Iterable[Named]:
    for entry in answer["data"]:
        symbol = f"{entry['baseCcy']}-{entry['quoteCcy']}"
        yield Named((entry["instId"],), symbol, digits(entry["tickSz"]), entry["state"] == "live")


# Upbit

_UPBIT = Fields(
    {
        "last": "trade_price", "volume": "acc_trade_volume_24h", "quote_volume": "acc_trade_price_24h",
        "change_pct": "%signed_change_rate",
    }
)  # fmt: skip
_UPBIT_BOOK = Fields(
    {
        "bid": "orderbook_units.0.bid_price", "bid_size": "orderbook_units.0.bid_size",
        "ask": "orderbook_units.0.ask_price", "ask_size": "orderbook_units.0.ask_size",
    },
    time="timestamp",
)  # fmt: skip
_UPBIT_TOLD = (
    """{"type":"ticker","code":"KRW-BTC","opening_price":37249000,"high_price":37645000,"low_price":36732000,
    "trade_price":36929000,"prev_closing_price":37235000,"acc_trade_price":5530.55648491,"change":"FALL",
    "signed_change_price":-306000,"change_rate":0.0082180744,"signed_change_rate":-0.0082180744,"trade_volume":0.00006314,
    "trade_timestamp":1693383665811,"market_state":"ACTIVE","is_trading_suspended":false,"timestamp":1693383690031,
    "acc_trade_price_24h":8320405774.49,"acc_trade_volume_24h":225.69412,"stream_type":"SNAPSHOT"}""",
    """{"type":"orderbook","code":"KRW-BTC","timestamp":1693383690100,"total_ask_size":4.79158413,"level":0,
    "total_bid_size":2.65609625,"orderbook_units":[{"ask_price":36930000.0,"bid_price":36929000.0,
    "ask_size":0.10623869,"bid_size":0.03656812}],"stream_type":"REALTIME"}""",
    """{"status":"UP"}""",
    """{"type":"ticker","code":"BTC-ETC","trade_price":2.2E-7,"signed_change_rate":0.0,"acc_trade_price_24h":1E-8,
    "acc_trade_volume_24h":0.0,"trade_timestamp":1693383600000,"timestamp":1693383690200,"stream_type":"REALTIME"}""",
)


def _upbit_symbol(wire: str) -> str:
    quote, _, base = wire.partition("-")
    return f"{base}-{quote}"


def _upbit_stream(message: Json, _memory: dict[str, Json]) -> Iterable[Said]:
    if message.get("type") in {"ticker", "orderbook"}:
        yield Said(message["code"], message, _UPBIT if message["type"] == "ticker" else _UPBIT_BOOK)


# Yahoo

_YAHOO_COIN = Fields({"last": "regularMarketPrice"}, time="regularMarketTime")
_YAHOO_CURRENCY = Fields(
    {**_YAHOO_COIN.texts, "high": "regularMarketDayHigh", "low": "regularMarketDayLow"}, time="regularMarketTime"
)
_YAHOO_STOCK = Fields({**_YAHOO_CURRENCY.texts, "volume": "regularMarketVolume"}, time="regularMarketTime")
_YAHOO = {"CRYPTOCURRENCY": _YAHOO_COIN, "CURRENCY": _YAHOO_CURRENCY}


def _yahoo_charts(answer: Json, _memory: dict[str, Json]) -> Iterable[Said]:
    for result in answer["chart"]["result"]:
        meta = result["meta"]
        yield Said(meta["symbol"], meta, _YAHOO.get(meta["instrumentType"], _YAHOO_STOCK))


# All of them

MAPS: dict[str, Map] = {
    "alpaca": Map(
        folder="alpaca",
        read_tickers=every(_ALPACA_DAY, "", "symbol"),
        stream_at="/v2/iex",
        read_stream=_alpaca_stream,
        symbol=str,
        time_unit="iso",
        key=True,
        by_hand={"/v2/stocks/{wire}/snapshot?feed=iex": _ALPACA_SNAPSHOT},
        told=_ALPACA_TOLD,
    ),
    "binance": _binance("binance", "/api/v3/exchangeInfo?showPermissionSets=false"),
    "binance_us": _binance("binance_us", "/api/v3/exchangeInfo"),
    "bitfinex": Map(
        folder="bitfinex",
        tickers="/v2/tickers?symbols=ALL",
        read_tickers=_bitfinex_tickers,
        tickers_recorded_at=("/v2/tickers",),
        list_at="/v2/conf/pub:list:pair:exchange,pub:map:currency:sym",
        lists_recorded_at=("/v2/conf/pub:list:pair:exchange",),
        read_list=_bitfinex_list,
        stream_at="/ws/2",
        read_stream=_bitfinex_stream,
    ),
    "bitflyer": Map(
        folder="bitflyer",
        tickers="/v1/ticker?product_code={wire}",
        read_tickers=every(_BITFLYER, "", "product_code"),
        tickers_recorded_at=("/v1/ticker",),
        list_at="/v1/getmarkets",
        lists_recorded_at=("/v1/getmarkets", "/v1/getmarkets/eu"),
        read_list=lambda answer: (
            Named((one["product_code"],), _bitflyer_symbol(one["product_code"]), None) for one in answer
        ),
        stream_at="/json-rpc",
        read_stream=_bitflyer_stream,
        symbol=_bitflyer_symbol,
        time_unit="iso",
    ),
    "bitstamp": Map(
        folder="bitstamp",
        tickers="/api/v2/ticker/",
        read_tickers=every(_BITSTAMP, "", "pair"),
        tickers_recorded_at=("/api/v2/ticker/btcusd",),
        rebuilt=lambda answer: [{**answer, "pair": "BTC/USD"}],  # the row of all pairs names its own
        list_at="/api/v2/markets/",
        lists_recorded_at=("/api/v2/trading-pairs-info/",),
        read_list=_bitstamp_list,
        stream_at="/",
        read_stream=_bitstamp_stream,
        time_unit="us",
    ),
    "bybit": Map(
        folder="bybit",
        tickers="/v5/market/tickers?category=spot",
        read_tickers=every(_BYBIT, "result.list", "symbol"),
        tickers_recorded_at=("/v5/market/tickers",),
        list_at="/v5/market/instruments-info?category=spot",
        read_list=_bybit_list(""),
        made_list=lambda wires: _bybit_made_list(_bybit_pairs(wires)),
        stream_at="/v5/public/spot",
        read_stream=_bybit_stream(Fields(_BYBIT_TRADES)),
        refused=lambda message: ["BTCUSDT"] if message.get("success") is False else [],
    ),
    "bybit_linear": Map(
        folder="bybit",
        read_tickers=every(_BYBIT, "result.list", "symbol"),
        by_hand={"/v5/market/tickers?category=linear": _BYBIT_LINEAR},
        list_at="/v5/market/instruments-info?category=linear&limit=1000",
        read_list=_bybit_list(".PERP"),
        made_list=lambda wires: _bybit_made_list(
            (wire, "BTC", "USDC" if wire == "BTCPERP" else "USDT") for wire in wires if wire in {"BTCUSDT", "BTCPERP"}
        ),
        stream_at="/v5/public/linear",
        read_stream=_bybit_stream(_BYBIT),
        refused=lambda message: ["BTCUSDT"] if message.get("success") is False else [],
    ),
    "coinbase": Map(
        folder="coinbase",
        tickers="/products/{wire}/ticker",
        read_tickers=every(_COINBASE, "", ""),
        tickers_recorded_at=("/products/",),
        wire_in=lambda path: path.split("/")[2].upper(),
        list_at="/products",
        lists_recorded_at=("/products",),
        read_list=_coinbase_list,
        stream_at="/",
        read_stream=_coinbase_stream,
        symbol=str,
        time_unit="iso",
        by_hand={"/products/{wire}/stats": b'{"open":"4391.4","high":"4453","low":"4352"}'},
    ),
    "finnhub": Map(
        folder="finnhub",
        stream_at="/",
        read_stream=every(Fields({"last": "p"}, time="t"), "data", "s"),
        symbol=str,
        key=True,
        read_tickers=every(_FINNHUB, "", ""),
        wire_in=lambda _path: "TSLA",
        by_hand={"/api/v1/quote?symbol={wire}": b'{"c":122.1,"dp":1.9,"h":123,"l":119,"o":120,"t":1672348887}'},
    ),
    "gateio": Map(
        folder="gate",
        tickers="/api/v4/spot/tickers",
        read_tickers=every(_GATEIO, "", "currency_pair"),
        tickers_recorded_at=("/api/v4/spot/tickers",),
        list_at="/api/v4/spot/currency_pairs",
        lists_recorded_at=("/api/v4/spot/currency_pairs",),
        read_list=_gateio_list,
        stream_at="/ws/v4/",
        read_stream=_gateio_stream,
        symbol=lambda wire: wire.replace("_", "-"),
    ),
    "gemini": Map(
        folder="gemini",
        tickers="/v2/ticker/{wire}",
        read_tickers=every(_GEMINI, "", "symbol"),
        tickers_recorded_at=("/v2/ticker/",),
        list_at="/v1/symbols/details/all",
        lists_recorded_at=("/v1/symbols/details/all",),
        read_list=_gemini_list,
        stream_at="/",
        read_stream=_gemini_stream,
        time_unit="ns",
        told=_GEMINI_TOLD,
    ),
    "kraken": Map(
        folder="kraken",
        tickers="/0/public/Ticker?assetVersion=1",
        read_tickers=_kraken_tickers,
        tickers_recorded_at=("/0/public/Ticker",),
        list_at="/0/public/AssetPairs?execution_venue=international,bitnomial_exchange",
        lists_recorded_at=("/0/public/AssetPairs",),
        read_list=_kraken_list,
        stream_at="/v2",
        read_stream=_kraken_stream,
        symbol=_kraken_symbol,
        time_unit="iso",
    ),
    "kucoin": Map(
        folder="kucoin",
        tickers="/api/v1/market/allTickers",
        read_tickers=every(_KUCOIN, "data.ticker", "symbol"),
        tickers_recorded_at=("/api/v1/market/allTickers",),
        list_at="/api/v2/symbols",
        lists_recorded_at=("/api/v1/symbols",),
        read_list=_kucoin_list,
        stream_at="/endpoint",
        read_stream=_kucoin_stream,
        hands_out="/api/v1/bullet-public",
    ),
    "okx": Map(
        folder="okx",
        tickers="/api/v5/market/tickers?instType=SPOT",
        read_tickers=every(_OKX, "data", "instId"),
        tickers_recorded_at=("/api/v5/market/tickers",),
        list_at="/api/v5/public/instruments?instType=SPOT",
        lists_recorded_at=("/api/v5/public/instruments",),
        read_list=_okx_list,
        stream_at="/ws/v5/public",
        read_stream=_okx_stream,
        symbol=str,
    ),
    "upbit": Map(
        folder="upbit",
        tickers="/v1/ticker/all?quote_currencies=KRW,BTC,USDT",
        read_tickers=every(_UPBIT, "", "market"),
        tickers_recorded_at=("/v1/ticker",),
        list_at="/v1/market/all",
        lists_recorded_at=("/v1/market/all",),
        read_list=lambda answer: (Named((one["market"],), _upbit_symbol(one["market"]), None) for one in answer),
        stream_at="/websocket/v1",
        read_stream=_upbit_stream,
        symbol=_upbit_symbol,
        told=_UPBIT_TOLD,
    ),
    "yahoo": Map(
        folder="yahoo",
        tickers="/v8/finance/chart/{wire}?interval=1d&range=1d",
        read_tickers=_yahoo_charts,
        tickers_recorded_at=("/v8/finance/chart/",),
        symbol={"EURUSD=X": "EUR-USD", "AAPL": "AAPL", "BTC-USD": "BTC-USD"}.get,
        time_unit="s",
    ),
}  # fmt: skip

UNREAD: dict[str, str] = {
    "_errors/rest/*": "answers that are no prices: see test_errors",
    "alpaca/rest/*": "bid and ask only, or of coins: the snapshot is asked for, which has trade and day too",
    "alphavantage/*": "no adapter for this source",
    "binance/rest/v3_bookTicker_*": "bid and ask only: the 24 h ticker is asked for, which has them",
    "binance/rest/v3_price_*": "last price only: the 24 h ticker is asked for, which has it",
    "bitfinex/rest/conf_list_currency_*": "currencies, no pairs",
    "bitfinex/rest/conf_list_pair_future_*": "derivatives: only spot is asked for",
    "coinbase/rest/advanced_*": "Advanced Trade, another interface than the Exchange's",
    "coinbase/ws/advanced_*": "Advanced Trade, another interface than the Exchange's",
    "coincheck/*": "no adapter for this exchange",
    "gate/rest/legacy_v2_*": "the second version of the interface, which the fourth has replaced",
    "gemini/rest/symbols_2021-*": "names without the currencies that they are made of: the details are asked for",
    "gemini/rest/v1_pubticker_*": "the first version of the ticker: the second is asked for, which names its pair",
    "gemini/ws/v2_*": "order books, of an interface that another one has replaced",
    "kraken/ws/v1_*": "the first version of the stream, which the second has replaced",
    "okx/rest/legacy_v3_*": "the third version of the interface, which is switched off",
    "okx/rest/v5_instruments_SWAP_*": "derivatives: only spot is asked for",
    "polygon/*": "no adapter for this source",
    "tiingo/*": "no adapter for this source",
    "truefx/*": "no adapter for this source",
    "upbit/ws/v1_trade_*": "trades: the ticker is asked for, which comes with each and has its price",
    "yahoo/rest/quote-*": "needs a cookie and a crumb that only a browser gets: charts are asked for",
}
"""Recordings that nothing reads, and why."""


def decode(text: str | bytes) -> Json:
    """A JSON value with every number as its own digits."""
    return json.loads(text, parse_float=str, parse_int=str)
