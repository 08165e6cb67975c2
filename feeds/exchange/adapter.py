"""The adapter of an exchange: its `Venue` and a configuration made into a feed that streams, polls or does both."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from feeds.base import Adapter, Context, Feed
from feeds.exchange.directory import Directory
from feeds.exchange.door import Door
from feeds.exchange.fetch import HttpSource
from feeds.exchange.history import History
from feeds.exchange.judge import Judge
from feeds.exchange.listings import Listings
from feeds.exchange.options import ExchangeOptions
from feeds.exchange.polling import Poller, PollingFeed
from feeds.exchange.record import Recorder
from feeds.exchange.rest import Rest
from feeds.exchange.streamed import StreamedFeed
from feeds.exchange.venue import Venue
from ticker.errors import ConfigError


def exchange(venue: Venue) -> Adapter:
    """The adapter of an exchange."""

    def build(name: str, options: ExchangeOptions, context: Context) -> Feed:
        return _build(venue, name, options, context)

    return Adapter(venue.name, venue.summary, ExchangeOptions, build, venue)


def _build(venue: Venue, name: str, options: ExchangeOptions, context: Context) -> Feed:
    limits, clock = venue.limits, context.clock
    if options.mode == "stream" and venue.stream is None:
        raise ConfigError(f"feeds.{name}.mode: {venue.name} has no stream; give poll or auto")
    streams = venue.stream is not None and options.mode != "poll"
    if venue.instruments_request is None and not options.names_all and (streams or limits.symbols_per_request):
        raise ConfigError(f"feeds.{name}.symbols: {venue.name} has no list to choose from; name each symbol")
    key = _key(venue, name, options, context)
    base_url = options.base_url or venue.base_url
    interval_s = options.interval_s or limits.interval_s
    # Who asks for a shorter interval than ours knows what the exchange bears.
    gap_s = min(limits.gap_s, interval_s)
    if limits.symbols_per_request and options.names_all:
        interval_s = max(interval_s, gap_s * len(options.symbols) / limits.symbols_per_request)
    recorder = None
    if options.record_raw:
        most_bytes = options.record_mb * 1_000_000
        recorder = Recorder(name, Path(options.record_raw), base_url, most_bytes, [key or ""], clock)
    source = partial(
        HttpSource,
        base_url,
        clock,
        timeout_s=options.timeout_s,
        body_bytes=limits.body_bytes,
        proxy=options.proxy,
        secrets={venue.key_header: key} if venue.key_header and key else None,
    )
    budget = context.budgets.of(base_url)
    rest = Rest(source(on_answer=recorder.answer if recorder else None), limits, gap_s, budget, context)
    directory = Directory(name, venue, options.symbols)
    judge = Judge(venue, directory, options.crossed, clock)
    poller = Poller(venue, options, rest, directory, judge)
    listings = Listings(venue, rest, directory, judge, clock)
    history = History(venue, Rest(source(), limits, gap_s, budget, context), directory, clock)
    if venue.stream is None or not streams:
        return PollingFeed(
            name,
            venue,
            rest=rest,
            listings=listings,
            poller=poller,
            history=history,
            interval_s=interval_s,
            clock=clock,
        )
    return StreamedFeed(
        name,
        venue,
        venue.stream,
        rest=rest,
        directory=directory,
        judge=judge,
        listings=listings,
        door=Door(venue.stream, options, limits, key, rest, budget, recorder, context),
        poller=poller if options.mode == "auto" else None,
        history=history,
        interval_s=interval_s,
        context=context,
    )


def _key(venue: Venue, name: str, options: ExchangeOptions, context: Context) -> str | None:
    """The exchange's key, where it wants one; it goes into requests and nowhere else."""
    if not (venue.key_header or (venue.stream and venue.stream.key_query)):
        return None
    if options.key_env:
        key, where = context.environ.get(options.key_env, ""), f"key_env: the variable {options.key_env}"
    elif options.key_file:
        where = f"key_file: {options.key_file}"
        try:
            key = Path(options.key_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"feeds.{name}.{where} cannot be read: {type(error).__name__}") from error
    else:
        raise ConfigError(f"feeds.{name}: {venue.name} wants a key; give key_env=VARIABLE or key_file=PATH")
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise ConfigError(f"feeds.{name}.{where} holds no key")
    return key
