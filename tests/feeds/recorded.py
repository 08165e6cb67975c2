"""The recordings of one exchange, as the payloads that it sent."""

from __future__ import annotations

import json
import pathlib


class Recorded:
    """The recordings of one exchange.

    Args:
        data_dir: folder with all recordings.
        exchange: the exchange's folder.
    """

    def __init__(self, data_dir: pathlib.Path, exchange: str) -> None:
        self._folder = data_dir / "exchanges" / exchange

    def answer(self, name: str) -> bytes:
        """The body of an HTTP answer."""
        return (self._folder / "rest" / name).read_bytes()

    def frames(self, name: str) -> list[bytes]:
        """The received messages of a stream, in order."""
        lines = (self._folder / "ws" / name).read_text(encoding="utf-8").splitlines()
        events = [json.loads(line) for line in lines]
        return [event["raw"].encode() for event in events if event["dir"] == "recv"]
