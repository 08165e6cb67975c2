"""What an exchange is to the generic code: addresses, limits, names and pure functions from bytes to rows.

A `Venue` is data. It has no state, does no I/O and knows nothing of quotes; who polls it lives in `polling`,
what its rows are worth is judged in `rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from feeds.exchange.session import Session


class Row(NamedTuple):
    """What one answer says of one instrument, not judged yet.

    Attributes:
        wire: the exchange's own name of the instrument. Empty in an answer that does not name it: then it is the
            one symbol that was asked for.
        raw: its texts by our field names, see `rows.make_quote`; None: not the shape that the adapter knows.
        time: the exchange's time of the price as it was sent, in the venue's `time_unit`.
        seq: the exchange's sequence number, if it goes on growing from one connection to the next.
        state: what the exchange says of the market: `live`, `halted` or `closed`; None: nothing.
        until: when the session ends that this was said of, ms since 1970 UTC; see `Venue.late_s`.
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
        wires: every name under which the exchange may speak of it.
        decimals: digits after the point at which it is quoted.
        name: for people, where the exchange has one.
        state: what the list says of the market: `live`, `halted` or `closed`; None: nothing.
    """

    symbol: str
    wires: tuple[str, ...]
    decimals: int | None = None
    name: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the exchange bears, and what we take from it.

    Attributes:
        interval_s: default seconds from poll to poll.
        gap_s: fewest seconds from the start of one request to the next, of whatever kind.
        body_bytes: longest answer that is read, counted after decompression.
        symbols: most symbols that are remembered from answer to answer, in case a server makes up new ones.
        symbols_per_request: most symbols that one `rest_request` can ask for; a poll is then as many requests as it
            takes. None: it can ask for all at once.
        ban_s: how long to stay away after a ban that names no time (HTTP 403, 418, its own word); 0: no ban.
        used_header, used_limit: the header that tells how much of a minute's allowance is used up, and the
            allowance; near it we wait for the next minute.
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
    """What one message of a stream says. Anything that is none of this is an empty `Heard`: a heartbeat, say.

    Attributes:
        rows: prices.
        acked: wire names whose subscription is confirmed by this message, or the number of the message that asked
            for them, as `Stream.subscribe` got it.
        refused: wire names (or such a number) that the exchange will not send, each with its reason in the
            exchange's words.
        reply: a text to send back at once.
        ready: the exchange's greeting, for `Stream.greets`.
        reconnect: why the exchange asks us to come back on another connection; None: it does not.
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
        url: where to connect (ws or wss), without secrets. `base_url` of a configuration replaces scheme, host and
            port. Empty: `open_request` asks for it.
        subscribe: the texts that subscribe some wire names on a connection; the number is a growing message id.
        parse: what a message says. The dict is the memory of this one connection, empty at its start: merged
            deltas, channel numbers. Raises `FeedError` where the exchange reports a failure of the whole
            connection, `ValueError` where the message has no known shape.
        wires_per_message, wires_per_connection: the exchange's limits; more wires take more connections.
        messages_per_s: how many texts may be sent in a second on one connection.
        connects_per_s: how many connections may be opened in a second.
        lifetime_s: the exchange ends connections at this age; a new one is made before (make before break).
        ping: the text that keeps a connection alive, and how often it is sent; WebSocket pings of the server
            are answered anyway.
        greets: the exchange says first that it is ready; nothing is sent before.
        mute_after_s: a connection without any price for so long is made anew, heartbeats or not. The busiest
            symbols' rhythm: short for a busy exchange.
        acks: the exchange answers each subscription; what it leaves unanswered is asked for again.
        replaces: each subscription takes the place of those before it, so it asks for all of the connection's.
        complete: the stream alone gives all that the exchange has; if not, its REST is polled beside it.
        key_query: the name under which the URL's query carries the key; None: the headers of `Venue.key_headers` do.
        open_request: path and query to ask by HTTP POST for the address of the stream (a token handshake).
        parse_open: the stream's full URL and ping interval (seconds, or None) of that answer.
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
"""Stands, as a JSON text, in what is sent over a stream for the seconds since 1970 UTC of the moment when it is."""
INTERVALS = {60: "1m", 300: "5m", 900: "15m", 3600: "1h", 14_400: "4h", 86_400: "1d"}
"""Lengths of bars in seconds, as many exchanges call them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candles:
    """How an exchange tells the bars of its past.

    Attributes:
        request: path and query, with `{wire}`, the name that its list has first; `{interval}`; and where they are asked
            for `{begin_ms}` and `{end_ms}`, or the same in `_s` or `_iso`. Both lie just before a bar begins.
        rows: the entries of an answer, in whatever order. Raises like `Venue.parse_rest`.
        columns: where an entry has its start, open, high, low, close and volume (base currency; may be left out).
        time_unit: one of `rows.TIME_UNITS`, the unit of the start.
        intervals: its name of each length in seconds, of bars that begin at multiples of it, UTC. Longer bars are put
            together of the longest ones that fit.
        most: bars in one answer.
        kept: bars of one length that it has at all; None: enough.
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
        base_url: scheme, host and port; the only host that is ever asked.
        limits: see `Limits`.
        rest_request: path and query that ask for the tickers of these canonical symbols, or several of them where
            it takes several answers. No symbols given means all; an exchange that can only send all ignores them.
        fields: the fields of a quote that its rows can have, in whatever order.
        parse_rest: the rows of an answer with status 200. Raises `FeedError` where the exchange says that it
            failed, `ValueError` where the body is not of the known shape as a whole.
        instruments_request: path and query of the instrument list; None: there is none to ask for.
        parse_instruments: its entries; raises like `parse_rest`.
        symbol: canonical symbol of a wire name; None for a name that it cannot read without the list. Left
            out: names mean nothing without the list, which is then loaded before the first price.
        wire: the name to subscribe a canonical symbol under. Left out: the first one of its `Listing`.
        kind: one of `model.KINDS`.
        clock: `exchange` if its rows carry their own time, else `received`.
        polled_clock: the same of answers alone, where they differ from the stream in it.
        time_unit: one of `rows.TIME_UNITS`, the unit of `Row.time`.
        stream: how it pushes, where it does.
        change_from: the value that the last price is compared to where a row has no `change_pct`: `open`, the price
            24 h ago, or `previous_close`, which such a market's rows have beside the fields of a quote.
        candles: how it tells its past, where it does.
        session: when the market is open, where neither rows nor list say it: then the exchange's time decides.
        late_s: how late prices may be: so long after the end of its session that a row names, the market is closed.
        key_headers: the request headers that carry the key of the configuration, of which each has a part where there
            are several; a venue with any cannot be had without a key.
    """

    name: str
    summary: str
    base_url: str
    limits: Limits
    rest_request: Callable[[Sequence[str]], str | tuple[str, ...]]
    parse_rest: Callable[[bytes], Sequence[Row]]
    fields: Iterable[str]
    instruments_request: str | None = None
    parse_instruments: Callable[[bytes], list[Listing]] | None = None
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
        assert self.symbol or self.instruments_request, "no way to tell what a name means"
        in_query = self.stream is not None and self.stream.key_query
        assert not in_query or len(self.key_headers) == 1, "the query carries one key, which requests have in a header"

    def targets(self, symbols: Sequence[str]) -> tuple[str, ...]:
        """What `rest_request` asks for, always as several."""
        asked = self.rest_request(symbols)
        return (asked,) if isinstance(asked, str) else asked
