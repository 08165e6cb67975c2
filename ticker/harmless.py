"""Text made harmless where it is shown: in a terminal or a log, or in a spreadsheet."""

from __future__ import annotations

import re

FORMULA = frozenset("=+-@\t\r\n＝＋－＠")
"""Characters that a formula may begin with."""
_TOKEN = re.compile(r"([?&]token=)[^&\s\"]+")
_LOGIN = re.compile(r"((?::|%3a)(?:/|%2f){2})(?:(?!%2f|%3f|%23)[^\s/?#])*(?:@|%40)", re.IGNORECASE)
"""What may stand before the host of a URL, percent-encoded or not."""


def escape(text: str) -> str:
    """The text on one line: characters that are not printable become backslash sequences."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def safe(text: str) -> str:
    """The text, changed if a spreadsheet would take it for a formula."""
    return f"'{text}" if text[:1] in FORMULA else text


def redact(text: str) -> str:
    """The text without the secrets of URLs: tokens, and names with passwords."""
    text = _TOKEN.sub(r"\1…", text) if "token=" in text else text
    return _LOGIN.sub(r"\1…@", text) if "@" in text or "%40" in text else text
