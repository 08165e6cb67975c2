"""Settings: four sources, one value, and a line for each error."""

from __future__ import annotations

import string
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ticker.config import check, explain, load
from ticker.errors import ConfigError
from ticker.feed_spec import parse_feed_spec
from ticker.settings import Section, Server, Settings

SECTIONS_ARE = "choose from: auth, feeds, history, hub, limits, log, metrics, server, store, upstream"
SECTIONS = ("server", "hub", "store", "limits", "log")


def written(folder: Path, text: str) -> Path:
    file = folder / "ticker.toml"
    file.write_text(text, "utf-8")
    return file


def errors(*sources: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(*sources)  # type: ignore[arg-type]
    return str(caught.value).split("\n")


def file_errors(folder: Path, text: str) -> list[str]:
    """The errors of a file, without its name."""
    file = written(folder, text)
    return [line.removeprefix(f"{file}: ") for line in errors(file, [], {})]


def test_nothing_configured_is_the_simulator_on_loopback() -> None:
    """With no source at all, the defaults are those of the design."""
    settings = load(None, [], {})
    assert settings == Settings()
    assert {section: getattr(settings, section).model_dump() for section in SECTIONS} == {
        "server": {
            "host": "127.0.0.1",
            "port": 8000,
            "reuse_port": False,
            "shutdown_grace_s": 10,
            "base_path": "",
            "hosts": (),
            "origins": (),
            "frame_ancestors": (),
            "trusted_proxies": (),
            "tls_cert": "",
            "tls_key": "",
        },
        "hub": {
            "flush_interval_ms": 20,
            "heartbeat_ms": 5000,
            "stall_s": 10,
            "ping_interval_s": 20,
            "ping_timeout_s": 20,
            "compress": True,
        },
        "store": {"max_symbols": 50_000, "stale_after_s": None, "failback_after_s": 30},
        "limits": {
            "patterns": 1000,
            "wildcards": 32,
            "symbols": 50_000,
            "cells": 2_000_000,
            "cells_per_address": 200_000,
            "work_per_s": 20_000,
            "snapshot_symbols_per_s": 500_000,
            "message_bytes": 65_536,
            "messages_per_s": 20,
            "connections": 20_000,
            "connections_per_address": 0,
            "connects_per_s": 5000,
            "handshake_s": 10,
        },
        "log": {"level": "info", "format": "console"},
    }
    assert settings.feeds == {"sim": {"adapter": "sim"}}


FILE, VARIABLE, SET, FLAG = 1, 2, 4, 8
PORTS = {0: 8000, FILE: 1001, VARIABLE: 1002, SET: 1003, FLAG: 1004}


@pytest.mark.parametrize("sources", range(16))
def test_the_strongest_source_wins(tmp_path: Path, sources: int) -> None:
    """Flag over variable over file over default, in every combination; among flags the last one wins."""
    file = written(tmp_path, "[server]\nport = 1001\n") if sources & FILE else None
    environ = {"TICKER_SERVER__PORT": "1002"} if sources & VARIABLE else {}
    flags = [("--set", "server.port=1003")] if sources & SET else []
    flags += [("--port", "1004")] if sources & FLAG else []
    strongest = 1 << sources.bit_length() >> 1
    assert load(file, flags, environ).server.port == PORTS[strongest]


def test_two_sources_of_one_section_are_merged_by_key(tmp_path: Path) -> None:
    """A source overrides only the keys that it has."""
    file = written(tmp_path, "[server]\nport = 1\nhost = '::'\n")
    settings = load(file, [("--port", "2")], {"TICKER_SERVER__SHUTDOWN_GRACE_S": "2.5"})
    assert settings.server == Server(host="::", port=2, shutdown_grace_s=2.5)


def test_text_is_converted_to_the_type_of_its_setting() -> None:
    """Variables and flags are text and become numbers, where a number belongs; a TOML file has types of its own."""
    environ = {"TICKER_STORE__STALE_AFTER_S": "7", "TICKER_LOG__FORMAT": "json", "TICKER_SERVER__HOST": "1234"}
    settings = load(None, [("--host", "::1"), ("--log-level", "debug")], environ)
    assert settings.store.stale_after_s == 7.0
    assert (settings.log.format, settings.log.level, settings.server.host) == ("json", "debug", "::1")
    assert load(None, [], environ).server.host == "1234"


def test_variables_without_two_underscores_are_ignored() -> None:
    """Variables of a client or an orchestrator change nothing."""
    environ = {"TICKER_URL": "x", "TICKER_PORT": "tcp://10.0.0.1:80", "TICKER": "y", "OTHER__THING": "z"}
    environ |= {"TICKER_SERVER_PORT": "tcp://10.0.0.1:80", "TICKER_SERVER_SERVICE_PORT": "80"}
    assert load(None, [], environ) == Settings()


def test_feeds_of_file_and_environment_are_merged(tmp_path: Path) -> None:
    """A variable adds an option to a feed of the file, or a feed; the order is that of appearance."""
    file = written(tmp_path, "[feeds.sim]\n[feeds.eu]\nadapter = 'kraken'\nsymbols = ['*-EUR']\ninterval_s = 2\n")
    environ = {"TICKER_FEEDS__EU__INTERVAL_S": "5", "TICKER_FEEDS__KRAKEN__SYMBOLS": "*-USD"}
    feeds = load(file, [], environ).feeds
    assert list(feeds) == ["sim", "eu", "kraken"]
    assert feeds == {
        "sim": {"adapter": "sim"},
        "eu": {"adapter": "kraken", "symbols": ["*-EUR"], "interval_s": "5"},
        "kraken": {"adapter": "kraken", "symbols": "*-USD"},
    }


def test_feeds_of_the_command_line_replace_the_configured_ones(tmp_path: Path) -> None:
    """`--feed` replaces all feeds of file and environment; `--set` then adds to these."""
    file = written(tmp_path, "[feeds.eu]\nadapter = 'kraken'\n")
    flags = [("--set", "feeds.sim.seed=7"), ("--feed", "sim:10"), ("--feed", "b=sim")]
    feeds = load(file, flags, {"TICKER_FEEDS__KRAKEN__SYMBOLS": "*"}).feeds
    assert feeds == {"sim": {"adapter": "sim", "symbols": "10", "seed": "7"}, "b": {"adapter": "sim"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[store]\nmax_symbol = 3", "store.max_symbol: unknown; did you mean 'max_symbols'?"),
        ("[sever]\nport = 3", "sever.port: unknown; did you mean 'server.port'?"),
        ("[sever]\nprot = 3", "sever.prot: unknown; did you mean 'server.port'?"),
        ("[store]\nport = 3", "store.port: unknown; did you mean 'server.port'?"),
        ("port = 3", "port: unknown; did you mean 'server.port'?"),
        ("[metrics]\nprices = 5", "metrics.prices: should be a list, or one string with commas, not 5"),
        ("[sever]", "sever: unknown; did you mean 'server'?"),
        ("[log]\nzzz = 1", "log.zzz: unknown; choose from: log.format, log.level"),
        (
            "[zzz]\nzzz = 1",
            f"zzz.zzz: unknown; {SECTIONS_ARE}",
        ),
        ("[feed.kraken]\nsymbols = 'x'", "feed.kraken: unknown; did you mean 'feeds.kraken'?"),
        ("log = 3", "log: should be a table"),
        ("[[log]]", "log: should be a table"),
        ("feeds = 3", "feeds: should be a table"),
        ("[feeds]\nsim = 3", "feeds.sim: unknown; did you mean 'feeds.NAME.OPTION'?"),
        ("[feeds.Sim]", "feeds.Sim: a feed's name is 1 to 32 of a-z 0-9 _ -, not 'Sim'"),
        ("[feeds.s.map]\nA = 'B'", "feeds.s.map: should be text, a number, true, false or a list"),
        ("[feeds.s]\nmap = [[1]]", "feeds.s.map: should be text, a number, true, false or a list"),
        ("[feeds.s]\nx = 2014-05-08", "feeds.s.x: should be text, a number, true, false or a list"),
        ("[server]\nport = '8000'", "server.port: should be a valid integer, not '8000'"),
        ("[server]\nport = true", "server.port: should be a valid integer, not True"),
        ("[server]\nport = {}", "server.port: should be a valid integer, not {}"),
        ("[server]\nport = -1", "server.port: should be greater than or equal to 0, not -1"),
        ("[server]\nport = 65536", "server.port: should be less than or equal to 65535, not 65536"),
        ("[server]\nhost = 1", "server.host: should be a valid string, not 1"),
        ("[server]\nhost = ''", "server.host: should have at least 1 character, not ''"),
        ("[hub]\nstall_s = 0", "hub.stall_s: should be greater than 0, not 0"),
        ("[hub]\nstall_s = nan", "hub.stall_s: should be a finite number, not nan"),
        ("[store]\nstale_after_s = '5'", "store.stale_after_s: should be a valid number, not '5'"),
        ("[log]\nlevel = 'wran'", "log.level: unknown 'wran'; did you mean 'warning'?"),
        ("[log]\nlevel = 3", "log.level: unknown 3; choose from: debug, error, info, warning"),
        (
            '"a\\nb" = 3',
            "a\\nb: unknown; choose from: auth, feeds, history, hub, limits, log, metrics, server, store, upstream",
        ),
        ("[server\nport = 3", "Expected ']' at the end of a table declaration (at line 1, column 8)"),
        ("[log]\nlevel = 'info'\nlevel = 'info'", "Cannot overwrite a value (at end of document)"),
    ],
)
def test_each_mistake_in_a_file_is_one_line_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    """The line says what is expected."""
    [line] = file_errors(tmp_path, text)
    assert line == expected


def test_a_hostile_file_is_an_ordinary_error(tmp_path: Path) -> None:
    """Nesting and digits beyond what Python reads give one line, too, not a traceback."""
    assert "recursion" in file_errors(tmp_path, f"x = {'[' * 9000}")[0]
    assert "digits" in file_errors(tmp_path, f"x = {'9' * 9000}")[0]


def test_a_wrong_base_path_is_told_its_form(tmp_path: Path) -> None:
    """A base path has a slash before each part and none at the end."""
    assert load(None, [("--set", "server.base_path=/a/b")], {}).server.base_path == "/a/b"
    for path in ("a", "/a/", "/", "//", "/a b"):
        [line] = file_errors(tmp_path, f"[server]\nbase_path = '{path}'")
        words = "should be a path that begins with a slash and ends without one: /prices"
        assert line == f"server.base_path: {words}, not '{path}'"


@pytest.mark.parametrize("origin", ["app.example", "https://app.example/", "https://App.example", "https://*"])
def test_a_wrong_origin_is_told_its_form(tmp_path: Path, origin: str) -> None:
    """A browser writes an origin in just one way: any other spelling would never match."""
    [line] = file_errors(tmp_path, f"[server]\norigins = ['{origin}']")
    assert line.startswith("server.origins: should be scheme, host and port only, in lower case")


def test_a_wrong_proxy_or_pattern_is_named_once(tmp_path: Path) -> None:
    """Seen: "'prices' does not appear to be an IPv4 or IPv6 network, not ['prices']"."""
    for text in ("prices", "10.0.0.5/8"):
        [line] = file_errors(tmp_path, f"[server]\ntrusted_proxies = ['{text}']")
        words = "should be addresses, or networks by their first address: 10.0.0.0/8"
        assert line == f"server.trusted_proxies: {words}, not ['{text}']"
    [line] = file_errors(tmp_path, "[metrics]\nprices = ['BTC USD']")
    words = "a pattern may contain only letters, digits and . _ ^ : * -; a pair is BTC-USD"
    assert line == f"metrics.prices: 'BTC USD': {words}"


def test_an_ipv6_host_may_have_brackets() -> None:
    """An IPv6 address may be written as in a URL; one with a port gets an error that says how to write it."""
    for text, host in (("[::1]", "::1"), ("[::]", "::"), ("::1", "::1"), ("fe80::1%lo", "fe80::1%lo"), ("lan", "lan")):
        assert load(None, [("--host", text)], {}).server.host == host
    for text in ("localhost:9000", "[::1]:9000", "http://localhost", "[localhost]", "[::1"):
        with pytest.raises(ConfigError) as caught:
            load(None, [("--host", text)], {})
        words = "should be an address, the port is a setting of its own: 0.0.0.0, ::1 or [::1]"
        assert str(caught.value) == f"--host: {words}, not '{text}'"


def test_a_host_with_a_port_is_refused(tmp_path: Path) -> None:
    """Seen: `prices.example:8000` was taken, and everybody got 403, since a host is compared without its port."""
    good = ("prices.example", "10.0.0.7", "::1", "[2001:db8::1]")
    assert load(None, [("--set", f"server.hosts={','.join(good)}")], {}).server.hosts == good
    for host in ("https://prices.example", "prices.example:8000", "[::1]:8000", "*", "a b", "preise.exämple"):
        [line] = file_errors(tmp_path, f"[server]\nhosts = ['{host}']")
        words = "should be names or addresses, without scheme and port: prices.example"
        assert line == f"server.hosts: {words}, not ['{host}']"


def test_settings_about_tokens_need_a_tokens_file(tmp_path: Path) -> None:
    """Any source may name the file.

    Seen: with `auth.metrics` alone anyone could read /metrics.
    """
    text = "[auth]\nmetrics = true\nquery = false\n"
    missing = "is on, but there are no tokens; set auth.tokens_file"
    assert file_errors(tmp_path, text) == [f"auth.metrics {missing}"]
    assert file_errors(tmp_path, f'{text}tokens_file = ""\n') == [f"auth.metrics {missing}"]
    assert errors(None, [("--set", "auth.metrics=true")], {"TICKER_AUTH__QUERY": "true"}) == [
        f"TICKER_AUTH__QUERY: auth.query {missing}", f"--set: auth.metrics {missing}",
    ]  # fmt: skip
    settings, found = check(written(tmp_path, text), [], {})
    assert (settings.auth.metrics, len(found)) == (True, 1)
    for flags, environ in (([("--set", "auth.tokens_file=t")], {}), ([], {"TICKER_AUTH__TOKENS_FILE": "t"})):
        assert load(written(tmp_path, text), flags, environ).auth.metrics
    assert not load(written(tmp_path, text), [("--set", "auth.metrics=false")], {}).auth.metrics


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file, a folder and a binary file give one line each, and no file is read unless named."""
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    assert errors(tmp_path / "no.toml", [], {}) == [f"{tmp_path / 'no.toml'}: no such file or directory"]
    assert errors(tmp_path, [], {}) == [f"{tmp_path}: is a directory"]
    assert errors(binary, [], {}) == [f"{binary}: not UTF-8 text"]


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """A byte order mark is no mistake."""
    assert load(written(tmp_path, "\ufeff[server]\nport = 3\n"), [], {}).server.port == 3


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("TICKER_STORE__MAX_SYMBOL", "1", "unknown; did you mean 'TICKER_STORE__MAX_SYMBOLS'?"),
        ("TICKER_SERVR__PORT", "1", "unknown; did you mean 'TICKER_SERVER__PORT'?"),
        ("TICKER_SERVER__PATTERNS", "1", "unknown; did you mean 'TICKER_LIMITS__PATTERNS'?"),
        ("TICKER_FEED__KRAKEN__SYMBOLS", "1", "unknown; did you mean 'TICKER_FEEDS__KRAKEN__SYMBOLS'?"),
        ("TICKER_FEEDS__KRAKEN", "1", "unknown; did you mean 'TICKER_FEEDS__NAME__OPTION'?"),
        ("TICKER_FEEDS__A__B__C", "1", "unknown; did you mean 'TICKER_FEEDS__NAME__OPTION'?"),
        ("TICKER_FEEDS__A.B__C", "1", "a feed's name is 1 to 32 of a-z 0-9 _ -, not 'a.b'"),
        ("TICKER_ZZZ__ZZZ", "1", f"unknown; {SECTIONS_ARE}"),
        ("TICKER_SERVER__PORT", "80a", "should be a valid integer, not '80a'"),
        ("TICKER_SERVER__PORT", "", "should be a valid integer, not ''"),
        ("TICKER_SERVER__PORT", "-1", "should be greater than or equal to 0, not -1"),
        ("TICKER_LOG__LEVEL", "INFO", "unknown 'INFO'; did you mean 'info'?"),
        ("TICKER_SERVER_PORT", "9000", "unknown; did you mean 'TICKER_SERVER__PORT'?"),
        ("TICKER_AUTH_TOKENS_FILE", "/t", "unknown; did you mean 'TICKER_AUTH__TOKENS_FILE'?"),
    ],
)
def test_each_mistake_in_the_environment_names_its_variable(name: str, text: str, expected: str) -> None:
    """Each is one line that begins with the variable's name."""
    assert errors(None, [], {name: text}) == [f"{name}: {expected}"]


@pytest.mark.parametrize(
    ("flag", "text", "expected"),
    [
        ("--port", "http", "--port: should be a valid integer, not 'http'"),
        ("--log-level", "inf", "--log-level: unknown 'inf'; did you mean 'info'?"),
        ("--set", "server.port", "--set server.port: write section.key=value"),
        ("--set", "server.prot=1", "--set server.prot: unknown; did you mean 'port'?"),
        ("--set", "server.port=x=y", "--set server.port: should be a valid integer, not 'x=y'"),
        (
            "--set",
            "a.b.c=1",
            (
                "--set a.b.c: unknown; "
                "choose from: auth, feeds, history, hub, limits, log, metrics, server, store, upstream"
            ),
        ),
        ("--set", "log=1", "--set log: should be a table"),
        ("--set", "feeds.sim.=1", "--set feeds.sim.: unknown; did you mean 'feeds.NAME.OPTION'?"),
        ("--feed", "", "--feed : a feed's name is 1 to 32 of a-z 0-9 _ -, not ''"),
        ("--feed", "Sim", "--feed Sim: a feed's name is 1 to 32 of a-z 0-9 _ -, not 'Sim'"),
        ("--feed", "eu=", "--feed eu=: name the adapter after 'eu='"),
        ("--feed", "sim:", "--feed sim:: name symbols after the ':', or leave it out"),
        ("--feed", "sim?seed", "--feed sim?seed: write option=value, not 'seed'"),
        ("--feed", "sim?=7", "--feed sim?=7: write option=value, not '=7'"),
        ("--feed", "sim?a=1&&b=2", "--feed sim?a=1&&b=2: write option=value, not ''"),
        ("--feed", "sim:5?symbols=6", "--feed sim:5?symbols=6: 'symbols' is given twice"),
        ("--feed", "sim?adapter=x", "--feed sim?adapter=x: 'adapter' is given twice"),
    ],
)
def test_each_mistake_on_the_command_line_names_its_flag(flag: str, text: str, expected: str) -> None:
    """Each is one line that begins with the flag."""
    assert errors(None, [(flag, text)], {}) == [expected]


def test_a_second_feed_of_the_same_name_is_refused() -> None:
    """The refusal has a spec that would work."""
    assert errors(None, [("--feed", "kraken:A"), ("--feed", "kraken:B")], {}) == [
        "--feed kraken:B: there is a feed 'kraken' already; name this one: NAME=kraken:B"
    ]
    assert errors(None, [("--feed", "eu=kraken:A"), ("--feed", "eu=kraken:B")], {}) == [
        "--feed eu=kraken:B: there is a feed 'eu' already; name this one: NAME=kraken:B"
    ]


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    """Mistakes of all sources are reported together, one per line, also in values that a stronger source overrides."""
    file = written(tmp_path, "[server]\nport = -1\nhots = 'x'\n")
    assert errors(file, [("--port", "8001"), ("--set", "log.levle=x")], {"TICKER_HUB__STALL_S": "no"}) == [
        f"{file}: server.port: should be greater than or equal to 0, not -1",
        f"{file}: server.hots: unknown; did you mean 'hosts'?",
        "TICKER_HUB__STALL_S: should be a valid number, not 'no'",
        "--set log.levle: unknown; did you mean 'level'?",
    ]


def test_settings_are_frozen_and_refuse_unknown_names() -> None:
    """They do so at every level, even if made directly."""
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.server.port = 1
    with pytest.raises(ValidationError, match="frozen"):
        settings.server = settings.server
    with pytest.raises(ValidationError, match="Extra inputs"):
        Settings.model_validate({"nothing": 1})
    with pytest.raises(ValidationError, match="Extra inputs"):
        Settings.model_validate({"server": {"nothing": 1}})


def test_every_setting_is_described_and_bounded() -> None:
    """Each setting has a description, and each number a minimum and a maximum."""
    for section in SECTIONS:
        model = type(getattr(Settings(), section))
        assert issubclass(model, Section)
        for name, field in model.model_fields.items():
            assert field.description, name
            assert field.description.endswith("."), name
            if isinstance(field.default, (int, float)) and not isinstance(field.default, bool):
                assert {"Ge", "Gt"} & {type(bound).__name__ for bound in field.metadata}, name
                assert "Le" in {type(bound).__name__ for bound in field.metadata}, name


def test_explain_names_each_origin(tmp_path: Path) -> None:
    """The explanation has every setting with its value and its origin."""
    file = written(tmp_path, "[feeds.eu]\nadapter = 'kraken'\n[server]\nport = 1\n")
    environ = {"TICKER_LIMITS__SYMBOLS": "5", "TICKER_FEEDS__EU__SYMBOLS": "*-EUR"}
    text = explain(file, [("--host", "::"), ("--set", "log.level=debug")], environ)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for expected in (
        'host = "::" # --host',
        f"port = 1 # {file}",
        "symbols = 5 # TICKER_LIMITS__SYMBOLS",
        'level = "debug" # --set',
        "# stale_after_s is not set # default",
        "max_symbols = 50000 # default",
        "[feeds.eu]",
        f'adapter = "kraken" # {file}',
        'symbols = "*-EUR" # TICKER_FEEDS__EU__SYMBOLS',
    ):
        assert expected in lines


def test_explain_shows_the_default_feed() -> None:
    """The simulator of an empty configuration is shown as what it is: a default."""
    assert explain(None, [], {}).endswith('[feeds.sim]\nadapter = "sim"                          # default\n')


NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=32)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
OPTION_NAMES = st.text(string.ascii_lowercase + "_ é", min_size=1, max_size=8).filter(lambda name: name != "adapter")
OPTIONS = st.one_of(
    TEXTS, st.booleans(), st.integers(), st.floats(allow_nan=False), st.lists(TEXTS | st.integers(), max_size=3)
)


@given(
    port=st.integers(0, 65_535),
    stall_s=st.floats(0.001, 300),
    feeds=st.dictionaries(NAMES, st.dictionaries(OPTION_NAMES, OPTIONS, max_size=3), min_size=1, max_size=3),
)
def test_the_output_of_explain_can_be_loaded(
    tmp_path_factory: pytest.TempPathFactory,
    port: int,
    stall_s: float,
    feeds: dict[str, dict[str, object]],
) -> None:
    """The explanation is a configuration file that gives the same settings, and explains to the same values."""
    # The first file comes from explain's own writer, by way of settings that were given as values.
    folder = tmp_path_factory.mktemp("explain")
    first = written(folder, _as_toml(port, stall_s, feeds))
    settings = load(first, [], {})
    assert settings.feeds == {name: {"adapter": name, **options} for name, options in feeds.items()}
    assert (settings.server.port, settings.hub.stall_s) == (port, stall_s)
    second = folder / "second.toml"
    second.write_text(explain(first, [], {}), "utf-8")
    assert load(second, [], {}) == settings


def _as_toml(port: int, stall_s: float, feeds: dict[str, dict[str, object]]) -> str:
    """A file by the simplest writer that is surely correct: every character of a string escaped."""

    def spelled(value: object) -> str:
        if isinstance(value, str):
            return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
        if isinstance(value, list):
            return f"[{','.join(map(spelled, value))}]"
        return str(value).lower()

    lines = [f"[server]\nport = {port}\n[hub]\nstall_s = {stall_s!r}"]
    for name, options in feeds.items():
        lines.append(f"[feeds.{name}]")
        lines += [f"{spelled(option)} = {spelled(value)}" for option, value in options.items()]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("spec", "name", "table"),
    [
        ("sim", "sim", {"adapter": "sim"}),
        ("sim?", "sim", {"adapter": "sim"}),
        ("sim:5000?seed=7", "sim", {"adapter": "sim", "symbols": "5000", "seed": "7"}),
        (
            "replay:quotes.csv.gz?speed=max&loop=true",
            "replay",
            {"adapter": "replay", "symbols": "quotes.csv.gz", "speed": "max", "loop": "true"},
        ),
        (
            "kraken:*-USD?interval_s=1&base_url=http://127.0.0.1:9000",
            "kraken",
            {"adapter": "kraken", "symbols": "*-USD", "interval_s": "1", "base_url": "http://127.0.0.1:9000"},
        ),
        ("eu=kraken:*-EUR", "eu", {"adapter": "kraken", "symbols": "*-EUR"}),
        ("eu=My.Venue", "eu", {"adapter": "My.Venue"}),
        ("replay:/data/x=1:2.csv", "replay", {"adapter": "replay", "symbols": "/data/x=1:2.csv"}),
        (r"replay:C:\data\x.csv", "replay", {"adapter": "replay", "symbols": r"C:\data\x.csv"}),
        ("replay:100%25.csv", "replay", {"adapter": "replay", "symbols": "100%25.csv"}),
        ("replay?symbols=a%3Fb+c.csv", "replay", {"adapter": "replay", "symbols": "a?b+c.csv"}),
        ("replay:x?map=A:B&map=C:D", "replay", {"adapter": "replay", "symbols": "x", "map": ["A:B", "C:D"]}),
        ("kraken?base_url=http://h/?a=b", "kraken", {"adapter": "kraken", "base_url": "http://h/?a=b"}),
    ],
)
def test_feed_specs(spec: str, name: str, table: dict[str, object]) -> None:
    """A feed spec is `[NAME=]ADAPTER[:SELECTION][?option=value&…]`."""
    assert parse_feed_spec(spec) == (name, table)


@given(
    name=NAMES,
    adapter=st.none() | st.text(string.ascii_letters + "._-", min_size=1),
    selection=st.none() | TEXTS.filter(lambda text: text != "" and "?" not in text),
    options=st.dictionaries(
        st.text(string.ascii_lowercase + "_", min_size=1).filter(lambda option: option not in {"adapter", "symbols"}),
        st.one_of(TEXTS, st.lists(TEXTS, min_size=2, max_size=3)),
        max_size=3,
    ),
)
def test_a_written_spec_is_read_back(
    name: str, adapter: str | None, selection: str | None, options: dict[str, str | list[str]]
) -> None:
    """Any options of a feed can be written as a spec."""
    pairs = [
        f"{option}={quote(text, safe='')}"
        for option, texts in options.items()
        for text in ([texts] if isinstance(texts, str) else texts)
    ]
    spec = name if adapter is None else f"{name}={adapter}"
    spec += "" if selection is None else f":{selection}"
    spec += f"?{'&'.join(pairs)}" if pairs else ""
    expected: dict[str, object] = {"adapter": adapter or name, **options}
    if selection is not None:
        expected["symbols"] = selection
    assert parse_feed_spec(spec) == (name, expected)
