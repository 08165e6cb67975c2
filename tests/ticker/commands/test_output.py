"""Whatever a service sends moves no terminal's cursor, breaks no JSON and becomes no formula; exact text stays."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from ticker.client.quote import Quote, Record
from ticker.commands.output import csv_lines, json_line, json_number, json_text
from ticker.errors import UnreachableError

EVIL = '\x1b]0;x\x07\x9b2J\u202e",\n'


@pytest.mark.parametrize("text", ["1", "-0.50", "97412.350", "1e5", "0"])
def test_numbers_keep_their_text(text: str) -> None:
    """Digit for digit, including a sign, which alone makes no formula."""
    assert (json_number(text), csv_lines([[text]])) == (text, f"{text}\n")


@pytest.mark.parametrize("text", [EVIL, "1,2", "0x1", "1}", "+1", "١"])
def test_a_field_that_is_no_number_is_escaped_text_in_json(text: str) -> None:
    """Seen: a price with escape sequences was printed in a line of `--json` as it was."""
    line = json_line(EVIL, {"last": text, "name": EVIL, "ts": None})
    assert json.loads(line) == {"symbol": EVIL, "last": text, "name": EVIL, "ts": None}
    assert line.isprintable()


def test_letters_of_any_alphabet_are_not_escaped() -> None:
    """Lists and objects are printed as text."""
    assert json_text({"name": "Zürich 銀行"}) == '{"name": "Zürich 銀行"}'
    assert json_text([EVIL]).isprintable()


def test_cells_have_no_control_character_and_no_formula() -> None:
    """A text that a spreadsheet would compute gets an apostrophe, as in the tables of the service itself."""
    assert csv_lines([["=1+1", "-A", "@x", EVIL, None, 7]]).splitlines() == [
        '\'=1+1,\'-A,\'@x,"\\x1b]0;x\\x07\\x9b2J\\u202e"",\\n",,7'
    ]


@pytest.mark.parametrize("raw", ["1e999999999", "-1e-999", EVIL, {}, "nan x", "NaN", "sNaN", "-Infinity"])
def test_an_absurd_number_is_an_error_of_the_service(raw: object) -> None:
    """Seen: a change of 1e99999999 % was written out in full, a hundred megabytes of it."""
    record: Record = {"last": raw}  # type: ignore[dict-item]  # as a service may send it
    with pytest.raises(UnreachableError, match="not a number as 'last'"):
        _ = Quote("A", record, Decimal).last
