"""Prices over HTTP: all or since a cursor, ETags, one quote, the lists, health; and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.web.peer import Answer, View
from tests.web.server import PRICES, Live, serving
from ticker.model import FIELDS, Quote
from ticker.protocol import ERROR_CODES


def is_problem(answer: Answer, status: int, code: str) -> bool:
    """Whether an answer is a problem document of this status and code (RFC 9457)."""
    return (
        answer.status == status
        and answer.headers["content-type"] == "application/problem+json"
        and (answer.json["status"], answer.json["code"]) == (status, code)
        and code in ERROR_CODES
        and {"type", "title", "detail"} < answer.json.keys()
    )


# Quotes


@serving()
async def test_without_a_cursor_the_answer_is_full(live: Live) -> None:
    """No `symbols` means every consolidated symbol; `since` is null, and every field is there."""
    answer = await live.get("/api/quotes")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-cache"
    document = answer.json
    assert document.keys() == {"cursor", "since", "version", "time", "quotes", "feeds"}
    assert (document["since"], document["version"]) == (None, live.service.store.version)
    assert {s: str(q["last"]) for s, q in document["quotes"].items()} == {"BTC-USD": "97000.1", "ETH-USD": "3100.5"}
    assert all(tuple(quote) == FIELDS for quote in document["quotes"].values())
    assert b'"last":97000.10,' in answer.body, "the exchange's own digits"
    assert document["feeds"]["toy"]["state"] == "live"


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("symbols=BTC-USD", {"BTC-USD"}),
        ("symbols=toy:BTC-USD,ETH-*", {"toy:BTC-USD", "ETH-USD"}),
        ("symbols=*:BTC-USD", {"toy:BTC-USD"}),
        ("symbols=toy:*", {"toy:BTC-USD", "toy:ETH-USD"}),
        ("symbols=,BTC-USD,,BTC-USD,", {"BTC-USD"}),
        ("symbols=GONE-USD", set()),
    ],
)
@serving()
async def test_patterns_select_quotes(live: Live, query: str, symbols: set[str]) -> None:
    """Names and patterns, separated by commas, select what comes; `quotes` is there even if nothing does."""
    assert (await live.get(f"/api/quotes?{query}")).json["quotes"].keys() == symbols


@serving()
async def test_only_requested_fields_come(live: Live) -> None:
    """Only the wanted fields come, in the table's order."""
    quotes = (await live.get("/api/quotes?fields=ts,last,state")).json["quotes"]
    assert [tuple(quote) for quote in quotes.values()] == [("last", "ts", "state")] * 2


@serving()
async def test_a_cursor_gives_only_what_changed(live: Live) -> None:
    """With the cursor of the last answer only changed fields and removed symbols come, and a new cursor."""
    view = View()
    first = (await live.get("/api/quotes")).json
    view.quotes, view.version = first["quotes"], first["version"]
    live.publish({"ETH-USD": "3101.5"})
    live.feed.remove(["toy:BTC-USD"])
    live.hub.flush()
    second = (await live.get(f"/api/quotes?cursor={first['cursor']}")).json
    assert second["since"] == first["version"]
    assert second["quotes"].keys() == {"ETH-USD"}
    assert second["quotes"]["ETH-USD"].keys() == {"last", "ts"}
    assert second["gone"] == ["BTC-USD"]
    view.apply({"type": "update", **second})
    assert view.quotes == (await live.get("/api/quotes")).json["quotes"]
    third = (await live.get(f"/api/quotes?cursor={second['cursor']}")).json
    assert (third["since"], third["quotes"], third["cursor"]) == (second["version"], {}, second["cursor"])


@serving()
async def test_any_other_cursor_gets_a_full_answer(live: Live) -> None:
    """A cursor of another selection or epoch, or a malformed one, is answered by everything."""
    cursor = (await live.get("/api/quotes?symbols=BTC-USD")).json["cursor"]
    epoch, version, digest = cursor.split(":")
    for other in (cursor, f"1:{version}:{digest}", "nonsense", ""):
        answer = (await live.get(f"/api/quotes?cursor={other}")).json
        assert (answer["since"], answer["quotes"].keys()) == (None, PRICES.keys())
    assert (await live.get(f"/api/quotes?symbols=BTC-USD&cursor={epoch}:{version}:{digest}")).json["quotes"] == {}


@serving()
async def test_an_etag_holds_until_the_selection_changes(live: Live) -> None:
    """`If-None-Match` gives 304 although other symbols have changed, and 200 once a selected one has."""
    target = "/api/quotes?symbols=BTC-USD"
    etag = (await live.get(target)).headers["etag"]
    live.publish({"ETH-USD": "3101.5"})
    live.hub.flush()
    for seen in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = await live.get(target, f"If-None-Match: {seen}")
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
    live.publish({"BTC-USD": "97001.5"})
    live.hub.flush()
    answer = await live.get(target, f"If-None-Match: {etag}")
    assert (answer.status, answer.json["quotes"]["BTC-USD"]["last"]) == (200, 97001.5)
    assert answer.headers["etag"] != etag


@serving()
async def test_an_etag_holds_until_a_selected_field_changes(live: Live) -> None:
    """A price that changes is no news for who asks for the name."""
    target = "/api/quotes?symbols=BTC-USD&fields=name"
    etag = (await live.get(target)).headers["etag"]
    live.publish({"BTC-USD": "97001.5"})
    live.hub.flush()
    assert (await live.get(target, f"If-None-Match: {etag}")).status == 304


@serving()
async def test_each_selection_has_its_own_etag(live: Live) -> None:
    """Other symbols or fields have another ETag, and a removed symbol changes it, too."""
    targets = ["/api/quotes", "/api/quotes?symbols=BTC-USD", "/api/quotes?symbols=BTC-USD&fields=last"]
    etags = {(await live.get(target)).headers["etag"] for target in targets}
    assert len(etags) == len(targets)
    live.feed.remove(["toy:BTC-USD"])
    live.hub.flush()
    assert not etags & {(await live.get(target)).headers["etag"] for target in targets}


@pytest.mark.parametrize(
    ("query", "code", "word"),
    [
        ("symbols=A*B*C*D", "bad_request", "two"),
        ("symbols=a:b:c", "bad_request", "':'"),
        ("symbols=" + "A" * 81, "bad_request", "80"),
        ("symbols=%3Cscript%3E", "bad_request", "letters"),
        ("symbols=%00", "bad_request", "letters"),
        ("symbols=%FF", "bad_request", "letters"),
        ("fields=last,pirce", "unknown_field", "no field 'pirce'"),
        ("symbol=A", "bad_request", "no parameter 'symbol'; did you mean 'symbols'?"),
        ("cursor=&cursor=", "bad_request", "'cursor' is given twice"),
        ("wait_s=1&wait_s=1", "bad_request", "'wait_s' is given twice"),
        ("symbols=" + ",".join(f"S{i}" for i in range(41)), "too_many_symbols", "40"),
        ("symbols=" + ",".join(f"S{i}*" for i in range(33)), "too_many_symbols", "32"),
        ("symbols=*,*:*", "too_many_symbols", "3"),
    ],
)
@serving(limits={"patterns": 40, "symbols": 3})
async def test_a_bad_parameter_is_refused(live: Live, query: str, code: str, word: str) -> None:
    """A malformed pattern, an unknown field or too many patterns get 400 and what is wrong with them."""
    answer = await live.get(f"/api/quotes?{query}")
    assert is_problem(answer, 400, code)
    assert word in answer.json["detail"]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("quotes?fields=last&fields=ts", lambda body: body["quotes"]),
        ("symbols?", lambda body: [entry["symbol"] for entry in body["symbols"]]),
        ("sparklines?", lambda body: body["closes"]),
    ],
)
@serving()
async def test_a_list_may_come_in_parts(live: Live, path: str, names: Callable[[Any], list[str]]) -> None:
    """`symbols=A&symbols=B`, which many libraries make of a list, is `symbols=A,B`, as on the stream.

    Seen: it was refused here and taken there.
    """
    body = (await live.get(f"/api/{path}&symbols=BTC-USD&symbols=ETH-USD,")).json
    assert sorted(names(body)) == ["BTC-USD", "ETH-USD"]
    for quote in body.get("quotes", {}).values():
        assert list(quote) == ["last", "ts"]


@serving()
async def test_a_cache_busting_parameter_is_ignored(live: Live) -> None:
    """A parameter that begins with `_` is ignored: it is used against caches."""
    assert (await live.get("/api/quotes?symbols=*&_=1795386000123&_again=1")).status == 200


@serving()
async def test_a_path_without_parameters_refuses_them(live: Live) -> None:
    """Seen: `/api/quotes/BTC-USD?fields=last` gave all fields. Paths of the API refuse it; health ignores it."""
    for path in ("quotes/BTC-USD", "sources/BTC-USD", "feeds", "status"):
        answer = await live.get(f"/api/{path}?fields=last")
        assert is_problem(answer, 400, "bad_request")
        assert answer.json["detail"] == "no parameter 'fields'; this path takes none"
        assert (await live.get(f"/api/{path}?_=1")).status == 200
    assert (await live.get("/healthz?check=1")).status == 200


@serving()
async def test_a_request_leaves_no_wildcards_behind(live: Live) -> None:
    """The wildcards that a request brought are forgotten with it, whatever its outcome."""
    for query in ("symbols=B*,E*", "symbols=B*&cursor=1:1:x", "symbols=B*,A*B*C*"):
        await live.get(f"/api/quotes?{query}")
    etag = (await live.get("/api/quotes?symbols=B*")).headers["etag"]
    await live.get("/api/quotes?symbols=B*", f"If-None-Match: {etag}")
    assert len(live.service.store.wildcards) == 0


# One quote


@serving()
async def test_one_quote_has_a_path_of_its_own(live: Live) -> None:
    """A symbol or venue symbol has a path of its own; its cursor can be used at `/api/quotes`."""
    for symbol in ("BTC-USD", "toy:BTC-USD", "toy%3ABTC-USD"):
        answer = await live.get(f"/api/quotes/{symbol}")
        document = answer.json
        assert (answer.status, document["symbol"]) == (200, symbol.replace("%3A", ":"))
        assert tuple(document["quote"]) == FIELDS
        assert b'"last":97000.10,' in answer.body
        onward = await live.get(f"/api/quotes?symbols={symbol}&cursor={document['cursor']}")
        assert (onward.json["since"], onward.json["quotes"]) == (live.service.store.version, {})


@serving()
async def test_an_unknown_symbol_is_404_with_the_nearest(live: Live) -> None:
    """404 for a symbol that does not exist, with the nearest that do; a feed's own record is no symbol."""
    answer = await live.get("/api/quotes/BTC-USX")
    assert is_problem(answer, 404, "unknown_symbol")
    assert answer.json["nearest"] == ["BTC-USD"]
    assert "BTC-USD" in answer.json["detail"]
    assert is_problem(await live.get("/api/quotes/ZZZ"), 404, "unknown_symbol")
    assert is_problem(await live.get("/api/quotes/*"), 404, "unknown_symbol")
    assert is_problem(await live.get("/api/quotes/@toy"), 400, "bad_request")


@serving()
async def test_a_mistyped_symbol_among_others_is_named(live: Live) -> None:
    """The others come; a full answer lists the names that do not exist, as long as they do not; changes never do."""
    answer = await live.get("/api/quotes?symbols=BTC-USD,BTC-USX,toy:NOPE,X-*")
    assert (answer.status, list(answer.json["quotes"])) == (200, ["BTC-USD"])
    assert answer.json["unknown"] == [
        {"symbol": "BTC-USX", "nearest": ["BTC-USD"]}, {"symbol": "toy:NOPE", "nearest": []},
    ]  # fmt: skip
    query = "symbols=BTC-USX,ZZZ"
    whole = (await live.get(f"/api/quotes?{query}")).json
    assert [entry["symbol"] for entry in whole["unknown"]] == ["BTC-USX", "ZZZ"]
    assert "unknown" not in (await live.get(f"/api/quotes?{query}&cursor={whole['cursor']}")).json
    live.feed.publish([Quote("toy:ZZZ", {"last": "1"})])
    live.hub.flush()
    whole = (await live.get(f"/api/quotes?{query}")).json
    assert (list(whole["quotes"]), [entry["symbol"] for entry in whole["unknown"]]) == (["ZZZ"], ["BTC-USX"])
    assert "unknown" not in (await live.get("/api/quotes?symbols=ZZZ,NO-*")).json


@serving(limits={"snapshot_symbols_per_s": 5})
async def test_suggestions_are_charged_like_symbols(live: Live) -> None:
    """A client that has used up its budget still learns that a name does not exist, but not the nearest ones.

    Seen: with 50,000 symbols each request for one that does not exist took 20 ms of the loop, however many came.
    """
    live.clock.stand()
    answer = await live.get("/api/quotes?symbols=BTC-USA,BTC-USB,BTC-USC,BTC-USE")
    nearest = [entry["nearest"] for entry in answer.json["unknown"]]
    assert (nearest[0], nearest[-1]) == (["BTC-USD"], [])
    for path in ("quotes", "candles", "sources"):
        answer = await live.get(f"/api/{path}/BTC-USX")
        assert is_problem(answer, 404, "unknown_symbol")
        assert answer.json["nearest"] == [], path


@serving()
async def test_no_symbol_is_unknown_while_loaded_ones_are_invisible(live: Live) -> None:
    """A feed has loaded so many symbols at once that some are not visible yet."""
    assert (await live.get("/api/quotes/NOPE")).status == 404
    live.service.store.behind = True
    assert is_problem(await live.get("/api/quotes/NOPE"), 503, "overloaded")


@serving(prices={})
async def test_no_symbol_is_unknown_before_any_feed_has_loaded(live: Live) -> None:
    """Until a feed knows its symbols a missing one gets 503 and when to come back, then 404."""
    answer = await live.get("/api/quotes/BTC-USD")
    assert is_problem(answer, 503, "overloaded")
    assert "unknown" not in (await live.get("/api/quotes?symbols=BTC-USD")).json
    assert int(answer.headers["retry-after"]) >= 1
    live.feed.loaded()
    assert is_problem(await live.get("/api/quotes/BTC-USD"), 404, "unknown_symbol")


@serving()
async def test_an_unknown_symbol_is_404_although_a_feed_has_not_loaded(live: Live) -> None:
    """While some feed has not loaded, 404 and the lists name it: it may still bring the symbol.

    Seen: with one exchange dead, every name that did not exist was 503 "come back in a second", for as long as that.
    """
    dead = live.service.feed("dead", "live", "received", 5.0)
    dead.state("down", "no route")
    for path in ("quotes", "candles", "sources"):
        answer = await live.get(f"/api/{path}/BTC-USX")
        assert is_problem(answer, 404, "unknown_symbol")
        assert (answer.json["nearest"], answer.json["loading"]) == (["BTC-USD"], ["dead"])
        assert answer.json["detail"] == "no symbol 'BTC-USX' so far (not loaded yet: dead); nearest: BTC-USD"
    for path in ("quotes", "symbols"):
        document = (await live.get(f"/api/{path}?symbols=BTC-USD,BTC-USX")).json
        assert document["unknown"] == [{"symbol": "BTC-USX", "nearest": ["BTC-USD"]}]
        assert document["loading"] == ["dead"]
        assert not {"unknown", "loading"} & (await live.get(f"/api/{path}?symbols=BTC-USD")).json.keys()
    dead.state("failed", "bad key")
    answer = await live.get("/api/quotes/BTC-USX")
    assert answer.json["detail"] == "no symbol 'BTC-USX'; nearest: BTC-USD"
    for document in (answer.json, (await live.get("/api/quotes?symbols=BTC-USX")).json):
        assert "loading" not in document


# Lists and health


@serving()
async def test_all_consolidated_symbols_are_listed(live: Live) -> None:
    """All consolidated symbols, by name, with base, quote, decimals and venues; venue symbols are left out."""
    live.feed.publish([Quote("toy:AAPL", {"last": "213.40", "name": "Apple", "decimals": 2})])
    live.publish({"BRK.B": "1", "BTC-USDT.PERP": "2"})
    live.hub.flush()
    assert (await live.get("/api/symbols")).json["symbols"] == [
        {"symbol": "AAPL", "name": "Apple", "base": "AAPL", "quote": None, "decimals": 2, "venues": ["toy"]},
        {"symbol": "BRK.B", "name": None, "base": "BRK.B", "quote": None, "decimals": None, "venues": ["toy"]},
        {"symbol": "BTC-USD", "name": None, "base": "BTC", "quote": "USD", "decimals": None, "venues": ["toy"]},
        {"symbol": "BTC-USDT.PERP", "name": None, "base": "BTC", "quote": "USDT", "decimals": None, "venues": ["toy"]},
        {"symbol": "ETH-USD", "name": None, "base": "ETH", "quote": "USD", "decimals": None, "venues": ["toy"]},
    ]


@serving()
async def test_the_list_of_symbols_takes_names_and_patterns(live: Live) -> None:
    """Venue symbols have entries of their own, and names that do not exist are listed.

    Seen: the names of venue symbols could be had only with their prices.
    """
    live.feed.publish([Quote("toy:BTC-USD", {"last": "1", "name": "Bitcoin", "decimals": 2})])
    live.hub.flush()
    answer = (await live.get("/api/symbols?symbols=toy:*,ETH-*,BTC-USX")).json
    assert [entry["symbol"] for entry in answer["symbols"]] == ["ETH-USD", "toy:BTC-USD", "toy:ETH-USD"]
    assert answer["symbols"][1] == {
        "symbol": "toy:BTC-USD", "name": "Bitcoin", "base": "BTC", "quote": "USD", "decimals": 2, "venues": ["toy"],
    }  # fmt: skip
    assert answer["unknown"] == [{"symbol": "BTC-USX", "nearest": ["BTC-USD"]}]
    assert is_problem(await live.get("/api/symbols?symbols=B%20D"), 400, "bad_request")


@serving()
async def test_feeds_have_state_counters_and_changes(live: Live) -> None:
    """State, counters, errors and rejects by reason, and last changes of every feed."""
    live.feed.status.errors["timeout"] += 2
    live.publish({"not a symbol!": "1"})
    live.feed.state("down", "no route")
    feed = (await live.get("/api/feeds")).json["feeds"]["toy"]
    assert (feed["state"], feed["message"], feed["kind"], feed["clock"]) == ("down", "no route", "live", "received")
    assert (feed["symbols"], feed["updates"]) == (2, 2)
    assert (feed["errors"], feed["rejects"]) == ({"timeout": 2}, {"symbol": 1})
    assert [change["state"] for change in feed["changes"]] == ["live", "down"]
    assert feed["since"] >= feed["last_data"] > 0


@serving(prices={})
async def test_ready_once_a_price_has_come(live: Live) -> None:
    """`/readyz` is 503 with the reasons until the feed has delivered, then 200; `/healthz` is 200 all the time."""
    assert (await live.get("/healthz")).json == {"status": "ok"}
    answer = await live.get("/readyz")
    assert (answer.status, answer.json["status"]) == (503, "not ready")
    assert answer.json["reasons"] == ["feed toy has not delivered yet", "no feed has delivered a price"]
    live.feed.state("down", "no route")
    assert (await live.get("/readyz")).json["reasons"] == ["no feed has delivered a price"]
    live.publish(PRICES)
    answer = await live.get("/readyz")
    assert (answer.status, answer.json) == (200, {"status": "ready", "reasons": []})


@serving()
async def test_any_text_comes_back_unchanged(live: Live) -> None:
    """Quotes, controls and other alphabets in a name or message make valid JSON over every path that shows them."""
    text = 'Quote " and \\ and \n and \x7f and \u2028 and 株'
    live.feed.publish([Quote("toy:ODD", {"last": "1", "name": text})])
    live.feed.state("live", text)
    live.hub.flush()
    document = (await live.get("/api/quotes")).json
    assert (document["quotes"]["ODD"]["name"], document["feeds"]["toy"]["message"]) == (text, text)
    assert (await live.get("/api/quotes/ODD")).json["quote"]["name"] == text
    assert {entry["name"] for entry in (await live.get("/api/symbols")).json["symbols"]} == {text, None}
    assert (await live.get("/api/feeds")).json["feeds"]["toy"]["message"] == text
