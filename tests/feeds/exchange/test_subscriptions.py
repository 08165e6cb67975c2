"""Subscriptions: each requested name ends as confirmed, refused, delivered or unanswered, whatever is received."""

from __future__ import annotations

import dataclasses
import json

from hypothesis import given
from hypothesis import strategies as st

from feeds.exchange.subscriptions import ANSWER_S, Subscriptions
from feeds.exchange.venue import Heard, Row
from tests.feeds.toy import STREAM

NAMES = ["a", "b", "c", "d", "e"]
BY_TWOS = dataclasses.replace(STREAM, wires_per_message=2)


def asked(subscriptions: Subscriptions, *names: str, at: float = 0.0) -> list[tuple[str, ...]]:
    """Ask for names and send that at once: what each message asks for."""
    requests = subscriptions.ask(names)
    for request in requests:
        request.sent_at = at
    return [request.wires for request in requests]


def test_names_are_requested_in_order_and_in_bounded_messages() -> None:
    """No message has more names than the exchange takes."""
    assert asked(Subscriptions(BY_TWOS), *NAMES) == [("a", "b"), ("c", "d"), ("e",)]


def test_a_replacing_message_repeats_all_names() -> None:
    """Where only the last message counts, each requests all names, and its answer settles those that are new."""
    subscriptions = Subscriptions(dataclasses.replace(STREAM, replaces=True))
    requests = [*subscriptions.ask(["b", "a"]), *subscriptions.ask([]), *subscriptions.ask(["c"])]
    assert [json.loads(text)["want"] for request in requests for text in request.texts] == [["a", "b"], ["a", "b", "c"]]
    subscriptions.hear(Heard(acked=(1,)))
    assert not subscriptions.settled
    subscriptions.hear(Heard(acked=(2,)))
    assert subscriptions.settled


def test_a_name_is_confirmed_by_name_number_or_price() -> None:
    """Each way settles exactly what it refers to."""
    subscriptions = Subscriptions(BY_TWOS)
    asked(subscriptions, *NAMES)
    subscriptions.hear(Heard(acked=(1, "nobody's", 99)))
    subscriptions.hear(Heard(acked=("c",), rows=[Row("d", {})]))
    assert not subscriptions.settled
    subscriptions.hear(Heard(acked=("e",)))
    assert subscriptions.settled


def test_a_refusal_is_reported_once() -> None:
    """It ends when the exchange sends the name after all."""
    subscriptions = Subscriptions(BY_TWOS)
    asked(subscriptions, *NAMES)
    heard = Heard(refused=((1, "no"), ("c", "no"), ("never asked", "no"), (99, "no")))
    assert [subscriptions.hear(heard), subscriptions.hear(heard)] == [3, 0]
    assert [subscriptions.lacks(name) for name in NAMES] == [True, True, True, False, False]
    subscriptions.hear(Heard(acked=("c",)))
    assert not subscriptions.lacks("c")


def test_a_price_ends_a_refusal() -> None:
    """A refused name that is delivered all the same is not missing.

    Seen: an exchange that is asked for what it sends already says no to that, and the symbol counted as not subscribed
    for the connection's whole life: said on the page, and polled every second beside its own stream.
    """
    subscriptions = Subscriptions(BY_TWOS)
    asked(subscriptions, *NAMES)
    subscriptions.hear(Heard(refused=(("a", "already subscribed"), ("b", "no"))))
    subscriptions.hear(Heard(rows=[Row("a", {})]))
    assert subscriptions.refused == {"b": "no"}
    assert not subscriptions.lacks("a")


def test_each_bad_name_in_a_failed_message_is_found() -> None:
    """Where one bad name fails its message, the others are requested again until no bad one is left.

    Seen: two markets were delisted at once. The exchange names the first bad one it meets, and the message that was
    sent once more failed by the second: forty-eight good symbols were not streamed until the next connection.
    """
    subscriptions = Subscriptions(dataclasses.replace(STREAM, wires_per_message=5))
    asked(subscriptions, *NAMES)
    now = 0.0
    for bad, left in (("c", "abde"), ("a", "bde"), ("d", "be")):
        subscriptions.hear(Heard(refused=((bad, "no such market"),)))
        now += ANSWER_S + 1
        (request,) = subscriptions.overdue(now)
        assert request.wires == tuple(left)
        request.sent_at = now
    subscriptions.hear(Heard(acked=("b", "e")))
    assert subscriptions.settled
    assert [name for name in NAMES if subscriptions.lacks(name)] == ["a", "c", "d"]


def test_the_wait_for_an_answer_begins_at_sending() -> None:
    """A message that is still queued is not late, however long it waits."""
    subscriptions = Subscriptions(BY_TWOS)
    (request,) = subscriptions.ask(["a"])
    assert subscriptions.overdue(1000.0) == []
    request.sent_at = 1000.0
    assert subscriptions.overdue(1000.0 + ANSWER_S) == []
    (again,) = subscriptions.overdue(1001.0 + ANSWER_S)
    assert (again.wires, again.again) == (("a",), True)
    again.sent_at = 1011.0
    assert subscriptions.overdue(1100.0) == []
    assert subscriptions.lacks("a")
    subscriptions.hear(Heard(rows=[Row("a", {})]))
    assert not subscriptions.lacks("a")


def test_nothing_is_awaited_where_subscriptions_are_not_confirmed() -> None:
    """An exchange that confirms nothing leaves nothing open."""
    subscriptions = Subscriptions(dataclasses.replace(BY_TWOS, acks=False))
    asked(subscriptions, *NAMES)
    assert subscriptions.settled
    assert subscriptions.overdue(1000.0) == []


_NAMED = st.sampled_from([*NAMES, "x", 1, 2, 3, 9])
_STEP = st.one_of(
    st.builds(lambda some: Heard(acked=some), st.lists(_NAMED, max_size=3)),
    st.builds(lambda some: Heard(refused=[(name, "no") for name in some]), st.lists(_NAMED, max_size=3)),
    st.builds(lambda some: Heard(rows=[Row(name, {}) for name in some]), st.lists(st.sampled_from(NAMES), max_size=3)),
    st.floats(0.0, 15.0),
)


@given(st.lists(_STEP, max_size=30))
def test_no_name_is_awaited_for_ever(steps: list[Heard | float]) -> None:
    """After any history and enough silence no name is awaited, and none that was settled is missing."""
    subscriptions = Subscriptions(BY_TWOS)
    asked(subscriptions, *NAMES)
    now = 0.0
    for step in [*steps, 11.0, 11.0, 11.0]:
        if isinstance(step, Heard):
            subscriptions.hear(step)
        else:
            now += step
            for request in subscriptions.overdue(now):
                request.sent_at = now
    assert subscriptions.settled
    settled = {name for name in NAMES if not subscriptions.lacks(name)}
    for step in steps:
        if isinstance(step, Heard):
            settled -= {row.wire for row in step.rows}
            settled -= set(step.acked)
            if settled and {1, 2, 3} & set(step.acked):
                settled = set()
    assert not settled, "nobody has confirmed these"
