"""Several ways to the same prices, combined into one state for the service."""

from __future__ import annotations

from collections.abc import Iterable

from feeds.exchange.joint import Joint, Way
from tests.feeds.harness import RecordingSink
from ticker.clock import ManualClock
from ticker.model import Quote

QUOTE = Quote("toy:BTC-USD", {"last": "1"})


class Door(RecordingSink):
    """Like the service's own: data makes a feed live, and alone takes no message of a live one back."""

    def publish(self, quotes: Iterable[Quote]) -> None:
        message = self.status.message if self.status.state == "live" else None
        super().publish(quotes)
        self.status.message = message


def joined(*names: str) -> tuple[Door, Joint, list[Way]]:
    door = Door(ManualClock())
    joint = Joint(door)
    return door, joint, [joint.way(name) for name in names]


def heard(door: Door) -> tuple[str, str | None]:
    return door.status.state, door.status.message


def test_down_only_if_all_are() -> None:
    """If one way is down, a live feed has a message; if all are, the feed is down."""
    door, _, (stream, polls) = joined("stream", "polls")
    stream.publish([QUOTE])
    polls.state("down", "HTTP status 500")
    assert heard(door) == ("live", "polls: HTTP status 500")
    stream.state("down", "lost")
    assert heard(door) == ("down", "stream: lost; polls: HTTP status 500")
    polls.publish([QUOTE])
    assert heard(door) == ("live", "stream: lost")
    stream.publish([QUOTE])
    assert heard(door) == ("live", None)


def test_failed_only_if_all_are() -> None:
    """A feed has failed when none of its ways will be retried."""
    door, _, (stream, polls) = joined("stream", "polls")
    stream.state("failed", "a bug")
    assert heard(door)[0] == "connecting"
    polls.state("down", "HTTP status 500")
    assert heard(door)[0] == "down"
    polls.state("live")
    assert heard(door) == ("down", "stream: a bug"), "and has no price yet"
    polls.state("failed", "a bug")
    assert heard(door)[0] == "failed"


def test_connected_without_a_price() -> None:
    """A way that works again ends the message, but only data ends `down`."""
    door, _, (stream,) = joined("stream")
    stream.state("down", "lost")
    stream.state("live")
    assert heard(door) == ("down", "connected again, no price yet")
    stream.publish([QUOTE])
    assert heard(door) == ("live", None)


def test_way_without_prices_keeps_nothing_up() -> None:
    """A way that cannot deliver prices neither keeps a feed up nor puts it down."""
    door, joint, (stream,) = joined("stream")
    listing = joint.way("list", carries=False)
    listing.state("down", "HTTP status 500")
    assert heard(door) == ("connecting", "list: HTTP status 500")
    stream.publish([QUOTE])
    assert heard(door) == ("live", "list: HTTP status 500")
    listing.state("live")
    assert heard(door) == ("live", None)
    stream.state("down", "lost")
    assert heard(door)[0] == "down"


def test_nothing_that_could_bring_prices() -> None:
    """Before it is known what to stream, the list is all there is: without it the feed is down."""
    door, joint, _ = joined()
    joint.note("not listed: ODD")
    assert heard(door) == ("connecting", "not listed: ODD")
    joint.way("list", carries=False).state("down", "HTTP status 500")
    assert heard(door) == ("down", "list: HTTP status 500; not listed: ODD")


def test_notes_last() -> None:
    """A note stays in the message while data come and after a failure, until it is removed."""
    door, joint, (stream,) = joined("stream")
    joint.note("not listed: ODD")
    stream.publish([QUOTE])
    assert heard(door) == ("live", "not listed: ODD")
    stream.state("down", "lost")
    assert heard(door) == ("down", "stream: lost; not listed: ODD")
    stream.publish([QUOTE])
    assert heard(door) == ("live", "not listed: ODD")
    joint.note()
    assert heard(door) == ("live", None)


def test_others_messages_stay() -> None:
    """A message set by the service itself is not cleared when a way recovers."""
    door, _, (stream,) = joined("stream")
    stream.publish([QUOTE])
    stream.state("live", "lost")
    door.state("live", "too many symbols")
    stream.publish([QUOTE])
    assert heard(door) == ("live", "too many symbols")


def test_same_trouble_of_several_ways_is_said_once() -> None:
    """Connections lost together are reported together: the first one, and how many more."""
    door, _, ways = joined("stream/1", "stream/2", "stream/3", "polls")
    for way in ways[:3]:
        way.state("down", "lost")
    ways[3].state("live", "slow")
    assert heard(door)[1] == "stream/1 and 2 more: lost; polls: slow"
    ways[0].publish([QUOTE])
    assert heard(door)[1] == "stream/2 and 1 more: lost; polls: slow"


def test_long_messages_are_cut() -> None:
    """However many ways have long messages, readers get one bounded line."""
    door, _, ways = joined(*(f"way {n}" for n in range(50)))
    for way in ways:
        way.state("down", way.name * 100)
    assert len(heard(door)[1] or "") == 300
