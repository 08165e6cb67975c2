"""What a gateway does with a frame in many turns of the loop, at once: check its records, and show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ticker.incoming import Row, check_records, check_symbols
from ticker.model import Value
from ticker.record import Contents
from ticker.upstream import Upstream


def contents(version: int, records: Mapping[str, Mapping[str, Value]]) -> Contents:
    """All that a store shows at a version, by key."""
    made = Contents(version)
    for key, values in records.items():
        made.add(key, values)
    return made


def replace(upstream: Upstream, epoch: int, version: int, quotes: Mapping[str, Row], feeds: Mapping[str, Row]) -> None:
    """A snapshot comes; NotARecordError: it is refused."""
    made = Contents(version)
    list(check_records(quotes.items(), feeds, made.add))
    upstream.replace(epoch, made)


def merge(
    upstream: Upstream, version: int, quotes: Mapping[str, Row], gone: Sequence[str], feeds: Mapping[str, Row]
) -> None:
    """An update comes; NotARecordError: it is refused."""
    records: dict[str, dict[str, Value]] = {}
    list(check_records(quotes.items(), feeds, records.__setitem__))
    check_symbols(gone)
    upstream.merge(version, records, gone)
