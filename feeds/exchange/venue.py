"""What an exchange is to the generic code: addresses, limits, names and pure functions from bytes to rows.

A `Venue` is data. It has no state, does no I/O and knows nothing of quotes: `polling` and `shards` do the I/O,
`judge` validates its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from feeds.exchange.session import Session


class Row(NamedTuple):
    """What one answer says about one instrument, not validated yet.

    Attributes:
        wire: the exchange's own name for the instrument. Empty if the answer does not name it: then it is the one
            symbol that was asked for.
        raw: its texts by our field names, see `rows.good_values`; None: the row has an unknown shape.
        time: the exchange's time of the price as it was sent, in the venue's `time_unit`.
        seq: the exchange's sequence number, if it keeps growing across connections.
        state: the market's state according to the exchange: `live`, `halted` or `closed`; None: it does not say.
        until: when the session that the row belongs to ends, ms since 1970 UTC; see `Venue.late_s`.
    """

    wire: str
    raw: dict[str, str | None] | None
    time: str | None = None
    seq: int | None = None
    state: str | None = None
    until: int | None = None


class Listing(NamedTuple):
    """One entry of an exchange's list.

    Attributes:
        symbol: the canonical symbol, `BTC-USD`.
        wires: every name that the exchange may use for it.
        decimals: digits after the point at which it is quoted.
        name: a name for people, if the exchange has one.
        state: the market's state according to the list: `live`, `halted` or `closed`; None: it does not say.
    """

    symbol: str
    wires: tuple[str, ...]
    decimals: int | None = None
    name: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The exchange's rate limits, and ours on what it sends.

    Attributes:
        interval_s: default seconds from poll to poll.
        gap_s: minimum seconds from the start of one request of any kind to the start of the next.
        body_bytes: longest answer that is read, counted after decompression.
        symbols: most symbols that are remembered from answer to answer, in case a server invents names.
        symbols_per_request: most symbols that one `rest_request` can ask for; a poll then takes several requests.
            None: one request can ask for all.
        ban_s: how long to stay away after a ban without a Retry-After (HTTP 403, 418 or the exchange's own error); 0:
            it does not ban.
        used_header, used_limit: the header that tells how much of a minute's allowance is used, and the allowance;
            when little is left we wait for the next minute.
    """

    interval_s: float
    gap_s: float
    body_bytes: int = 5_000_000
    symbols: int = 100_000
    symbols_per_request: int | None = None
    ban_s: float = 0.0
    used_header: str | None = None
    used_limit: int = 0


class Heard(NamedTuple):
    """What one message of a stream says. Any other message, such as a heartbeat, is an empty `Heard`.

    Attributes:
        rows: prices.
        acked: wire names whose subscription this message confirms, or the number of the request for them, as passed
            to `Stream.subscribe`.
        refused: wire names (or such a number) that the exchange will not send, each with the exchange's reason.
        reply: a text to send back at once.
        ready: whether this is the exchange's greeting, see `Stream.greets`.
        reconnect: why the exchange asks us to reconnect; None: it does not.
    """

    rows: Sequence[Row] = ()
    acked: Sequence[str | int] = ()
    refused: Sequence[tuple[str | int, str]] = ()
    reply: str | None = None
    ready: bool = False
    reconnect: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """How an exchange pushes prices over WebSocket: data and pure functions, like `Venue`.

    Attributes:
        url: where to connect (ws or wss), without secrets. A configured `base_url` replaces scheme, host and port.
            Empty: it is obtained by `open_request`.
        subscribe: the texts that subscribe some wire names on a connection; the number is an increasing message id.
        parse: what a message says. The dict is this connection's memory, empty at its start: merged deltas, channel
            numbers. Raises `FeedError` if the exchange reports a failure of the whole connection, `ValueError` if the
            message has an unknown shape.
        wires_per_message, wires_per_connection: the exchange's limits; more wire names take more connections.
        messages_per_s: how many texts may be sent on one connection in a second.
        connects_per_s: how many connections may be opened in a second.
        lifetime_s: the age at which the exchange ends connections; a new one is opened before that.
        ping: the text that keeps a connection alive, and how often to send it, in seconds; the server's WebSocket
            pings are answered anyway.
        greets: whether the exchange sends a greeting first; nothing is sent before it.
        mute_after_s: a connection without any price for this long is replaced, heartbeats or not. It follows the
            busiest symbols: short for a busy exchange.
        acks: whether the exchange answers each subscription; unanswered ones are sent again.
        replaces: whether a subscription replaces the earlier ones, so that it must name all of the connection's.
        complete: whether the stream has every field that the exchange has; if not, REST is polled as well.
        key_query: the parameter of the URL's query that carries the key; None: `Venue.key_headers` carry it.
        open_request: path and query of the HTTP POST that returns the address of the stream (a token handshake).
        parse_open: the stream's full URL and ping interval (seconds, or None) in that answer.
    """

    subscribe: Callable[[Sequence[str], int], list[str]]
    parse: Callable[[bytes, dict[str, Any]], Heard]
    url: str = ""
    wires_per_message: int = 100
    wires_per_connection: int = 1000
    messages_per_s: float = 5.0
    connects_per_s: float = 1.0
    lifetime_s: float | None = None
    ping: tuple[str, float] | None = None
    greets: bool = False
    mute_after_s: float = 30.0
    acks: bool = True
    replaces: bool = False
    complete: bool = True
    key_query: str | None = None
    open_request: str | None = None
    parse_open: Callable[[bytes], tuple[str, float | None]] | None = None


NOW_S = "{now_s}"
"""A placeholder, as a JSON string, in texts to send over a stream; it becomes the time of sending, in Unix seconds."""
INTERVALS = {60: "1m", 300: "5m", 900: "15m", 3600: "1h", 14_400: "4h", 86_400: "1d"}
"""The names that many exchanges have for bar lengths, by seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candles:
    """How an exchange serves historical bars.

    Attributes:
        request: path and query with `{wire}`, the first name in its `Listing`, `{interval}` and, if the exchange takes
            them, `{begin_ms}` and `{end_ms}`, or the same ending in `_s` or `_iso`. Both lie just before a bar begins.
        rows: the entries of an answer, in any order. Raises like `Venue.parse_rest`.
        columns: where an entry has its start, open, high, low, close and volume (base currency; may be left out).
        time_unit: the unit of the start, see `times.time_ms`.
        intervals: its name for each length in seconds, of bars that begin at multiples of that length, UTC. Longer bars
            are built from the longest ones that fit.
        most: most bars in one answer.
        kept: how many bars of one length it keeps; None: enough.
    """

    request: str
    rows: Callable[[bytes], list[Any]]
    columns: Sequence[int | str] = (0, 1, 2, 3, 4, 5)
    time_unit: str = "ms"
    intervals: Mapping[int, int | str]
    most: int
    kept: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """One exchange.

    Attributes:
        name: as in `ticker adapters` and in venue symbols, unless the feed is given another name.
        summary: its name for people and what is special about it, in one line for the list of adapters.
        base_url: scheme, host and port; no other host is asked over HTTP.
        limits: see `Limits`.
        rest_request: path and query of the tickers of these canonical symbols, or several if it takes several
            requests. No symbols means all; an exchange that always sends all ignores them.
        fields: the fields of a quote that its rows can have, in any order.
        parse_rest: the rows of an answer with status 200. Raises `FeedError` if the exchange reports a failure,
            `ValueError` if the body as a whole has an unknown shape.
        instruments_request: path and query of the instrument list; None: it has none.
        parse_instruments: its entries; raises like `parse_rest`.
        symbol: the canonical symbol of a wire name, or None for a name that means nothing without the list. Left
            out: no name means anything without the list, which is then loaded before the first price.
        wire: the name to subscribe a canonical symbol under. Left out: the first name in its `Listing`.
        kind: one of `model.KINDS`.
        clock: `exchange` if its rows carry their own time, else `received`.
        polled_clock: the same for REST alone, if it differs from the stream.
        time_unit: the unit of `Row.time`, see `times.time_ms`.
        stream: how it pushes prices, if it does.
        change_from: the price that `last` is compared with if a row has no `change_pct`: `open`, the price 24 h ago,
            or `previous_close`, an extra field in the rows of a market that closes.
        candles: how it serves historical bars, if it does.
        session: the trading hours, if neither rows nor list give the market's state; it is then derived from the
            exchange's time.
        late_s: how far prices may lag: the market is closed this long after the end of the session in `Row.until`.
        key_headers: the request headers that carry the configured key, or one part of it each; a venue that has any
            needs a key.
    """

    name: str
    summary: str
    base_url: str
    limits: Limits
    rest_request: Callable[[Sequence[str]], str | tuple[str, ...]]
    parse_rest: Callable[[bytes], Sequence[Row]]
    fields: Iterable[str]
    instruments_request: str | None = None
    parse_instruments: Callable[[bytes], list[Listing]] = lambda _body: []
    symbol: Callable[[str], str | None] | None = None
    wire: Callable[[str], str | None] | None = None
    kind: str = "live"
    clock: str = "received"
    polled_clock: str | None = None
    time_unit: str = "ms"
    stream: Stream | None = None
    candles: Candles | None = None
    change_from: str = "open"
    session: Session | None = None
    late_s: float = float("inf")
    key_headers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.symbol or self.instruments_request, "there must be a way to tell what a name means"
        in_query = self.stream is not None and self.stream.key_query
        assert not in_query or len(self.key_headers) == 1, "the query can carry only a key of one part"

    def targets(self, symbols: Sequence[str]) -> tuple[str, ...]:
        """The result of `rest_request`, always as a tuple."""
        asked = self.rest_request(symbols)
        return (asked,) if isinstance(asked, str) else asked
