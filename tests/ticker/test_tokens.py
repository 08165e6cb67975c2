"""Tokens: what the file may contain, when it is read again, and which token is which."""

from __future__ import annotations

import hashlib
import logging
import os
import resource
from pathlib import Path

import pytest

from tests.clock import ManualClock
from ticker.errors import ConfigError
from ticker.tokens import Tokens


def entry(name: str, token: str, more: str = "") -> str:
    return f'[{name}]\nsha256 = "{hashlib.sha256(token.encode()).hexdigest()}"\n{more}\n'


class Desk:
    """A file of tokens."""

    def __init__(self, folder: Path, text: str) -> None:
        self.path = folder / "tokens.toml"
        self.clock = ManualClock(1_795_386_000_000)  # 2026-11-22T22:20:00Z
        self.rewrite(text)
        self.tokens = Tokens(self.path, self.clock.wall_ms)

    def rewrite(self, text: str, ago_ms: int = 60_000) -> None:
        """Replace the file as an editor does, this long ago: another file takes its name."""
        other = self.path.with_suffix(".new")
        other.write_text(text)
        at_ns = (self.clock.wall_ms() - ago_ms) * 1_000_000
        os.utime(other, ns=(at_ns, at_ns))
        other.rename(self.path)

    def name(self, token: str, use: str = "prices") -> str | None:
        found = self.tokens.find(token, use)
        return found.name if found else None


def test_a_token_is_recognised_by_its_hash_and_use(tmp_path: Path) -> None:
    """Each token has its name and uses; the hash itself, a prefix or another text is no token."""
    both = entry("admin", "secret-3", 'for = ["metrics", "prices"]')
    desk = Desk(tmp_path, entry("wall", "secret-1") + entry("grafana", "secret-2", 'for = ["metrics"]') + both)
    assert (desk.name("secret-1"), desk.name("secret-1", "metrics")) == ("wall", None)
    assert (desk.name("secret-2"), desk.name("secret-2", "metrics")) == (None, "grafana")
    assert (desk.name("secret-3"), desk.name("secret-3", "metrics")) == ("admin", "admin")
    digest = hashlib.sha256(b"secret-1").hexdigest()
    for text in ("", "secret-", "secret-11", "Secret-1", digest, "\udcff", "x" * 100_000):
        assert desk.name(text) is None


def test_a_token_of_any_length_is_compared_whole(tmp_path: Path) -> None:
    """A long one (a JWT) is known, and anything appended to a token makes it a different one.

    Seen: one of more than 512 characters was never valid, and anything could follow the 512th.
    """
    desk = Desk(tmp_path, entry("long", "x" * 600) + entry("other", "y" * 512))
    assert (desk.name("x" * 600), desk.name("y" * 512)) == ("long", "other")
    assert (desk.name("x" * 599 + "y"), desk.name("y" * 513)) == (None, None)


def test_a_token_may_have_several_entries(tmp_path: Path) -> None:
    """Each of them is valid for its uses until it expires, in whatever order they are listed."""
    ended, metrics = "expires = 2026-01-01T00:00:00Z", 'for = ["metrics"]'
    desk = Desk(tmp_path, entry("now", "x") + entry("old", "x", ended) + entry("scrape", "x", metrics))
    assert (desk.name("x"), desk.name("x", "metrics")) == ("now", "scrape")


def test_a_token_is_invalid_after_its_expiry(tmp_path: Path) -> None:
    """From its expiry on it is invalid, both for a new client and for one that has shown it."""
    desk = Desk(tmp_path, entry("a", "x", "expires = 2026-11-22T23:20:10+01:00"))
    token = desk.tokens.find("x", "prices")
    assert token is not None
    desk.clock.tick(9.999)
    assert desk.tokens.holds(token)
    desk.clock.tick(0.001)
    assert not desk.tokens.holds(token)
    assert desk.name("x") is None


def test_a_changed_file_takes_effect(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A changed file takes effect; a broken or missing one changes nothing, and the log says so once."""
    caplog.set_level(logging.INFO)
    desk = Desk(tmp_path, entry("a", "x"))
    token = desk.tokens.find("x", "prices")
    assert token is not None
    desk.rewrite(entry("b", "y"))
    assert (desk.name("x"), desk.name("y"), desk.tokens.holds(token)) == (None, "b", False)
    desk.rewrite("[b\n")
    assert [desk.name("y") for _ in range(3)] == ["b"] * 3
    desk.path.unlink()
    assert [desk.name("y") for _ in range(3)] == ["b"] * 3
    desk.rewrite(entry("a", "x"))
    assert (desk.name("x"), desk.name("y")) == ("a", None)
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(":")[0] for line in lines] == [
        "tokens read again", "tokens stay as they were", "tokens stay as they were", "tokens read again",
    ]  # fmt: skip
    assert "no such file" in lines[2]


def test_a_file_counts_once_it_is_unchanged_for_a_second(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is empty or incomplete while it is rewritten changes nothing; one left alone for a second does.

    Seen: a client whose token was in the file before and after was closed with 4001.
    """
    desk = Desk(tmp_path, entry("a", "x") + entry("b", "y"))
    for part in ("", entry("a", "x"), entry("a", "x") + "[b]\nsha2"):
        desk.rewrite(part, ago_ms=999)
        assert desk.name("y") == "b", part
    assert not caplog.records
    desk.rewrite("", ago_ms=1000)
    assert (desk.name("x"), desk.name("y")) == (None, None), "emptied on purpose"


def test_a_file_that_cannot_be_read_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If the cause is a temporary lack of resources, the file need not be touched again; the log says so once.

    Seen: read while there were too many open files, it took effect only after its next change.
    """
    desk = Desk(tmp_path, entry("a", "x"))
    desk.rewrite(entry("b", "y"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    last = os.open(os.devnull, os.O_RDONLY)  # with no spare file a thread of another test could not even wait for one
    resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, hard))
    try:
        assert [desk.name("x") for _ in range(3)] == ["a"] * 3
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(last)
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["too many open files"]
    assert desk.name("y") == "b"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[a\n", "Expected"),
        ("a = " + "[" * 10_000, "recursion"),
        ("a = 1", "a: should be a table, [a], with sha256 = …"),
        ("[a]", "a.sha256: give the SHA-256 of the token as 64 hexadecimal digits"),
        ('[a]\nsha256 = "secret"', "a.sha256: give the SHA-256"),
        (entry("a", "x", "expires = 2027-01-01"), "a.expires: give a time with its zone"),
        (entry("a", "x", "expires = 2027-01-01T00:00:00"), "a.expires: give a time with its zone"),
        (entry("a", "x", 'for = "prices"'), "a.for: give a list of prices and metrics"),
        (entry("a", "x", 'for = ["all"]'), "a.for: give a list of prices and metrics"),
        (entry("a", "x", "for = []"), "a.for: give a list of prices and metrics"),
        (entry("a", "x", "for = 1"), "a.for: give a list of prices and metrics"),
        (entry("a", "x", "expire = 1"), "a.expire: unknown; did you mean 'expires'?"),
    ],
)
def test_a_malformed_file_is_refused_by_its_faulty_entry(tmp_path: Path, text: str, error: str) -> None:
    """A service does not start with a malformed file, and names the faulty entry, but never a token."""
    with pytest.raises(ConfigError) as caught:
        Desk(tmp_path, text)
    assert str(caught.value).startswith(f"auth.tokens_file {tmp_path / 'tokens.toml'}: ")
    assert error in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(ConfigError, match=r"tokens_file .*none\.toml: no such file"):
        Tokens(tmp_path / "none.toml", ManualClock().wall_ms)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing was made either
