"""The machine of `stream_machine.py` with gateways: readers move between servers, and connections between these break.

At every frame a reader's view is what the origin showed, restricted to its selection, at the version and in the epoch
that it was told, whatever server told it. The checks are in `Fleet`.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.ticker.fleet_world import AWAY_WAITS_S, FOLLOWED, Fleet, Gateway
from tests.ticker.stream_machine import StreamMachine, rarely, slots
from tests.ticker.stream_world import MAX_LOST, World

servers = st.integers(0, len(FOLLOWED))
gateways = st.integers(0, len(FOLLOWED) - 1)


class FleetMachine(StreamMachine):
    """A market, an origin, three gateways, one of which follows another, and four readers at any of them."""

    world_type: type[World] = Fleet

    @property
    def fleet(self) -> Fleet:
        assert isinstance(self.world, Fleet)
        return self.world

    @initialize(eager=st.sets(gateways), slow=st.sets(servers))
    def follow(self, eager: set[int], slow: set[int]) -> None:
        for i, gateway in enumerate(self.fleet.gateways):
            gateway.eager = i in eager
        for i, server in enumerate(self.fleet.servers):
            server.set_pace(i in slow)

    @rule(slot=slots, which=servers, lost=st.integers(0, MAX_LOST))
    def move(self, slot: int, which: int, lost: int) -> None:
        """A reader goes on at another server, with its cursor."""
        fleet, link = self.fleet, self.fleet.links.get(slot)
        if link is not None:
            fleet.cut(slot, lost)
            reader = fleet.readers[slot]
            fleet.enter_at(fleet.servers[which], slot, reader, link.selection, link.interval_ms, reader.cursor)

    @rule(which=gateways, eager=st.booleans(), held=st.booleans())
    def hold(self, which: int, eager: bool, held: bool) -> None:
        """From now on a gateway takes nothing, takes what it is sent a little later, or at once."""
        gateway = self.fleet.gateways[which]
        gateway.eager, gateway.held = eager and not held, held
        if gateway.uplink is not None and held:
            gateway.uplink.blocked = True

    @rule(
        which=st.sets(gateways, min_size=1), most=st.integers(1, MAX_LOST), flushes=st.booleans(), beats=st.booleans()
    )
    def carry(self, which: set[int], most: int, flushes: bool, beats: bool) -> None:
        for gateway in self.some(which):
            gateway.carry(most)
            if flushes:
                gateway.flush()
            if beats:
                gateway.heartbeat()

    @rule(which=st.sets(gateways, min_size=1), cut=st.booleans(), back=st.booleans())
    def reconnect(self, which: set[int], cut: bool, back: bool) -> None:
        """Connections of gateways break, or are made again, or both."""
        for gateway in self.some(which):
            if cut:
                gateway.disconnect()
            if back or not cut:
                gateway.connect()

    @rule(which=gateways, mute=st.booleans(), away_s=st.sampled_from(AWAY_WAITS_S), back=st.booleans())
    def lose(self, which: int, mute: bool, away_s: float, back: bool) -> None:
        """A gateway hears nothing for a long time, over a connection or without one."""
        gateway = self.fleet.gateways[which]
        if mute and gateway.uplink is not None:
            gateway.connection.state = "stale"
        else:
            gateway.disconnect()
        gateway.expire()
        self.fleet.wait(away_s)
        if back:
            gateway.connect()
            gateway.carry()

    @rule(which=rarely(servers), first_version=st.sampled_from([1, 30]), back=st.booleans())
    def replace_server(self, which: int | None, first_version: int, back: bool) -> None:
        """It is started anew, and its gateways come back at once or later."""
        if which is not None:
            self.fleet.restart(which, first_version)
        if back:
            for gateway in self.fleet.gateways:
                gateway.connect()
                gateway.carry()

    def some(self, which: set[int]) -> list[Gateway]:
        return [gateway for i, gateway in enumerate(self.fleet.gateways) if i in which]
