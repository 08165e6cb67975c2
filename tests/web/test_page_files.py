"""The page's files as they go out: without their comments, small, and all of them asked for at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from web.page import STATIC, read

FIRST_LOAD_KB = 60
"""Limit for what index.html names of our own scripts and styles, each compressed by itself, as it is sent."""
TOO_NEW = re.compile(r"light-dark\(|popover|\.(aria[A-Z]|role\b)")
"""What browsers of 2023 take for nothing, so that boxes had no ground, menus did not open and cells no roles."""
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
def test_comments_stay_at_home(path: Path) -> None:
    """A script or style goes out line by line as it stands, without comments: nothing of a text is taken for one.

    Nor is any text longer than a line, so that no indentation is part of one.
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


def test_browsers_of_2023_take_it() -> None:
    """Nothing is used that they lack and cannot do without.

    Seen: in Chromium 113, as old as what an iPhone of 2017 has, dialogs stood on the rows without a ground of theirs.
    """
    assert [path.name for path in OWN if TOO_NEW.search(read(path).plain.decode())] == []
