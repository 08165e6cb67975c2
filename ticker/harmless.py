"""Text from outside, made harmless where it is shown: in a terminal or a log, or in a spreadsheet."""

from __future__ import annotations

FORMULA = frozenset("=+-@\t\r\n＝＋－＠")
"""Characters that a formula may begin with."""


def escape(text: str) -> str:
    """The text on one line: characters that are not printable become backslash sequences."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def safe(text: str) -> str:
    """The text, changed if a spreadsheet would take it for a formula."""
    return f"'{text}" if text[:1] in FORMULA else text
