"""How four sources become one value of `Settings`.

A flag overrides an environment variable `TICKER_SECTION__KEY`, which overrides the TOML file, which overrides the
default. Everything unknown, out of bounds or of the wrong type is an error that names its place, and all of them are
reported at once.

It reads only the file that it is given; environment and command line are passed in.
"""

from __future__ import annotations

import contextlib
import json
import re
import reprlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

from pydantic import TypeAdapter, ValidationError

from ticker.errors import ConfigError, did_you_mean, nearest
from ticker.feed_spec import fault_of_name, parse_feed_spec
from ticker.harmless import escape, redact
from ticker.settings import Settings

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_FLAGS = {
    "--host": "server.host", "--port": "server.port", "--upstream": "upstream.url", "--log-level": "log.level",
}  # fmt: skip

Key = tuple[str, ...]
"""Where a value belongs: `("server", "port")`, `("feeds", "alpha", "symbols")`."""

Flags = Sequence[tuple[str, str]]
"""Names and values from the command line: `("--port", "9000")`."""

_SECTIONS: dict[str, Any] = {name: field.annotation for name, field in Settings.model_fields.items() if name != "feeds"}
"""The model of each section by its name."""
_MISSPELT = {
    f"TICKER_{section}_{name}".upper(): f"TICKER_{section}__{name}".upper()
    for section, model in _SECTIONS.items()
    for name in model.model_fields
}
"""Variables with one underscore where two are needed. Other names may not be meant for us: Kubernetes sets many."""


def load(config_file: Path | None, flags: Flags, environ: Mapping[str, str]) -> Settings:
    """The settings in force.

    Args:
        config_file: a TOML file.
        flags: from the command line: `--host`, `--port`, `--upstream`, `--log-level`; `--feed` with a feed spec, all
            of which together replace the feeds of file and environment; `--set` with `section.key=value`.
        environ: the environment; only names `TICKER_…__…` count, and those that lack an underscore are errors.

    Raises:
        ConfigError: one line for each thing that is wrong.
    """
    return _Draft(config_file, flags, environ).settle()


def check(config_file: Path | None, flags: Flags, environ: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """The settings without the faulty values, and one line for each fault; see `load`."""
    draft = _Draft(config_file, flags, environ)
    errors, draft.errors = draft.errors, []
    return draft.settle(), errors


def explain(config_file: Path | None, flags: Flags, environ: Mapping[str, str]) -> str:
    """The settings in force, as TOML that gives the same settings again, each value with its origin.

    Passwords in URLs are left out.

    Raises:
        ConfigError: as `load`.
    """
    draft = _Draft(config_file, flags, environ)
    settings = draft.settle()
    tables = [_toml_table(name, dict(getattr(settings, name)), draft.values[name]) for name in _SECTIONS]
    tables += [_toml_table(f"feeds.{name}", table, draft.feeds[name]) for name, table in settings.feeds.items()]
    return "\n".join(tables)


class _Said(NamedTuple):
    """A value and the source that gave it: the file, the variable or the flag."""

    value: object
    origin: str


class _Draft:
    """What the sources said, stronger ones overriding weaker ones, and what was wrong with it."""

    def __init__(self, config_file: Path | None, flags: Flags, environ: Mapping[str, str]) -> None:
        self.values: dict[str, dict[str, _Said]] = {name: {} for name in _SECTIONS}
        self.feeds: dict[str, dict[str, _Said]] = {}
        self.errors: list[str] = []
        if config_file is not None:
            self._read_file(config_file)
        self._read_environ(environ)
        self._read_flags(flags)
        self._check_tokens()
        self._check_upstream()

    def settle(self) -> Settings:
        """Make the settings, or raise what was wrong."""
        if self.errors:
            raise ConfigError("\n".join(map(escape, self.errors)))
        sections = {
            name: model.model_validate({key: said.value for key, said in self.values[name].items()})
            for name, model in _SECTIONS.items()
        }
        if not self.feeds and not sections["upstream"].url:
            self.feeds["sim"] = {}
        feeds = {
            feed: {"adapter": feed} | {option: said.value for option, said in table.items()}
            for feed, table in self.feeds.items()
        }
        return Settings.model_validate({**sections, "feeds": feeds})

    def _read_file(self, file: Path) -> None:
        try:
            document = tomllib.loads(file.read_text("utf-8-sig"))
        except OSError as error:
            self.errors.append(f"{file}: {(error.strerror or str(error)).lower()}")
        except UnicodeDecodeError:
            self.errors.append(f"{file}: not UTF-8 text")
        except (ValueError, RecursionError) as error:  # wider than TOMLDecodeError: a number of 5,000 digits
            self.errors.append(f"{file}: {error}")
        else:
            for key, value in _leaves((), document):
                self._put(key, value, str(file), f"{file}: {'.'.join(key)}")

    def _read_environ(self, environ: Mapping[str, str]) -> None:
        for name, text in sorted(environ.items()):
            if name.startswith("TICKER_") and "__" in name:
                key = tuple(name.removeprefix("TICKER_").lower().split("__"))
                self._put(key, _typed(key, text), name, name)
            elif name in _MISSPELT and "://" not in text:  # a URL comes from Kubernetes, for a service `ticker-server`
                self.errors.append(f"{name}: unknown; did you mean '{_MISSPELT[name]}'?")

    def _read_flags(self, flags: Flags) -> None:
        if any(flag == "--feed" for flag, _ in flags):
            self.feeds.clear()
        for flag, text in sorted(flags, key=lambda given: given[0] != "--feed"):
            if flag == "--feed":
                self._read_feed_spec(text)
                continue
            name, equals, value = text.partition("=") if flag == "--set" else (_FLAGS[flag], "=", text)
            if not equals:
                self.errors.append(f"--set {text}: write section.key=value")
                continue
            key = tuple(name.split("."))
            self._put(key, _typed(key, value), flag, f"--set {name}" if flag == "--set" else flag)

    def _read_feed_spec(self, spec: str) -> None:
        place = f"--feed {spec}"
        try:
            feed, table = parse_feed_spec(spec)
        except ConfigError as error:
            self.errors.append(f"{place}: {error}")
            return
        if feed in self.feeds:
            other = spec.removeprefix(f"{feed}=")
            self.errors.append(f"{place}: there is a feed '{feed}' already; name this one: NAME={other}")
        for option, value in table.items():
            self._put(("feeds", feed, option), value, "--feed", place)

    def _put(self, key: Key, value: object, origin: str, place: str) -> None:
        """Take a value, or note what is wrong with it; `place` is its place in its source."""
        said = _Said(value, origin)
        match key:
            case ("feeds", feed, *_) if fault_of_name(feed):
                problem = fault_of_name(feed)
            case ("feeds", feed) if value == {}:  # a feed without options is a feed, too
                self.feeds.setdefault(feed, {})
                return
            case ("feeds", feed, option) if option:
                self.feeds.setdefault(feed, {})[option] = said
                problem = "" if _is_option_value(value) else "should be text, a number, true, false or a list"
            case (section, name) if name in _names(section):
                problem = _complaint(section, name, value)
                if not problem:
                    self.values[section][name] = said
            case (section,) if section in {*_SECTIONS, "feeds"}:
                problem = "" if value == {} else "should be a table"
            case _:
                problem = f"unknown{_correction(key, origin)}"
        if problem:
            self.errors.append(f"{place}: {problem}")

    def _check_tokens(self) -> None:
        """Refuse settings about tokens if there are no tokens: everything would be open, unnoticed."""
        said = self.values["auth"]
        for name in ("query", "metrics") if "tokens_file" not in said or not said["tokens_file"].value else ():
            if name in said and said[name].value:
                text = f"auth.{name} is on, but there are no tokens; set auth.tokens_file"
                self.errors.append(f"{said[name].origin}: {text}")

    def _check_upstream(self) -> None:
        """Refuse feeds of a gateway: all its prices are those of the service that it follows."""
        url = self.values["upstream"].get("url")
        if url is not None and url.value and self.feeds:
            names = ", ".join(self.feeds)
            self.errors.append(f"{url.origin}: a service with upstream.url has no feeds of its own; remove: {names}")


def _leaves(key: Key, value: object) -> Iterator[tuple[Key, object]]:
    """A document's values with their keys; tables only where a value belongs, or if they are empty."""
    depth = 3 if key[:1] == ("feeds",) else 2
    if isinstance(value, dict) and len(key) < depth and (value or not key):
        for name, inner in value.items():
            yield from _leaves((*key, name), inner)
    else:
        yield key, value


def _names(section: str) -> list[str]:
    return list(_SECTIONS[section].model_fields) if section in _SECTIONS else []


def _typed(key: Key, text: str) -> object:
    """Text converted to the type of its setting; unchanged, to be refused later, if that fails."""
    match key:
        case (section, name) if name in _names(section):
            wanted: Any = _SECTIONS[section].model_fields[name].annotation
            with contextlib.suppress(ValidationError):
                return cast("object", TypeAdapter(wanted).validate_strings(text))
    return text


def _is_option_value(value: object) -> bool:
    return isinstance(value, str | int | float) or (
        isinstance(value, list) and all(isinstance(part, str | int | float) for part in value)
    )


def _complaint(section: str, name: str, value: object) -> str:
    """What is wrong with a setting's value, in our words; empty if nothing is."""
    model = _SECTIONS[section]
    try:
        model.model_validate({name: value})
    except ValidationError as failure:
        error = failure.errors()[0]
        if error["type"] == "literal_error":
            choices = get_args(model.model_fields[name].annotation)
            return f"unknown {reprlib.repr(value)}{did_you_mean(str(value), choices)}"
        said = re.sub("^.*? should ", "should ", error["msg"].removeprefix("Value error, "))
        return said if said.startswith("'") else f"{said}, not {reprlib.repr(value)}"  # it names the bad pattern itself
    return ""


def _correction(key: Key, origin: str) -> str:
    """The clause after "unknown": the nearest right name, spelled as in its source, or all that there are."""
    sections = [*_SECTIONS, "feeds"]
    section = key[0] if key[0] in sections else "".join(nearest(key[0], sections))
    homes = [home for home in _SECTIONS if len(key) <= 2 and key[-1] in _names(home)]
    right: Key
    if len(homes) == 1:
        right = (homes[0], key[-1])
    elif section and len(key) == 1:
        right = (section,)
    elif section == "feeds":
        right = ("feeds", *key[1:]) if key[0] != section else ("feeds", "NAME", "OPTION")
    elif not section:
        return did_you_mean("", sections)
    elif close := nearest(key[-1], _names(section)):
        right = (section, close[0])
    else:
        return did_you_mean("", [f"{section}.{name}" for name in _names(section)])
    if origin.startswith("TICKER_"):
        return f"; did you mean 'TICKER_{'__'.join(right).upper()}'?"
    return f"; did you mean '{right[-1] if right[:-1] == key[:-1] else '.'.join(right)}'?"


def _toml_table(name: str, values: Mapping[str, object], said: Mapping[str, _Said]) -> str:
    lines = [f"[{name}]"]
    for key, value in values.items():
        spelled = key if _BARE_KEY.fullmatch(key) else _toml(key)
        setting = f"# {key} is not set" if value is None else f"{spelled} = {redact(_toml(value))}"
        lines.append(f"{setting:<40} # {escape(said[key].origin) if key in said else 'default'}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, str | bool | list | tuple):  # JSON's spelling of these is TOML's, all but one character
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)
