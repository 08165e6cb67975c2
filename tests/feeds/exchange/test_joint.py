"""Several ways to the same prices (stream, polls), combined into one state for the service."""

from __future__ import annotations

from collections.abc import Iterable

from feeds.exchange.joint import Joint, Way
from tests.clock import ManualClock
from tests.feeds.harness import RecordingSink
from ticker.model import Quote

QUOTE = Quote("toy:BTC-USD", {"last": "1"})


class Door(RecordingSink):
    """Behaves like the service: data makes a feed live, but does not clear the message of a live one."""

    def publish(self, quotes: Iterable[Quote]) -> None:
        message = self.status.message if self.status.state == "live" else None
        super().publish(quotes)
        self.status.message = message


def joined(*names: str) -> tuple[Door, Joint, list[Way]]:
    door = Door(ManualClock())
    joint = Joint(door)
    return door, joint, [Way(joint, name) for name in names]


def heard(door: Door) -> tuple[str, str | None]:
    return door.status.state, door.status.message


def test_a_feed_is_down_only_if_all_its_ways_are() -> None:
    """If one way is down, the live feed has a message; if all are, the feed is down."""
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


def test_a_feed_has_failed_only_if_all_its_ways_have() -> None:
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


def test_only_data_ends_the_state_down() -> None:
    """A way that connects again clears the message, but only data ends `down`."""
    door, _, (stream,) = joined("stream")
    stream.state("down", "lost")
    stream.state("live")
    assert heard(door) == ("down", "connected again, no price yet")
    stream.publish([QUOTE])
    assert heard(door) == ("live", None)


def test_a_way_without_prices_does_not_affect_the_state() -> None:
    """A way that cannot deliver prices neither keeps a feed up nor takes it down."""
    door, joint, (stream,) = joined("stream")
    listing = Way(joint, "list", carries=False)
    listing.state("down", "HTTP status 500")
    assert heard(door) == ("connecting", "list: HTTP status 500")
    stream.publish([QUOTE])
    assert heard(door) == ("live", "list: HTTP status 500")
    listing.state("live")
    assert heard(door) == ("live", None)
    stream.state("down", "lost")
    assert heard(door)[0] == "down"


def test_a_feed_whose_list_failed_first_is_down() -> None:
    """Until it is known what to stream, the list is the only way: if that fails, the feed is down."""
    door, joint, _ = joined()
    joint.note("not listed: ODD")
    assert heard(door) == ("connecting", "not listed: ODD")
    Way(joint, "list", carries=False).state("down", "HTTP status 500")
    assert heard(door) == ("down", "list: HTTP status 500; not listed: ODD")


def test_a_note_stays_in_the_message_until_it_is_removed() -> None:
    """It outlasts data and failures."""
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


def test_a_message_of_the_service_is_not_cleared() -> None:
    """A message that the service itself has set stays when a way recovers."""
    door, _, (stream,) = joined("stream")
    stream.publish([QUOTE])
    stream.state("live", "lost")
    door.state("live", "too many symbols")
    stream.publish([QUOTE])
    assert heard(door) == ("live", "too many symbols")


def test_equal_failures_of_several_ways_are_reported_together() -> None:
    """Connections lost together are reported together: the first one, and how many more."""
    door, _, ways = joined("stream/1", "stream/2", "stream/3", "polls")
    for way in ways[:3]:
        way.state("down", "lost")
    ways[3].state("live", "slow")
    assert heard(door)[1] == "stream/1 and 2 more: lost; polls: slow"
    ways[0].publish([QUOTE])
    assert heard(door)[1] == "stream/2 and 1 more: lost; polls: slow"


def test_the_combined_message_is_one_bounded_line() -> None:
    """Readers get one line of bounded length, however many ways have long messages."""
    door, _, ways = joined(*(f"way {n}" for n in range(50)))
    for way in ways:
        way.state("down", way.name * 100)
    assert len(heard(door)[1] or "") == 300
