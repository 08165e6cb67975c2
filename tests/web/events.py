"""A client of server-sent events that reads chunk by chunk, and only when told."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tests.web.peer import Answer, Peer, View
from tests.web.server import Live
from web.sse import EventStream


class Event(NamedTuple):
    """One event; `text` is its data as it came."""

    kind: str
    id: str | None
    retry: str | None
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class EventPeer:
    """One stream of events."""

    def __init__(self, peer: Peer, answer: Answer) -> None:
        self.peer = peer
        self.answer = answer
        self.cursor = ""
        self.subscribed: Any = None
        """The event before the first data."""
        self._text = ""

    async def event(self) -> Event:
        """Read the next event; fail if there is none."""
        while "\n\n" not in self._text:
            data = await self.chunk()
            assert data, "the stream has ended"
            self._text += data.decode()
        text, _, self._text = self._text.partition("\n\n")
        fields = dict(line.split(": ", 1) for line in text.split("\n"))
        self.cursor = fields.get("id", self.cursor)
        if fields["event"] == "subscribed":
            assert self.subscribed is None
            self.subscribed = Event(fields["event"], fields.get("id"), fields.get("retry"), fields["data"])
            return await self.event()
        return Event(fields["event"], fields.get("id"), fields.get("retry"), fields["data"])

    async def chunk(self) -> bytes:
        """Read one chunk; the last one is empty."""
        size = int((await self.peer._until(b"\r\n")).decode(), 16)
        return (await self.peer._exactly(size + 2))[:-2]

    async def hear(self, kind: str) -> Event:
        """Read up to the next event of a type."""
        while (event := await self.event()).kind != kind:
            pass
        return event

    async def follow(self, view: View, version: int) -> list[Event]:
        """Read until a view has reached a version; returns what was read."""
        events = []
        while view.version < version:
            events.append(await self.event())
            view.apply(events[-1].json)
        return events

    def connection(self, live: Live) -> EventStream:
        """The server's side of it."""
        streams = [c for c in live.hub.connections if isinstance(c, EventStream)]
        return next(s for s in streams if s._http.client is not None and s._http.client[1] == self.peer.port)


async def listen_to(live: Live, query: str = "", *headers: str, receive_buffer: int | None = None) -> EventPeer:
    """Ask for a stream of events and read the head of the answer."""
    peer = await live.connect(receive_buffer)
    await peer.request("GET", f"/api/stream{query}", *headers)
    return EventPeer(peer, await peer.answer(body=False))
