"""What the hub does by the clock, and how connections open, end and are told goodbye."""

from __future__ import annotations

from tests.ticker.jumping import STALL_S, Held, Peer, Service, later, play, turns
from ticker.hub import MOST_PENDING_BYTES, Connection
from ticker.model import Quote
from ticker.selection import Selection
from ticker.staleness import TICK_S

# By the clock


def test_a_silent_symbol_becomes_stale_without_any_request() -> None:
    """Without any request, a silent symbol becomes stale, and its readers are told."""

    async def story(service: Service) -> None:
        peer = service.peer()
        async with service.running():
            service.put(1)
            await later(59.0)
            peer.take()
            await later(2.0)
            assert [frame.get("quotes", frame.get("feeds")) for _, frame in peer.take()] == [
                {"v:A": {"state": "stale"}},
                {"v": {"state": "stale", "since": 1_795_386_060_250, "message": "no data for 60 s"}},
            ]

    play(story)


def test_the_price_returns_to_a_better_source_without_new_data() -> None:
    """When a better source has been live long enough, the consolidated price returns to it without any new data."""

    async def story(service: Service) -> None:
        other = service.new_feed("w")
        service.put(1)
        other.publish([Quote("w:A", {"last": "2"})])
        await later(1.0)
        service.feed.state("down")
        await later(1.0)
        service.put(3)
        peer = service.peer("A")
        async with service.running():
            await later(29.0)
            assert [frame for _, frame in peer.take() if frame.get("quotes")] == []
            await later(2.0)
            assert [frame["quotes"]["A"]["source"] for _, frame in peer.take() if frame.get("quotes")] == ["v"]

    play(story)


def test_a_new_time_alone_is_sent_within_a_second() -> None:
    """A row that changes nothing but its time is sent late, but sent, even if nothing else happens."""

    async def story(service: Service) -> None:
        peer = service.peer()
        service.feed.publish([Quote("v:A", {"last": "1"}, 1_795_386_000_000)])
        await later(0.1)
        peer.take()
        async with service.running():
            service.feed.publish([Quote("v:A", {"last": "1"}, 1_795_386_000_100)])
            await later(0.8)
            assert peer.take() == []
            await later(0.5)
            assert [frame["quotes"] for _, frame in peer.take()] == [{"v:A": {"ts": 1_795_386_000_100}}]

    play(story)


def test_quiet_readers_get_heartbeats() -> None:
    """A reader that was sent nothing for the interval gets a heartbeat, subscribed or not; others do not.

    Seen: a reader without a subscription was told the store's version; had it adopted that and resumed with it, it
    would have missed all that changed before. Cause: the same frame for all. Promise: before the first data it is
    version 0.
    """

    async def story(service: Service) -> None:
        idle, quiet, busy = Peer(service.hub), service.peer("v:B"), service.peer("v:A")
        async with service.running():
            await later(0.1)
            for i in range(1, 20):
                service.put(i)
                await later(1.0)
            assert [(at, frame["version"]) for at, frame in idle.take("heartbeat")] == [(5, 0), (10, 0), (15, 0)]
            beats = quiet.take("heartbeat")
            assert [at for at, _ in beats] == [5.25, 10.25, 15.25]
            assert [frame["version"] for _, frame in beats] == [7, 12, 17]
            assert busy.take("heartbeat") == []

    play(story)


def test_heartbeats_before_a_subscription_end_with_it() -> None:
    """A subscriber gets its group's heartbeats; one that takes nothing is not counted."""

    async def story(service: Service) -> None:
        peer, deaf = Peer(service.hub), Peer(service.hub)
        deaf.takes = False
        async with service.running():
            await later(6.0)
            peer.subscribe("v:A")
            told = service.hub.groups.counts.messages["heartbeat"]
            assert told == len(peer.take("heartbeat")) == 1
            await later(31.0)
            assert len(peer.take("heartbeat")) == 6
            assert service.hub.idle == {deaf}

    play(story)


def test_a_reader_that_takes_no_byte_for_stall_s_is_closed_with_4008() -> None:
    """A paused connection is ended with 4008 after `stall_s` without a byte; each byte gives it all of that again."""

    async def story(service: Service) -> None:
        paused, fine = service.peer(), service.peer()
        paused.pending_bytes = 700
        pause = Held(service.hub)
        service.hub.pause(paused, pause)
        assert service.hub.pending_bytes == 700
        async with service.running():
            await later(STALL_S - 1)
            pause.moved_at = service.hub.now()
            await later(STALL_S - 0.5)
            assert paused in service.hub.connections
            await later(1)
            assert service.hub.connections == {fine}
        assert service.hub.counts.disconnects == {4008: 1}

    play(story)


def test_who_holds_too_much_is_ended() -> None:
    """What waits for the readers of one address is bounded: who has been paused longest is ended with 4008, but nobody
    for whom there is room once the others have gone.

    Seen: readers that took a byte now and then each held a snapshot of 50,000 symbols, 5 to 10 MB, for ever.
    """

    async def story(service: Service) -> None:
        modest, other = service.peer(), Peer(service.hub, "192.0.2.2")
        service.hub.pause(modest, Held(service.hub))
        many = [service.peer() for _ in range(4)]
        for peer in (*many, other):
            peer.pending_bytes = MOST_PENDING_BYTES // 2
            service.hub.pause(peer, Held(service.hub))
        async with service.running():
            await later(2 * TICK_S)
            assert service.hub.connections == {modest, *many[2:], other}
        assert service.hub.counts.disconnects == {4008: 2}

    play(story)


def test_a_reader_of_a_shared_snapshot_gets_later_changes_by_the_next_tick() -> None:
    """What changed between a snapshot and its reader's turn comes with the next tick if no flush comes first."""

    async def story(service: Service) -> None:
        service.put(1)
        groups, late = service.hub.groups, Peer(service.hub)
        groups.large = 1
        await later(0.25)
        whole = list(groups.whole("192.0.2.1", Selection.of(["v:*"])))[-1]
        service.put(2)
        await later(0.25)
        assert groups.join(late, Selection.of(["v:*"]), 0, None, whole).version < service.hub.store.version
        async with service.running():
            await later(2 * TICK_S)
        assert [last for _, last in late.lasts()] == [2]

    play(story)


def test_suspension_does_not_count_as_a_stall() -> None:
    """The first check after it does not count that time, as no byte could be taken; the next one counts it."""

    async def story(service: Service) -> None:
        service.hub.pause(service.peer(), Held(service.hub))
        async with service.running():
            await later(0.3)
            service.clock.suspended_s = 3600.0
            await later(0.25)
            assert service.hub.connections
            await later(0.25)
            assert not service.hub.connections

    play(story)


def test_empty_groups_are_forgotten() -> None:
    """A group without readers is kept for a while and then dropped."""

    async def story(service: Service) -> None:
        peer = service.peer()
        async with service.running():
            service.hub.remove(peer, 1000)
            await later(9.0)
            assert len(service.hub.groups) == 1
            await later(2.0)
            assert len(service.hub.groups) == 0

    play(story)


def test_loop_lag_is_measured_and_not_caught_up() -> None:
    """A process that was suspended records one large lag and ticks on, not once for each missed tick."""

    async def story(service: Service) -> None:
        lag = service.hub.counts.loop_lag
        async with service.running():
            await later(1.1)
            assert (sum(lag.counts), lag.total) == (4, 0.0)
            service.clock.suspended_s = 60.0
            await later(1.0)
            assert 59.0 < lag.total < 61.0
            assert sum(lag.counts) <= 4 + 5 + 1

    play(story)


# Connections and the end


def test_connections_are_counted_once() -> None:
    """Connections are counted by address and close code; removing one twice is harmless, and so is an unknown one."""

    async def story(service: Service) -> None:
        hub = service.hub
        first, second, third = Peer(hub, "192.0.2.1"), Peer(hub, "192.0.2.1"), Peer(hub, "192.0.2.2")
        third.subscribe("*")
        hub.pause(third, Held(hub))
        assert (hub.addresses["192.0.2.1"], hub.connected["ws"], hub.counts.connects["ws"]) == (2, 3, 3)
        for peer, code in ((first, 1000), (third, 4008), (third, 1006)):
            hub.remove(peer, code)
        assert (hub.connections, hub.connected["ws"]) == ({second}, 1)
        assert dict(hub.addresses) == {"192.0.2.1": 1}
        assert hub.counts.disconnects == {1000: 1, 4008: 1}
        assert (hub.paused, hub.idle, third.group) == ({}, {second}, None)

    play(story)


def test_draining_sends_bye_to_all_readers_and_waits() -> None:
    """Every reader gets the last values and `bye`; when all have gone, draining is over."""

    async def story(service: Service) -> None:
        peers: list[Connection] = [service.peer(), service.peer("v:*", interval_ms=1000), Peer(service.hub)]
        service.put(1)
        await turns()
        service.put(2)
        draining = [service.hub.draining]
        await service.hub.drain(5.0)
        assert [*draining, service.hub.draining] == [False, True]
        assert service.hub.connections == set()
        assert service.hub.counts.disconnects == {1012: 3}
        assert service.clock.monotonic() < 0.2
        for peer in peers:
            assert isinstance(peer, Peer)
            assert not peer.aborted
            last = peer.frames[-1][1]
            assert last == {"type": "bye", "reason": "shutdown", "reconnect": True, "retry_ms": [500, 5000]}
        assert isinstance(peers[0], Peer)
        assert [frame["quotes"]["v:A"]["last"] for _, frame in peers[0].take()] == [1, 2]

    play(story)


def test_draining_aborts_remaining_connections_at_its_deadline() -> None:
    """At its deadline draining aborts the remaining connections; it takes no longer."""

    async def story(service: Service) -> None:
        polite, stubborn = service.peer(), service.peer()
        stubborn.leaves_on_bye = False
        await service.hub.drain(5.0)
        assert (polite.aborted, stubborn.aborted) == (False, True)
        assert service.hub.counts.disconnects == {1012: 1, 1006: 1}
        assert 5.0 <= service.clock.monotonic() < 5.1

    play(story)


def test_no_timer_of_a_closed_hub_fires() -> None:
    """No timer of a closed hub fires: neither that of a pending flush nor an interval's."""

    async def story(service: Service) -> None:
        peer, slow = service.peer(), service.peer(interval_ms=100)
        service.put(1)
        await turns()
        service.put(2)
        service.hub.close()
        await later(10.0)
        assert peer.lasts() == [(0.0, 1)]
        assert slow.take() == []

    play(story)


def test_a_hub_that_never_flushed_can_be_closed() -> None:
    """Closing is harmless at any time."""

    async def story(service: Service) -> None:
        service.hub.close()
        service.hub.close()
        assert service.store.version == 1

    play(story)
