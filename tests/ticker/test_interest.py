"""The index of groups: a change reaches those that select its symbol, each once."""

from __future__ import annotations

import pytest

from ticker.interest import Interest
from ticker.readers import Group
from ticker.record import Record
from ticker.selection import Selection
from ticker.store import Store


class World:
    """A store with a few symbols, and an index of groups."""

    def __init__(self) -> None:
        self.store = Store(1)
        for symbol in ("A", "AB", "B", "v:A"):
            self.store.ingest(symbol, {"last": "1"})
        self.store.flush(0.0)
        self.interest = Interest(self.store.wildcards)

    def group(self, *patterns: str) -> Group:
        """A new group, indexed."""
        group = Group(self.store.resolve(Selection.of(patterns)), 0, 1, 0.0)
        self.interest.add(group)
        return group

    def records(self, *symbols: str) -> list[Record]:
        """Existing records."""
        return [record for symbol in symbols if (record := self.store.get(symbol))]


@pytest.fixture
def world() -> World:
    return World()


def test_a_change_reaches_the_groups_that_select_its_symbol(world: World) -> None:
    """By its name or by a pattern; the others are not touched."""
    named, matching, other = world.group("A"), world.group("A*"), world.group("v:*", "Z")
    assert set(map(id, world.interest.spread(world.records("A", "B")))) == {id(named), id(matching)}
    assert [[r.key for r in group.news] for group in (named, matching, other)] == [["A"], ["A"], []]


def test_a_group_is_touched_once(world: World) -> None:
    """However many of its symbols change, several of its patterns match one, or it has news from before."""
    group = world.group("A", "A*", "*B")
    assert world.interest.spread(world.records("A", "AB")) == [group]
    assert [r.key for r in group.news] == ["A", "AB"]
    assert world.interest.spread(world.records("AB", "B")) == [], "it has news already"
    assert [r.key for r in group.news] == ["A", "AB", "B"]


def test_a_forgotten_group_leaves_the_others_what_they_select(world: World) -> None:
    """Names and patterns that nobody selects any more are dropped."""
    stays, leaves = world.group("A", "B*"), world.group("A", "B*", "AB", "v:*")
    world.interest.remove(leaves)
    assert len(world.interest) == 2
    assert world.interest.spread(world.records("A", "AB", "B", "v:A")) == [stays]
    assert [r.key for r in stays.news] == ["A", "B"]
    world.interest.remove(stays)
    assert len(world.interest) == 0
