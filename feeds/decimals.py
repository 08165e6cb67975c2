"""The exchange's own text of a number, validated and normalized; its digits are kept. Pure."""

from __future__ import annotations

import re
from decimal import Decimal

_PLAIN = re.compile(r"(0|[1-9][0-9]{0,19})(\.[0-9]{1,30})?")
_ANY = re.compile(r"([+-]?)([0-9]{0,40})(?:\.([0-9]{0,40}))?(?:[eE]([+-]?[0-9]{1,3}))?")


def decimal_text(raw: str) -> str:
    """The same number as plain decimal text: no exponent, no plus, no leading zeros, trailing zeros kept.

    Raises:
        ValueError: not a finite decimal, or more than 20 digits before the point or 30 after it.
    """
    if _PLAIN.fullmatch(raw):
        return raw
    match = _ANY.fullmatch(raw)
    if match is None or not (match[2] or match[3]):
        raise ValueError(f"not a decimal number: {raw[:40]!r}")
    sign, whole, fraction, exponent = match.groups()
    text = f"{int(whole or '0')}" + (f".{fraction}" if fraction else "")
    if exponent:
        text = f"{Decimal(f'{text}e{exponent}'):f}"
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"number out of range: {raw[:40]!r}")
    return f"-{text}" if sign == "-" and text.strip("0.") else text


def price(raw: str | None) -> str | None:
    """A price's text; None for "no price" (absent, empty or zero).

    Raises:
        ValueError: negative, or not a valid decimal.
    """
    text = _unsigned(raw, "price")
    return text if text and text.strip("0.") else None


def size(raw: str | None) -> str | None:
    """A size's or volume's text, zero included; None if there is none.

    Raises:
        ValueError: negative, or not a valid decimal.
    """
    return _unsigned(raw, "size")


def _unsigned(raw: str | None, what: str) -> str | None:
    if not raw:
        return None
    text = decimal_text(raw)
    if text[0] == "-":
        raise ValueError(f"negative {what}: {raw[:40]!r}")
    return text


def percent(raw: str | None) -> str | None:
    """A signed percentage's text; None if there is none.

    Raises:
        ValueError: not a valid decimal.
    """
    return decimal_text(raw) if raw else None
