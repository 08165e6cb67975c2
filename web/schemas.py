"""JSON Schemas (2020-12) of everything that is sent and received, for the two reference documents.

Names and choices are those of the code (`FIELDS`, `ERROR_CODES`, `INTERVALS_MS`, …). Objects are open: readers ignore
members that they do not know. `tests/web/test_reference.py` closes them and validates real frames against them.
"""

from __future__ import annotations

from typing import Any

from ticker.messages import INTERVALS_MS
from ticker.model import (
    BAR_LENGTHS_MS,
    ERROR_REASONS,
    FEED_STATES,
    FIELDS,
    KINDS,
    NUMBER_FIELDS,
    QUOTE_STATES,
    REJECT_REASONS,
    SYMBOL,
    VENUE_SYMBOL,
)  # fmt: skip
from ticker.protocol import ERROR_CODES
from ticker.selection import MAX_PATTERN_LENGTH

Schema = dict[str, Any]

MS = "ms since 1970-01-01 UTC"
_PART = "[A-Za-z0-9._^-]*"
PATTERN = "^(" + "|".join((
    rf"{_PART}(\*{_PART}){{0,2}}", rf"{_PART}(\*{_PART})?:{_PART}(\*{_PART})?",
    rf"{_PART}(\*{_PART}){{2}}:{_PART}", rf"{_PART}:{_PART}(\*{_PART}){{2}}",
)) + ")$"  # fmt: skip
"""What `ticker.selection.check_pattern` accepts, apart from the length."""

FIELD_TEXTS: dict[str, tuple[str, str, object]] = {
    "last": ("last trade price", "quote currency", 97412.35),
    "bid": ("best bid", "quote currency", 97412.30),
    "ask": ("best ask", "quote currency", 97412.35),
    "bid_size": ("size at the best bid", "base currency", 0.5),
    "ask_size": ("size at the best ask", "base currency", 1.25),
    "open": ("price 24 h ago, or the session's first", "quote currency", 96000.0),
    "high": ("highest price in 24 h, or the session's", "quote currency", 98000.5),
    "low": ("lowest price in 24 h, or the session's", "quote currency", 95500.0),
    "volume": ("traded in 24 h, or in the session", "base currency", 1234.5),
    "quote_volume": ("traded in 24 h, or in the session", "quote currency", 119000000.25),
    "change_pct": ("change over 24 h, or since the previous close", "percent", 1.4712),
    "ts": ("the exchange's time of the price, or our time of its arrival: see the feed's `clock`", MS, 1795386012345),
    "state": ("whether the price can be relied on, as the service judges", "", "live"),
    "source": ("the venue that the price comes from", "", "alpha"),
    "decimals": ("digits after the point at which the symbol is quoted", "digits", 2),
    "name": ("the instrument's name", "", "Bitcoin"),
}
"""Meaning, unit and example of each field of a quote."""


def value(kind: str | list[str], text: str, example: object, unit: str = "", **more: Any) -> Schema:
    """A scalar member."""
    described = {"type": kind, "description": text, "examples": [example], **more}
    return described | {"x-unit": unit} if unit else described


def ref(name: str) -> Schema:
    """A reference to the schema of this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(text: str, members: dict[str, Schema], optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """An object with these members, of which all but `optional` are always there."""
    required = [name for name in members if name not in optional]
    return {"type": "object", "description": text, "properties": members, "required": required, **more}


def mapping(text: str, of: Schema) -> Schema:
    """An object with arbitrary keys."""
    return {"type": "object", "description": text, "additionalProperties": of}


def listing(text: str, of: Schema, **more: Any) -> Schema:
    """An array."""
    return {"type": "array", "description": text, "items": of, **more}


def _field(name: str) -> Schema:
    text, unit, example = FIELD_TEXTS[name]
    if name == "state":
        return value(["string", "null"], text, example, enum=[*QUOTE_STATES, None])
    kind = "integer" if name in {"ts", "decimals"} else "number" if name in NUMBER_FIELDS else "string"
    return value([kind, "null"], f"{text}; null: not known", example, unit)


# Shared

TIME = value("integer", "the service's clock when this was made", 1795386012345, MS)
EPOCH = value("integer", "the store's lifetime; a restart begins a new one", 1795386000123, minimum=1)
VERSION = value("integer", "the store's version: you know everything up to here", 4712, minimum=1)
VERSION_NOW = value("integer", "the store's version now", 4712, minimum=1)
SINCE_MS = value("integer", "since when it is in this state", 1795386000500, MS)
SELECTION = value("string", "the third part of a cursor", "9f3a61c27b04d5e8", pattern="^[0-9a-f]{16}$")
CURSOR = value("string", "where to resume: EPOCH:VERSION:SELECTION; opaque", "1795386000123:4711:9f3a61c27b04d5e8")
INTERVAL = value("integer", "minimum time between two frames", 250, "ms", enum=list(INTERVALS_MS))
PATTERN_ITEM = value("string", "a symbol, or a pattern with at most two `*`", "*-EUR",
                     minLength=1, maxLength=MAX_PATTERN_LENGTH, pattern=PATTERN)  # fmt: skip
FIELD_ITEM = value("string", "a field of a quote", "last", enum=list(FIELDS))
SYMBOL_ITEM = value("string", "a symbol, or a venue's own", "BTC-USD", maxLength=MAX_PATTERN_LENGTH,
                    pattern=f"^({SYMBOL.pattern}|{VENUE_SYMBOL.pattern.split(')', 1)[1]})$")  # fmt: skip
NEAREST = listing("the most similar symbols, best first", SYMBOL_ITEM, examples=[["BTC-USD", "BTC-USDT"]])
UNKNOWN = listing("symbols that do not exist (yet)", record("one of them", {
    "symbol": PATTERN_ITEM, "nearest": NEAREST}))  # fmt: skip
LOADING = listing("feeds that have not loaded their symbols yet, and may still bring the unknown ones",
                  value("string", "name of a feed", "alpha"))  # fmt: skip
REPLY_ID = {"type": ["integer", "string"], "description": "`id` of the message that this answers", "examples": [1],
            "maxLength": 64}  # fmt: skip
CODE = value("string", "what is wrong, for programs", "bad_request", enum=list(ERROR_CODES))
MESSAGE = value("string", "what is wrong and what to do, for people", "field 'symbols' must be a list of strings")
STATE = value("string", "state of the feed", "live", enum=list(FEED_STATES))
KIND = value("string", "kind of its prices", "live", enum=list(KINDS))
CLOCK = value("string", "whose time `ts` is", "exchange", enum=["exchange", "received"])
FEED_MESSAGE = value(["string", "null"], "why it is in this state", "connection refused")
QUOTES = mapping("records by symbol", ref("Record"))
GONE = listing("symbols that no longer exist: drop them", SYMBOL_ITEM, examples=[["OLD-USD"]])
FEEDS = mapping("records of feeds, by name; absent members are unchanged", ref("FeedRecord"))
_FEED = {"state": STATE, "since": SINCE_MS, "kind": KIND, "clock": CLOCK, "message": FEED_MESSAGE}
_DATA = {"quotes": QUOTES, "gone": GONE, "feeds": FEEDS}
_PATTERNS = listing("the whole selection of the connection now", PATTERN_ITEM, examples=[["BTC-USD", "alpha:*"]])
_MATCHED = value("integer", "how many existing symbols the selection matches", 734, "symbols", minimum=0)

RECORDS: dict[str, Schema] = {
    "Record": record("A quote, or what changed in it: absent means unchanged, null means not known.",
                     {name: _field(name) for name in FIELDS}, FIELDS),
    "FeedRecord": record("A feed, or what changed in it.", _FEED, tuple(_FEED)),
}  # fmt: skip


# The stream


def _frame(kind: str, text: str, members: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    return record(text, {"type": {"const": kind, "description": "which frame it is"}} | members, optional)


FRAMES: dict[str, Schema] = {
    "hello": _frame("hello", "The first frame of a connection.", {
        "protocol": value("integer", "version of the protocol", 1),
        "server": value("string", "name and release", "ticker/0.1.0"),
        "epoch": EPOCH, "version": VERSION_NOW, "time": TIME,
        "kinds": listing("kinds of all feeds", KIND),
        "heartbeat_ms": value("integer", "longest time without a frame", 5000, "ms"),
        "connection": value("integer", "number of this connection in the service's log", 17),
        "limits": record("what a connection may ask for", {
            "patterns": value("integer", "most patterns", 1000, "patterns"),
            "symbols": value("integer", "most symbols that they may match", 50000, "symbols"),
            "message_bytes": value("integer", "size of the largest message", 65536, "bytes"),
            "messages_per_s": value("integer", "most messages", 20, "1/s"),
            "min_interval_ms": value("integer", "least `interval_ms`", 0, "ms"),
            "wildcards": value("integer", "most patterns with `*`", 32, "patterns"),
            "work_per_s": value("integer", "most symbols and pattern tests that subscribing may cost", 20000, "1/s"),
            "snapshot_symbols_per_s": value("integer", "most symbols in snapshots, for one address", 500000, "1/s"),
        }),
    }),
    "subscribed": _frame("subscribed", "The answer to `subscribe`, or to the URL. A data frame follows.", {
        "id": REPLY_ID, "patterns": _PATTERNS, "matched": _MATCHED,
        "fields": {"oneOf": [listing("the fields", FIELD_ITEM), {"type": "null"}], "description": "null: all fields",
                   "examples": [["last", "ts"]]},
        "interval_ms": INTERVAL, "selection": SELECTION,
        "resumed": value("boolean", "whether the cursor was valid: then an update follows, not a snapshot", False),
        "unknown": UNKNOWN,
        "rejected": listing("patterns that were not accepted", record("one of them", {
            "pattern": value("string", "as it was given", "*A*A*A"), "code": CODE, "message": MESSAGE})),
    }, ("id",)),
    "unsubscribed": _frame("unsubscribed", "The answer to `unsubscribe`. A data frame follows.", {
        "id": REPLY_ID, "patterns": _PATTERNS, "matched": _MATCHED, "selection": SELECTION,
    }, ("id",)),
    "snapshot": _frame("snapshot", "Everything in the selection: replace what you have.", {
        "epoch": EPOCH, "version": VERSION, "time": TIME, **_DATA,
    }, ("gone", "feeds")),
    "update": _frame("update", "What has changed: assign each record's fields over yours, drop what is gone.", {
        "since": value("integer", "at most your version; if it is higher, something was lost", 4711, minimum=1),
        "version": VERSION, "time": TIME, **_DATA,
    }, ("quotes", "gone", "feeds")),
    "heartbeat": _frame("heartbeat", "Nothing you selected has changed up to this version; 0 before your first data.", {
        "version": VERSION | {"minimum": 0}, "time": TIME,
    }),
    "pong": _frame("pong", "The answer to `ping`.", {"id": REPLY_ID, "time": TIME}, ("id",)),
    "error": _frame("error", "A message was refused; nothing was changed.", {
        "id": REPLY_ID, "code": CODE, "message": MESSAGE,
        "retry": value("boolean", "whether the same message may be accepted later", False),
    }, ("id",)),
    "bye": _frame("bye", "The service ends the connection.", {
        "reason": value("string", "why", "shutdown"),
        "reconnect": value("boolean", "whether to reconnect", True),
        "retry_ms": listing("reconnect after a random time between these", value("integer", "from, to", 500, "ms"),
                            minItems=2, maxItems=2, examples=[[500, 5000]]),
    }),
}  # fmt: skip
"""What the service sends, by type."""

_ID = {**REPLY_ID, "description": "sent back in the reply"}
_WANTED = listing("symbols and patterns", {"type": "string"}, minItems=1, examples=[["BTC-USD", "alpha:*"]])

MESSAGES: dict[str, Schema] = {
    "subscribe": record("Add patterns to the connection's selection. Only its first `subscribe` may have a `cursor`.", {
        "op": {"const": "subscribe", "description": "what to do"}, "id": _ID, "symbols": _WANTED,
        "fields": {"oneOf": [listing("the fields", FIELD_ITEM, minItems=1), {"type": "null"}],
                   "description": "fields to send from now on; null: as before", "examples": [["last", "bid", "ts"]]},
        "interval_ms": value(
            "integer", "minimum time between two frames; rounded up, at most a minute", 250, "ms", minimum=0
        ),
        "cursor": CURSOR,
    }, ("id", "fields", "interval_ms", "cursor")),
    "unsubscribe": record("Take patterns away, exactly as they were given.", {
        "op": {"const": "unsubscribe", "description": "what to do"}, "id": _ID, "symbols": _WANTED,
    }, ("id",)),
    "auth": record("The first message, if a token is needed and the request had none. `hello` answers it.", {
        "op": {"const": "auth", "description": "what to do"},
        "token": value("string", "the token", "tk_7f3a61c27b04d5e8"),
    }),
    "ping": record("Ask for a `pong`.", {"op": {"const": "ping", "description": "what to do"}, "id": _ID}, ("id",)),
}  # fmt: skip
"""What a client sends, by `op`."""


# HTTP

_TOTAL = value("integer", "since the start", 4711, minimum=0)
_VENUES = listing("feeds that have it, preferred first", value("string", "a feed", "alpha"), examples=[["alpha"]])
_CLOSE = value(["number", "null"], "a close; null: not known", 97402.2, "quote currency")

_TIMES = record("histogram of durations", {
    "bounds": listing("upper bounds", value("number", "one", 0.001, "s")),
    "counts": listing("how many up to each bound; the last one: above all bounds", _TOTAL),
    "total": value("number", "sum of all durations", 0.41, "s"),
})  # fmt: skip


def _counts(text: str, labels: tuple[str, ...]) -> Schema:
    return mapping(f"{text}; zero counts are left out", _TOTAL) | {"propertyNames": {"enum": list(labels)}}


BODIES: dict[str, Schema] = {
    "Bar": {"type": "array", "description": "One bar.", "minItems": 7, "maxItems": 7, "prefixItems": [
        value("integer", "start of the bar", 1795385940000, MS),
        *(value("number", text, 97402.2, "quote currency") for text in ("open", "high", "low", "close")),
        value(["number", "null"], "volume, if the venue gives it", 3.81, "base currency"),
        value("string", "flags: `o` still open, `g` data was missing, `v` the venue's own", "v", pattern="^o?g?v?$"),
    ]},
    "Quotes": record("Quotes, and the cursor to resume from.", {
        "cursor": CURSOR,
        "since": value(["integer", "null"], "changes since this version; null: everything, replace yours", 4711),
        "version": VERSION, "time": TIME, **_DATA, "unknown": UNKNOWN,
        "loading": LOADING,
    }, ("gone", "feeds", "unknown", "loading"), examples=[{
        "cursor": "1795386000123:4711:9f3a61c27b04d5e8", "since": None, "version": 4711, "time": 1795386012345,
        "quotes": {"BTC-USD": {"last": 97412.35, "bid": 97412.3, "ask": 97412.35, "state": "live", "source": "alpha"}},
    }]),
    "Quote": record("One quote.", {"symbol": SYMBOL_ITEM, "cursor": CURSOR, "quote": ref("Record")}, examples=[{
        "symbol": "BTC-USD", "cursor": "1795386000123:4711:9f3a61c27b04d5e8",
        "quote": {name: example for name, (_, _, example) in FIELD_TEXTS.items()},
    }]),
    "Source": record("Where the price of a symbol comes from.", {
        "symbol": SYMBOL_ITEM,
        "source": value(["string", "null"], "the venue that is followed now", "beta"),
        "since": value(["integer", "null"], "since when; null: no other was followed before", 1795386012345, MS),
        "before": value(["string", "null"], "the venue that it took over from", "alpha"),
        "venues": _VENUES,
    }, examples=[{"symbol": "BTC-USD", "source": "beta", "since": 1795386012345, "before": "alpha",
                  "venues": ["alpha", "beta", "gamma"]}]),
    "Symbols": record("The symbols, sorted by name.", {"symbols": listing("the symbols", record("one of them", {
        "symbol": SYMBOL_ITEM,
        "name": value(["string", "null"], "the instrument's name", "Bitcoin"),
        "base": value("string", "what is priced", "BTC"),
        "quote": value(["string", "null"], "what it is priced in; null: the symbol is not a pair", "USD"),
        "decimals": value(["integer", "null"], "digits after the point", 2, "digits"),
        "venues": _VENUES,
    })), "unknown": UNKNOWN, "loading": LOADING}, ("unknown", "loading"), examples=[{"symbols": [{
        "symbol": "BTC-USD", "name": "Bitcoin", "base": "BTC", "quote": "USD", "decimals": 2,
        "venues": ["alpha", "beta"],
    }]}]),
    "Candles": record("Bars, the oldest first.", {
        "symbol": SYMBOL_ITEM,
        "interval": value("string", "length of a bar", "1m", enum=list(BAR_LENGTHS_MS)),
        "since": value(["integer", "null"], "when recording began", 1795386012345, MS),
        "bars": listing("the bars", ref("Bar")),
    }, examples=[{"symbol": "BTC-USD", "interval": "1m", "since": 1795386012345, "bars": [
        [1795385940000, 97380.1, 97421.9, 97371.0, 97402.2, 3.81, "v"],
        [1795386000000, 97402.2, 97415.0, 97401.5, 97412.35, None, ""],
        [1795386060000, 97412.4, 97412.4, 97409.9, 97410.0, None, "o"],
    ]}]),
    "Sparklines": record("Closes of the last minutes, the oldest first.", {
        "interval": {"const": "1m", "description": "from one close to the next"},
        "end": value("integer", "when the last minute, which is still open, ends", 1795386120000, MS),
        "closes": mapping("by symbol", listing("the closes", _CLOSE)),
    }, examples=[{"interval": "1m", "end": 1795386120000, "closes": {"BTC-USD": [None, 97402.2, 97412.35]}}]),
    "Feeds": record("Feeds, and their health.", {"feeds": mapping("by name", record("one feed", {
        **_FEED,
        "symbols": value("integer", "symbols that it prices", 734, "symbols"),
        "last_data": value(["integer", "null"], "when data last arrived", 1795386012345, MS),
        "rate": value("number", "recent rate of updates", 812.5, "1/s"),
        "updates": _TOTAL, "reconnects": _TOTAL,
        "received_bytes": value("integer", "received since the start", 1048576, "bytes"),
        "idle_messages": value("integer", "heartbeats of its stream, and messages of unknown kinds", 120, "messages"),
        "polls": mapping("polls by outcome", _TOTAL),
        "errors": _counts("failures by reason", ERROR_REASONS),
        "rejects": _counts("rejected rows by reason", REJECT_REASONS),
        "changes": listing("the last 20 changes of its state", record("one change", {
            "at": value("integer", "when", 1795386000500, MS), "state": STATE, "message": FEED_MESSAGE})),
    }))}, examples=[{"feeds": {"alpha": {
        "state": "live", "since": 1795386000500, "kind": "live", "clock": "received", "message": None, "symbols": 734,
        "last_data": 1795386012345, "rate": 812.5, "updates": 4711, "reconnects": 0, "received_bytes": 1048576,
        "idle_messages": 120, "polls": {"ok": 0, "error": 0, "skipped": 0}, "errors": {"timeout": 1}, "rejects": {},
        "changes": [{"at": 1795386000500, "state": "live", "message": None}]}}}]),
    "Status": record("Status of the service.", {
        "time": TIME,
        "started_at": value("integer", "when it started", 1795380000123, MS),
        "reasons": listing("why the service is not ready", value("string", "one reason", "shutting down")),
        "versions": mapping("of the service and its libraries", value("string", "a version", "0.1.0")),
        "memory_bytes": value("integer", "resident memory", 81264640, "bytes"),
        "cpu_s": value("number", "processor time since the start", 12.3, "s"),
        "store": record("the store", {
            "epoch": EPOCH, "version": VERSION_NOW,
            "symbols": value("integer", "records", 846, "symbols"),
            "stale": value("integer", "of them stale", 2, "symbols"),
            "history_bytes": value("integer", "memory of the bars", 1048576, "bytes"),
        }),
        "readers": record("the readers", {
            "connected": mapping("by transport", value("integer", "readers now", 12)),
            "subscriptions": value("integer", "different selections", 3),
            "lagging": value("integer", "readers behind now", 1),
            "pending_bytes": value("integer", "what waits to be sent to them", 2048, "bytes"),
            "conflated": _TOTAL, "sent_rows": _TOTAL, "sent_bytes": _TOTAL,
            "disconnects": mapping("by close code", _TOTAL), "rejects": mapping("by reason", _TOTAL),
        }),
        "flush_s": _TIMES, "fanout_s": _TIMES, "loop_s": _TIMES,
    }, examples=[{
        "time": 1795386012345, "started_at": 1795380000123, "reasons": [],
        "versions": {"ticker": "0.1.0", "python": "3.11.2"}, "memory_bytes": 81264640, "cpu_s": 12.3,
        "store": {"epoch": 1795380000123, "version": 4711, "symbols": 846, "stale": 2, "history_bytes": 1048576},
        "readers": {"connected": {"ws": 12}, "subscriptions": 3, "lagging": 1, "pending_bytes": 2048, "conflated": 17,
                    "sent_rows": 52012, "sent_bytes": 4712011, "disconnects": {"1001": 4}, "rejects": {"full": 0}},
        "flush_s": {"bounds": [0.001, 0.01], "counts": [990, 8, 2], "total": 0.41},
        "fanout_s": {"bounds": [0.001, 0.01], "counts": [990, 8, 2], "total": 0.41},
        "loop_s": {"bounds": [0.001, 0.01], "counts": [990, 8, 2], "total": 0.41},
    }]),
    "Health": record("The process is alive.", {"status": {"const": "ok", "description": "always"}},
                     examples=[{"status": "ok"}]),
    "Readiness": record("Whether the service is ready.", {
        "status": value("string", "whether it is", "ready", enum=["ready", "not ready"]),
        "reasons": listing("why not", value("string", "one reason", "shutting down")),
    }, examples=[{"status": "ready", "reasons": []}]),
    "Problem": record("Why a request was not answered (RFC 9457).", {
        "type": {"const": "about:blank", "description": "`code` says what it is"},
        "title": value("string", "the status, in words", "Not Found"),
        "status": value("integer", "the HTTP status", 404),
        "code": CODE,
        "detail": value("string", "what is wrong and what to do", "no symbol 'BTC-USDX'; nearest: BTC-USD"),
        "nearest": NEAREST, "loading": LOADING,
    }, ("nearest", "loading"), examples=[{
        "type": "about:blank", "title": "Not Found", "status": 404, "code": "unknown_symbol",
        "detail": "no symbol 'BTC-USDX'; nearest: BTC-USD, BTC-USDT", "nearest": ["BTC-USD", "BTC-USDT"],
    }]),
}  # fmt: skip
"""Bodies of HTTP answers, by name."""
