"""Secrets in files: keys of exchanges, tokens. What is in such a file is never shown."""

from __future__ import annotations

from pathlib import Path

from ticker.errors import ConfigError


def read_secret(file: str) -> str:
    """The one line of a file, without the white space around it.

    Raises:
        ConfigError: why there is none; without the name of the file.
    """
    try:
        text = Path(file).read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError((error.strerror or str(error)).lower()) from error
    except UnicodeDecodeError:
        text = "\N{REPLACEMENT CHARACTER}"
    if not text:
        raise ConfigError("there is nothing in it")
    if not (text.isascii() and text.isprintable()):
        raise ConfigError("it is not one line of printable ASCII")
    return text
