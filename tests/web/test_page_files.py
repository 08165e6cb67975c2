"""The page's files as they are sent: without comments and indentation, and small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from web.page import STATIC, read

FIRST_LOAD_KB = 60
"""Limit for our own scripts and styles that index.html names, each compressed by itself, as sent."""
TOO_NEW = re.compile(r"light-dark\(|popover|\.(aria[A-Z]|role\b)")
"""What browsers of 2023 ignore, so that boxes had no background, menus did not open and cells had no roles."""
OWN = sorted(path for path in STATIC.rglob("*") if path.suffix in {".js", ".css"})


def comment_lines(lines: list[str]) -> set[int]:
    """Which lines are comment and nothing else."""
    found, inside = set[int](), False
    for number, line in enumerate(lines):
        text = line.strip()
        if inside or text.startswith(("//", "/*")):
            found.add(number)
            inside = (inside or text.startswith("/*")) and "*/" not in text
            if "*/" in text and not text.endswith("*/"):
                found.discard(number)
    return found


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_files_are_sent_without_comments_and_indentation(path: Path) -> None:
    """Scripts and styles are sent line by line, without comments and indentation; no part of a string is taken for one.

    No string spans lines, or its indentation would be lost.
    """
    written, sent = path.read_text("utf-8").split("\n"), read(path).plain.decode().split("\n")
    comments = comment_lines(written)
    for number, (line, left) in enumerate(zip(written, sent, strict=True)):
        code = line.lstrip()
        if number in comments:
            assert left == ""
            continue
        assert left.count("`") % 2 == 0
        if left != code:
            assert path.suffix == ".js"
            assert code.removeprefix(left).lstrip().startswith("// ")
            assert left.count('"') % 2 == 0
    assert len(comments) > 0, "a file that does not say what it is"


def test_the_first_load_is_small() -> None:
    """Scripts and styles that load before the chart, the details and the dialogs stay within their budget."""
    index = (STATIC / "index.html").read_text("utf-8")
    names = dict.fromkeys(re.findall(r'(?:href|src)="((?:js|css)/[^"]+)"', index))
    assert sum(len(read(STATIC / name).packed) for name in names) <= FIRST_LOAD_KB * 1024


def test_only_features_of_browsers_of_2023_are_used() -> None:
    """Nothing is used that they lack and that has no fallback.

    Seen: in Chromium 113, about as old as the browser of an iPhone of 2017, dialogs had no background.
    """
    assert [path.name for path in OWN if TOO_NEW.search(read(path).plain.decode())] == []
