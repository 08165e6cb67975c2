"""The options of any adapter, from the table or the spec of a feed in a configuration."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from ticker.errors import ConfigError, did_you_mean

_BOOLS = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}


def parse_options(where: str, options: type[Any], given: Mapping[str, object]) -> Any:
    """Make an options object from a TOML table or a spec's query, converting strings to the fields' types.

    Args:
        where: the place to name in messages, `feeds.alpha`.
        options: the adapter's dataclass.
        given: names and values.

    Raises:
        ConfigError: an unknown name (the message suggests the nearest known one), or a value of the wrong type.
    """
    hints = typing.get_type_hints(options)
    known = {f.name for f in dataclasses.fields(options)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise ConfigError(f"{where}.{name}: unknown option{did_you_mean(name, known)}")
        values[name] = _convert(f"{where}.{name}", hints[name], value)
    try:
        return options(**values)
    except ValueError as error:  # a dataclass may check itself in __post_init__
        raise ConfigError(f"{where}: {error}") from error


def _convert(where: str, hint: Any, value: object) -> Any:
    if isinstance(hint, types.UnionType):
        [hint] = set(typing.get_args(hint)) - {type(None)}
    if typing.get_origin(hint) is tuple:
        return _to_texts(where, value)
    if hint is bool:
        return _to_bool(where, value)
    if hint is str:
        return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return _to_number(where, hint, value)


def _to_texts(where: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise ConfigError(f"{where}: give a list of strings, or one string separated by commas")


def _to_bool(where: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _BOOLS:
        return _BOOLS[value.lower()]
    raise ConfigError(f"{where}: give true or false, not {value!r}")


def _to_number(where: str, hint: Any, value: object) -> Any:
    try:
        if not isinstance(value, bool) and not (hint is int and isinstance(value, float)):  # int() would truncate it
            return hint(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ConfigError(f"{where}: give {'a whole number' if hint is int else 'a number'}, not {value!r}")
