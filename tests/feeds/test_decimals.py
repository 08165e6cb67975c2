"""The text of a number keeps its value and its digits, or is refused."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.decimals import decimal_text, percent, price, size

JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
"""RFC 8259's number, without the exponent that we never write."""


def numbers(digits: st.SearchStrategy[str], most_exponent: int) -> st.SearchStrategy[str]:
    """Texts of numbers with such digits on either side of the point, or on one."""
    exponent = st.builds("{}{}".format, st.sampled_from("eE"), st.integers(-most_exponent, most_exponent))
    return st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "+", "-"]),
        digits,
        st.just("") | digits.map(".{}".format),
        st.just("") | exponent,
    )


NEARLY_NUMBERS = numbers(st.text("0123456789", max_size=42), 45)
"""Numbers in range, and many that are not, or have no digit at all."""
SANE_NUMBERS = numbers(st.text("0123456789", min_size=1, max_size=10), 10)


def is_sane(raw: str) -> bool:
    """Whether a nearly number has any digits, and not too many, neither as given nor written plainly."""
    given_digits = re.fullmatch(r"[+-]?([0-9]*)[.]?([0-9]*)(?:e.*)?", raw, re.IGNORECASE)
    assert given_digits is not None
    if not any(given_digits.groups()):
        return False
    whole, _, fraction = f"{Decimal(raw):f}".lstrip("-").partition(".")
    return max(map(len, given_digits.groups())) <= 40 and len(whole.lstrip("0")) <= 20 and len(fraction) <= 30


@settings(deadline=None, max_examples=250)
@given(NEARLY_NUMBERS)
def test_decimal_text_keeps_value_and_digits(raw: str) -> None:
    """The same number with as many digits after the point, written plainly; or a refusal, for a reason."""
    try:
        text = decimal_text(raw)
    except ValueError:
        assert not is_sane(raw)
        return
    given_number, number = Decimal(raw), Decimal(text)
    assert JSON_NUMBER.fullmatch(text)
    assert number == given_number
    assert number.as_tuple().exponent == min(int(given_number.as_tuple().exponent), 0)


@settings(deadline=None)
@given(SANE_NUMBERS)
def test_price_size_and_percent_return_the_text_or_raise(raw: str) -> None:
    """Of a sane decimal a price must be above zero, a size not below it, and a percentage may be anything."""
    text, number = decimal_text(raw), Decimal(raw)
    assert percent(raw) == text
    if number < 0:
        for judge in (price, size):
            with pytest.raises(ValueError, match=r"^negative "):
                judge(raw)
    else:
        assert size(raw) == text
        assert price(raw) == (text if number else None)


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.text(), st.text("0123456789.eE+-_ ,\n\u0663\uff11NaIifx")))
def test_decimal_text_never_lets_another_text_through(raw: str) -> None:
    """Any text becomes a JSON number without exponent, or a ValueError."""
    for judge in (decimal_text, price, size, percent):
        try:
            text = judge(raw)
        except ValueError:
            continue
        assert text is None or JSON_NUMBER.fullmatch(text)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("97412.30", "97412.30"),
        ("0", "0"),
        ("0.00", "0.00"),
        ("-0", "0"),
        ("-0.0", "0.0"),
        ("-1.50", "-1.50"),
        ("+1", "1"),
        ("007.10", "7.10"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("1.50E1", "15.0"),
        ("1.5e-8", "0.000000015"),
        ("2.50e-07", "0.000000250"),
        ("1e+2", "100"),
        ("0e5", "0"),
        ("0e-3", "0.000"),
        ("-1e-2", "-0.01"),
        ("9" * 20, "9" * 20),
        ("0." + "1" * 30, "0." + "1" * 30),
        ("0" * 40, "0"),
        ("1e19", "1" + "0" * 19),
    ],
)
def test_decimal_text_normalises_signs_zeros_and_exponents(raw: str, expected: str) -> None:
    """Text that is plain already stays as it is."""
    assert decimal_text(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "", " ", ".", "-", "+.", "e5", ".e5", "1e", "1e1.5", "1e1000", "1e999", "1e20", "1e-31", "9" * 21, "9" * 41,
        "0." + "1" * 31, "0." + "1" * 41, "NaN", "nan", "Infinity", "-inf", "1_000", "1,5", " 1", "1\n", "0x10", "--1",
        "1.2.3", "\u0661", "\uff11", "1" * 400, "true", "null",
    ],
)  # fmt: skip
def test_decimal_text_refuses_all_but_sane_decimals(raw: str) -> None:
    """Anything but a finite decimal of a sane length is a ValueError, whose message is short."""
    with pytest.raises(ValueError, match=r"^(not a decimal number|number out of range): '.{0,45}'$"):
        decimal_text(raw)


@pytest.mark.parametrize("nothing", [None, "", "0", "0.000", "-0", "0e9", ".0"])
def test_absent_empty_and_zero_are_no_price(nothing: str | None) -> None:
    """ "No price" is not an error."""
    assert price(nothing) is None


@pytest.mark.parametrize(("raw", "expected"), [("1.10", "1.10"), ("1e-8", "0.00000001"), ("+3", "3")])
def test_price_is_positive_decimal_text(raw: str, expected: str) -> None:
    """A good price keeps its digits."""
    assert price(raw) == expected


def test_zero_is_a_size_but_absent_and_empty_are_none() -> None:
    """Zero is a size; absent and empty are none."""
    assert [size("0"), size("0.000"), size("-0"), size("12.50"), size(""), size(None)] == [
        "0", "0.000", "0", "12.50", None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(("judge", "noun"), [(price, "price"), (size, "size")])
def test_a_negative_price_or_size_is_refused_by_name(judge: object, noun: str) -> None:
    """The ValueError says which of them it was."""
    assert callable(judge)
    with pytest.raises(ValueError, match=f"negative {noun}: '-1.5'"):
        judge("-1.5")


def test_a_percentage_may_be_negative_or_zero() -> None:
    """A percentage has a sign; absent and empty are none."""
    assert [percent("-1.250"), percent("0.00"), percent("3e-1"), percent(""), percent(None)] == [
        "-1.250", "0.00", "0.3", None, None,
    ]  # fmt: skip
