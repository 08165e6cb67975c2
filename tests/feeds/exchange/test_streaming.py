"""Streaming: what is subscribed, how, and what becomes of a message."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import pytest

from feeds.exchange.venue import NOW_S
from tests.feeds.fake_exchange import Reply, mute
from tests.feeds.toy import LIST, TALK, TALKS, Theatre, answers, in_theatre, listing, said, talking, wants


def test_streamed_rows_become_quotes() -> None:
    """Rows are judged as in polls: digits are kept, decimals come from the list, and bad rows are counted."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            peer = await theatre.exchange.peer()
            await peer.heard()
            peer.send(said(BTC="1.50", ETH="-1", NEW="1"), said(ETH="2e1"))
            await theatre.until(lambda: theatre.last("ETH") is not None)

    theatre = in_theatre(play)
    assert theatre.view() == {
        "BTC-USD": {"last": "1.50", "decimals": 2},
        "ETH-USD": {"last": "20", "decimals": 2},
        "NEW-USD": {"last": "1", "decimals": 0},
    }
    assert theatre.sink.status.rejects["price"] == 1
    assert theatre.sink.status.loaded
    assert theatre.sink.status.received_bytes > 0


def test_a_delta_is_merged_into_the_last_row_of_its_connection() -> None:
    """Absent fields keep their values; null means no price."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            peer = await theatre.exchange.peer()
            await peer.heard()
            peer.say({"rows": {"BTC/USD": {"last": "5", "bid": "4"}}})
            peer.say({"delta": {"BTC/USD": {"ask": "6"}}})
            peer.say({"rows": {"BTC/USD": {"last": "7", "bid": None}}})
            await theatre.until(lambda: len(theatre.sink.polls) == 3)

    assert in_theatre(play).view()["BTC-USD"] == {"last": "7", "bid": None, "ask": "6", "decimals": 2}


def test_every_unreadable_message_is_counted() -> None:
    """Garbage, broken UTF-8 and unknown messages; the connection continues."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream"):
            peer = await theatre.exchange.peer()
            peer.send("", "garbage", "[]", b"\xff\xfe", '{"new": "message type"}', '{"idle": 1}', said(BTC="1")[:-1])
            peer.send(said(BTC="2"))
            await theatre.until(lambda: theatre.last("BTC") == "2")

    theatre = in_theatre(play)
    assert theatre.sink.status.rejects["schema"] == 6
    assert len(theatre.exchange.peers) == 1


def test_only_wanted_symbols_are_subscribed() -> None:
    """Patterns are resolved against the list; wanted names that it lacks are reported."""

    async def play(theatre: Theatre) -> None:
        theatre.exchange.serve(LIST, listing(("b/u", "BTC-USD", 1), ("b/e", "BTC-EUR", 1), ("e/u", "ETH-USD", 1)))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream", symbols=("*-EUR", "ETH-USD", "ODD-USD")):
            peer = await theatre.exchange.peer()
            await peer.heard()
            peer.say({"rows": {"b/e": {"last": "1"}, "b/u": {"last": "1"}}})
            await theatre.until(lambda: bool(theatre.sink.polls))
            await theatre.passes(1.0, lambda: bool(theatre.sink.status.message))
            assert wants(peer) == [["b/e", "e/u"]]

    theatre = in_theatre(play)
    assert set(theatre.view()) == {"BTC-EUR"}
    assert theatre.sink.status.message == "the exchange does not list ODD-USD; check the feed's symbols"


def test_patterns_without_a_match_are_reported() -> None:
    """No connection is opened for them, and the feed says why it delivers nothing."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH")
        async with theatre.running(mode="stream", symbols=("*-JPY",)):
            none = "the exchange lists no open market that matches the feed's symbols"
            await theatre.until(lambda: theatre.sink.status.message == none)

    assert in_theatre(play).exchange.asked(TALK) == 0


def test_symbols_wanted_by_name_need_no_list() -> None:
    """Where the exchange's names can be written without its list, a list that fails costs only the fields it has."""

    async def play(theatre: Theatre) -> None:
        theatre.exchange.serve(LIST, Reply(status=500))
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(mode="stream", symbols=("BTC-USD",)):
            await theatre.until(lambda: bool(theatre.errors()))
        assert not theatre.exchange.peers, "its names cannot be written"
        async with theatre.running(
            dataclasses.replace(TALKS, wire=lambda symbol: symbol.replace("-", "/")),
            mode="stream",
            symbols=("BTC-USD",),
        ):
            peer = await theatre.exchange.peer()
            await peer.heard()
            assert wants(peer) == [["BTC/USD"]]
            peer.send(said(BTC="1"))
            await theatre.until(lambda: theatre.last("BTC") == "1")
            assert theatre.sink.status.state == "live"
            assert theatre.sink.status.message == "instrument list: 127.0.0.1 answered with HTTP status 500"

    in_theatre(play)


NAMES = [f"N{number:02}" for number in range(25)]
WIRES = [f"{name}/USD" for name in NAMES]


def test_messages_and_connections_keep_to_the_limit_of_names() -> None:
    """No message and no connection carries more names than the exchange takes, and none is requested twice."""

    async def play(theatre: Theatre) -> None:
        theatre.lists(*NAMES)
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(wires_per_message=4, wires_per_connection=10), mode="stream"):
            await theatre.exchange.peer(1)
            await theatre.passes(5.0, lambda: len(theatre.exchange.peers) == 3)
            await theatre.passes(5.0, lambda: sum(len(peer.said) for peer in theatre.exchange.peers) == 8)
        batches = [wants(peer) for peer in theatre.exchange.peers]
        assert [[len(batch) for batch in batches_] for batches_ in sorted(batches, key=len, reverse=True)] == [
            [4, 4, 2], [4, 4, 2], [4, 1],
        ]  # fmt: skip
        assert sorted(wire for some in batches for batch in some for wire in batch) == WIRES

    in_theatre(play)


def test_outgoing_messages_are_paced() -> None:
    """No more of them leave in a second than the exchange takes."""

    async def play(theatre: Theatre) -> None:
        theatre.lists(*NAMES)
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(wires_per_message=5, messages_per_s=0.5), mode="stream"):
            peer = await theatre.exchange.peer()
            for count in range(1, 6):
                await peer.heard(count)
                assert len(peer.said) == count
                await theatre.passes(1.9)
                assert len(peer.said) == count
                await theatre.passes(0.1)

    in_theatre(play)


def test_new_connections_are_paced() -> None:
    """No more of them are opened in a second than the exchange takes."""

    async def play(theatre: Theatre) -> None:
        theatre.lists(*NAMES[:4])
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(wires_per_connection=1, connects_per_s=0.1), mode="stream"):
            for count in range(1, 5):
                await theatre.exchange.peer(count)
                await theatre.passes(9.9)
                assert len(theatre.exchange.peers) == count
                await theatre.passes(0.1)

    in_theatre(play)


def test_an_unanswered_subscription_is_repeated_once() -> None:
    """What is still missing then is counted and reported."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH")
        theatre.exchange.stream(TALK, mute)
        async with theatre.running(TALKS, mode="stream"):
            peer = await theatre.exchange.peer()
            await peer.heard()
            peer.say({"acked": ["BTC/USD"]})
            peer.send(said(BTC="1"))
            await theatre.until(lambda: theatre.last("BTC") == "1")
            await theatre.passes(9.0)
            assert wants(peer) == [["BTC/USD", "ETH/USD"]]
            await theatre.passes(2.0, lambda: len(peer.said) == 2)
            assert wants(peer)[1:] == [["ETH/USD"]]
            await theatre.passes(13.0, lambda: bool(theatre.sink.status.message))
            assert wants(peer)[2:] == []
            assert theatre.sink.status.message == "not subscribed: ETH/USD (ETH/USD: no answer)"
            assert theatre.errors() == {"timeout": 1}
            peer.send(said(ETH="2"))
            await theatre.until(lambda: theatre.last("ETH") == "2")
            await theatre.passes(1.0, lambda: theatre.sink.status.message is None)

    in_theatre(play)


def test_a_connection_without_answers_does_not_clear_the_message() -> None:
    """The old failure stays in the message, with the unanswered names in order, until something is answered.

    Seen: each connection to a dead exchange was called live after two unanswered requests, and down with its end.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH", "LTC")
        theatre.exchange.stream(TALK, mute)
        async with theatre.running(TALKS, mode="stream"):
            (await theatre.exchange.peer()).cut()
            await theatre.passes(3.0, lambda: len(theatre.exchange.peers) == 2)
            peer = await theatre.exchange.peer(2)
            await theatre.passes(25.0, lambda: "no answer" in (theatre.sink.status.message or ""))
            assert theatre.sink.status.message == (
                "stream 1: the connection to 127.0.0.1 was lost; "
                "not subscribed: BTC/USD, ETH/USD, LTC/USD (BTC/USD: no answer)"
            )
            peer.say({"acked": ["BTC/USD", "ETH/USD", "LTC/USD"]})
            await theatre.until(lambda: theatre.sink.status.message == "connected again, no price yet")

    in_theatre(play)


def test_no_answer_is_expected_where_none_is_documented() -> None:
    """Where the exchange does not confirm subscriptions, nothing is repeated or reported.

    That another connection is open does not mean that it brings anything.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH")
        theatre.exchange.stream(TALK, mute)
        async with theatre.running(talking(acks=False), mode="stream"):
            peer = await theatre.exchange.peer()
            await peer.heard()
            await theatre.passes(50.0)
            assert len(wants(peer)) == 1
            assert not theatre.errors()
            peer.cut()
            await theatre.passes(3.0, lambda: len(theatre.exchange.peers) == 2)
            await (await theatre.exchange.peer(2)).heard()
            assert theatre.sink.status.message == "stream 1: the connection to 127.0.0.1 was lost"

    in_theatre(play)


@pytest.mark.parametrize("name", ["ETH/USD", 1])
def test_a_refused_symbol_is_reported_and_the_others_continue(name: str | int) -> None:
    """A refusal, by name or by the message's number, is counted and reported in the exchange's words."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("ETH", "BTC")
        theatre.exchange.stream(TALK, mute)
        async with theatre.running(talking(wires_per_message=1), mode="stream"):
            peer = await theatre.exchange.peer()
            await theatre.passes(1.0, lambda: len(peer.said) == 2)
            peer.say({"refused": [(name, "no such pair"), ("ODD/USD", "made up"), (7, "made up")]})
            peer.send(said(BTC="1"))
            await theatre.until(lambda: theatre.last("BTC") == "1")
            await theatre.passes(1.0, lambda: bool(theatre.sink.status.message))
            assert theatre.sink.status.message == "not subscribed: ETH/USD (ETH/USD: no such pair)"
            assert theatre.sink.status.rejects["symbol"] == 1
            assert theatre.sink.status.state == "live"

    in_theatre(play)


def test_refused_symbols_are_subscribed_again_after_each_list() -> None:
    """So are symbols whose subscription was not answered.

    Seen: a market that was not open yet when its connection was made had no price in the stream for the life of that
    connection, for weeks where nobody ends it; beside a stream all of its exchange was polled every second for it.
    Of one that the list has no more nothing is said either: it was "not subscribed" for as long.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "NEW", "OLD")
        theatre.exchange.stream(TALK, mute)
        async with theatre.running(talking(mute_after_s=1e6), mode="stream"):
            peer = await theatre.exchange.peer()
            await peer.heard()
            peer.say({"acked": ["BTC/USD"], "refused": [["NEW/USD", "not open yet"], ["OLD/USD", "ended"]]})
            await theatre.until(lambda: bool(theatre.sink.status.message))
            theatre.lists("BTC", "NEW")
            for price in "12":
                await theatre.passes(1801.0)
                peer.send(said(BTC=price))
                await theatre.until(lambda: theatre.last("BTC") == price)  # noqa: B023
            assert wants(peer) == [["BTC/USD", "NEW/USD", "OLD/USD"], ["NEW/USD"]]
            peer.say({"acked": ["NEW/USD"]})
            await theatre.until(lambda: theatre.sink.status.message is None)

    in_theatre(play)


@pytest.mark.parametrize("replies", [["hello"], []])
def test_nothing_is_sent_before_the_exchanges_greeting(replies: list[str]) -> None:
    """If an exchange greets and wants an answer to that, the answer is sent first."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, mute)
        async with theatre.running(talking(greets=True), mode="stream"):
            peer = await theatre.exchange.peer()
            await theatre.passes(5.0)
            assert peer.said == []
            peer.say({"ready": 1, "reply": replies[0]} if replies else {"ready": 1})
            await peer.heard(1)
            await theatre.passes(1.0, lambda: len(peer.said) == len(replies) + 1)
            assert peer.said[:-1] == replies
            assert wants(peer) == [["BTC/USD"]]

    in_theatre(play)


def test_keepalive_texts_are_those_of_the_exchange() -> None:
    """They are sent as often as it wants, and its own are answered at once."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(ping=("ping", 15.0)), mode="stream"):
            peer = await theatre.exchange.peer()
            await peer.heard()
            for count in range(1, 4):
                await theatre.passes(15.0, lambda: peer.said.count("ping") == count)  # noqa: B023
            peer.say({"reply": "pong 7"})
            await theatre.passes(0.1, lambda: peer.said[-1] == "pong 7")

    in_theatre(play)


def test_dated_messages_have_the_time_of_sending() -> None:
    """If an exchange wants the time in messages, subscriptions and pings have that of their sending."""

    def subscribe(wires: Sequence[str], number: int) -> list[str]:
        return [json.dumps({"want": list(wires), "id": number, "time": NOW_S, "also": NOW_S})]

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream(TALK, answers)
        dated = talking(subscribe=subscribe, ping=(json.dumps({"time": NOW_S}), 15.0))
        async with theatre.running(dated, mode="stream"):
            peer = await theatre.exchange.peer()
            await peer.heard()
            began = theatre.clock.wall_ms() // 1000
            assert json.loads(peer.said[0]).items() >= {("time", began), ("also", began)}
            await theatre.passes(15.0, lambda: len(peer.said) == 2)
            assert began + 15 <= json.loads(peer.said[1])["time"] <= theatre.clock.wall_ms() // 1000

    in_theatre(play)


def test_a_new_listing_is_subscribed() -> None:
    """The list is reloaded every hour; a new symbol joins the open connection, or gets another one.

    Seen: what the list has lost made room on a connection that had still subscribed it, and so carried more than the
    exchange allows.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(wires_per_connection=3, mute_after_s=1e6), mode="stream"):
            peer = await theatre.exchange.peer()
            await peer.heard()
            theatre.lists("BTC", "ADA", "DOT", "XRP")
            for _ in range(2):
                await theatre.passes(1801.0)
                peer.send(said(BTC="1"))
                await theatre.until(lambda: theatre.last("BTC") == "1")
            second = await theatre.exchange.peer(2)
            await second.heard()
            assert wants(peer) == [["BTC/USD", "ETH/USD"], ["ADA/USD"]]
            assert wants(second) == [["DOT/USD", "XRP/USD"]]

    in_theatre(play)


def test_a_relisted_symbol_stays_on_its_old_connection() -> None:
    """A symbol that was off the list for a while stays with the connection that still brings it.

    Seen: after a maintenance, in which a list calls everything halted, full connections had no room for their own
    symbols. Each was subscribed on one more, and the old ones went on bringing all of it as well, for ever.
    """

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "ETH", "ADA", "DOT")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(wires_per_connection=2, mute_after_s=1e6), mode="stream"):
            await theatre.passes(1.0)
            for number, listed in enumerate((("XRP",), ("BTC", "ETH", "ADA", "DOT", "XRP"))):
                theatre.lists(*listed)
                for _ in range(2):
                    await theatre.passes(1801.0)
                    for peer in theatre.exchange.peers:
                        peer.send(said(BTC=f"{number}"))
                await theatre.exchange.peer(3)
            await theatre.passes(60.0)
            assert len(theatre.exchange.peers) == 3

    in_theatre(play)


def test_a_delisted_symbol_is_removed_once_the_stream_lacks_it() -> None:
    """It is removed when the stream has not had it for a while, and not subscribed again."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC", "OLD")
        theatre.exchange.stream(TALK, answers)
        async with theatre.running(talking(mute_after_s=1e6), mode="stream"):
            peer = await theatre.exchange.peer()
            peer.send(said(BTC="1", OLD="1"))
            await theatre.until(lambda: theatre.last("OLD") == "1")
            theatre.lists("BTC")
            for price in "234":  # the list is loaded again every hour
                await theatre.passes(2401.0)
                peer.send(said(BTC=price))
                await theatre.until(lambda: theatre.last("BTC") == price)  # noqa: B023
            removed = [event.data for event in theatre.sink.events if event.what == "remove"]
            assert removed == [["toy:OLD-USD"]]
            peer.cut()
            await theatre.passes(5.0, lambda: len(theatre.exchange.peers) == 2)
            second = theatre.exchange.peers[1]
            await second.heard()
            assert wants(second) == [["BTC/USD"]]

    in_theatre(play)


def test_base_url_moves_the_stream_and_stream_url_overrides_it() -> None:
    """The stream keeps its own path."""

    async def play(theatre: Theatre) -> None:
        theatre.lists("BTC")
        theatre.exchange.stream("/gateway" + TALK, answers)
        theatre.exchange.stream(TALK, answers)
        theatre.exchange.serve("/gateway" + LIST, listing(("BTC/USD", "BTC-USD", 1)))
        base_url = theatre.exchange.base_url
        async with theatre.running(mode="stream", base_url=base_url + "/gateway"):
            assert (await theatre.exchange.peer(1)).target == "/gateway" + TALK
        async with theatre.running(mode="stream", ws_url=base_url.replace("http", "ws")):
            assert (await theatre.exchange.peer(2)).target == TALK

    in_theatre(play)
