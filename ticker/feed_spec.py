"""A feed in one word, as the command line takes it: `sim:500?seed=7`."""

from __future__ import annotations

import re
import reprlib
from urllib.parse import unquote

from ticker.errors import ConfigError

_NAME = re.compile(r"[a-z0-9_-]{1,32}")
"""A feed's name; it becomes the prefix of its symbols, `alpha:BTC-USD`."""


def parse_feed_spec(spec: str) -> tuple[str, dict[str, object]]:
    """Read `[NAME=]ADAPTER[:SELECTION][?option=value&…]` into the feed's name and its table.

    The selection becomes `symbols`, unchanged. An option's value may be percent-encoded; an option
    that is given several times becomes a list.

    Raises:
        ConfigError: the spec is malformed.
    """
    head, _, query = spec.partition("?")
    source, colon, selection = head.partition(":")
    name, equals, adapter = source.partition("=")
    if fault := fault_of_name(name):
        raise ConfigError(fault)
    if equals and not adapter:
        raise ConfigError(f"name the adapter after '{name}='")
    if colon and not selection:
        raise ConfigError("name symbols after the ':', or leave it out")
    fixed = {"adapter": adapter or name} | ({"symbols": selection} if selection else {})
    options: dict[str, list[str]] = {}
    for part in query.split("&") if query else ():
        option, equals, text = part.partition("=")
        if not option or not equals:
            raise ConfigError(f"write option=value, not {part!r}")
        if option in fixed:
            raise ConfigError(f"'{option}' is given twice")
        options.setdefault(option, []).append(unquote(text))
    return name, fixed | {option: texts if len(texts) > 1 else texts[0] for option, texts in options.items()}


def fault_of_name(name: str) -> str:
    """What is wrong with the name of a feed; empty if nothing is."""
    return "" if _NAME.fullmatch(name) else f"a feed's name is 1 to 32 of a-z 0-9 _ -, not {reprlib.repr(name)}"
