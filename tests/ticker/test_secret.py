"""Secrets in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ticker.errors import ConfigError
from ticker.secret import read_secret


def test_the_line_is_the_secret(tmp_path: Path) -> None:
    """Without what editors and shells leave around it."""
    file = tmp_path / "secret"
    file.write_text("\n  an ID:a key \r\n")
    assert read_secret(str(file)) == "an ID:a key"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "no such file or directory"),
        (b"", "there is nothing in it"),
        (b" \n", "there is nothing in it"),
        (b"hush\nhush", "it is not one line of printable ASCII"),
        ("hüsh".encode(), "it is not one line of printable ASCII"),
        (b"\xff\xfehush", "it is not one line of printable ASCII"),
    ],
)
def test_what_is_wrong_is_said_without_the_secret(tmp_path: Path, data: bytes | None, why: str) -> None:
    """Nor with the name of the file, which is the caller's affair."""
    file = tmp_path / "secret"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read_secret(str(file))
    assert str(caught.value) == why
