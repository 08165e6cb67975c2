"""The adapter of an exchange: turns its `Venue` and a configuration into a feed that streams, polls or does both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from feeds.base import Adapter, Context, Feed, Offer
from feeds.budget import Budget
from feeds.exchange.connector import Connector
from feeds.exchange.directory import Directory
from feeds.exchange.fetch import HttpSource
from feeds.exchange.history import History
from feeds.exchange.judge import Judge
from feeds.exchange.listings import Listings
from feeds.exchange.options import ExchangeOptions
from feeds.exchange.polled import PolledFeed
from feeds.exchange.polling import Poller
from feeds.exchange.record import Recorder
from feeds.exchange.rest import Rest
from feeds.exchange.streamed import StreamedFeed
from feeds.exchange.venue import Listing, Stream, Venue
from ticker.errors import ConfigError, FatalFeedError
from ticker.model import FIELDS, FeedStatus, pattern_matches


def exchange(venue: Venue) -> Adapter:
    """The adapter of an exchange."""

    def build(name: str, options: ExchangeOptions, context: Context) -> Feed:
        return _build(venue, name, options, context)

    return Adapter(venue.name, venue.summary, ExchangeOptions, build, _offer(venue), venue)


async def listed(venue: Venue, options: ExchangeOptions, context: Context) -> list[Listing]:
    """The exchange's current instrument list: the instruments that the options select, sorted by symbol.

    Raises:
        FeedError: there is no list, or it could not be loaded.
    """
    request, parse = venue.instruments_request, venue.parse_instruments
    if request is None or parse is None:
        raise FatalFeedError(f"{venue.name} has no list of its symbols; name the ones you want")
    source = _source(venue, options, context)
    rest = Rest(source, venue.limits, venue.limits.gap_s, Budget(), context)
    async with source:
        listings = await rest.ask(request, parse, FeedStatus(venue.name, venue.kind))
    wanted = (one for one in listings if any(pattern_matches(pattern, one.symbol) for pattern in options.symbols))
    return sorted(wanted, key=lambda one: one.symbol)


def _offer(venue: Venue) -> Offer:
    limits = venue.limits
    fields = {*venue.fields}
    if "open" in fields or venue.change_from != "open":
        fields.add("change_pct")
    return Offer(
        kind=venue.kind,
        modes=("stream", "poll") if venue.stream else ("poll",),
        key=bool(venue.key_headers),
        interval_s=limits.interval_s,
        gap_s=limits.gap_s,
        requests_per_symbol=len(venue.targets(["BTC-USD"])) if limits.symbols_per_request else 0,
        fields=tuple(name for name in FIELDS if name in fields),
        bars_s=tuple(sorted(venue.candles.intervals)) if venue.candles else (),
        lists=venue.instruments_request is not None,
    )


def _build(venue: Venue, name: str, options: ExchangeOptions, context: Context) -> Feed:
    limits, clock = venue.limits, context.clock
    stream = _stream(venue, name, options)
    secrets = _secrets(venue, name, options, context)
    base_url = options.base_url or venue.base_url
    interval_s, gap_s = _pace(venue, options)
    recorder = None
    if options.record_raw:
        most_bytes = options.record_mb * 1_000_000
        recorder = Recorder(name, Path(options.record_raw), base_url, most_bytes, secrets.values(), clock)
    budget = context.budgets.of(base_url)
    rest = Rest(_source(venue, options, context, secrets, recorder), limits, gap_s, budget, context)
    directory = Directory(name, venue, options.symbols)
    judge = Judge(venue, directory, options.crossed, clock)
    poller = Poller(venue, options, rest, directory, judge)
    listings = Listings(venue, rest, directory, judge, clock)
    past = Rest(_source(venue, options, context, secrets), limits, gap_s, budget, context)
    history = History(venue, past, directory, clock)
    if stream is None:
        return PolledFeed(
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
        stream,
        rest=rest,
        directory=directory,
        judge=judge,
        listings=listings,
        connector=Connector(stream, options, limits, secrets, rest, budget, recorder, context),
        poller=poller if options.mode == "auto" else None,
        history=history,
        interval_s=interval_s,
        context=context,
    )


def _stream(venue: Venue, name: str, options: ExchangeOptions) -> Stream | None:
    """The stream that the feed uses, if any; raises `ConfigError` for what the exchange does not offer."""
    if options.mode == "stream" and venue.stream is None:
        raise ConfigError(f"feeds.{name}.mode: {venue.name} has no stream; give poll or auto")
    stream = None if options.mode == "poll" else venue.stream
    needs_names = stream is not None or venue.limits.symbols_per_request
    if needs_names and venue.instruments_request is None and not options.names_all:
        raise ConfigError(f"feeds.{name}.symbols: {venue.name} has no list to match patterns with; name each symbol")
    return stream


def _pace(venue: Venue, options: ExchangeOptions) -> tuple[float, float]:
    """Seconds from poll to poll and from request to request; a shorter configured interval shortens both."""
    limits = venue.limits
    interval_s = options.interval_s or limits.interval_s
    gap_s = min(limits.gap_s, interval_s)
    if limits.symbols_per_request and options.names_all:
        requests = len(options.symbols) * len(venue.targets(options.symbols[:1])) / limits.symbols_per_request
        interval_s = max(interval_s, gap_s * requests)
    return interval_s, gap_s


def _source(
    venue: Venue,
    options: ExchangeOptions,
    context: Context,
    secrets: Mapping[str, str] | None = None,
    recorder: Recorder | None = None,
) -> HttpSource:
    return HttpSource(
        options.base_url or venue.base_url,
        context.clock,
        timeout_s=options.timeout_s,
        body_bytes=venue.limits.body_bytes,
        proxy=options.proxy,
        secrets=secrets,
        on_answer=recorder.answer if recorder else None,
    )


def _secrets(venue: Venue, name: str, options: ExchangeOptions, context: Context) -> dict[str, str]:
    """The headers that carry the exchange's key, if it needs one; the key goes into requests and nowhere else."""
    headers = venue.key_headers
    if not headers:
        return {}
    if options.key_env:
        key, where = context.environ.get(options.key_env, ""), f"key_env: the variable {options.key_env}"
    elif options.key_file:
        where = f"key_file: {options.key_file}"
        try:
            key = Path(options.key_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not text"
            raise ConfigError(f"feeds.{name}.{where} cannot be read: {why}") from error
    else:
        raise ConfigError(f"feeds.{name}: {venue.name} needs a key; give key_env=VARIABLE or key_file=PATH")
    key = key.strip()
    parts = [part.strip() for part in key.split(":")] if len(headers) > 1 else [key]
    if not key.isascii() or not key.isprintable() or not all(parts) or len(parts) != len(headers):
        form = f" of the form {':'.join(headers)}" if len(headers) > 1 else ""
        raise ConfigError(f"feeds.{name}.{where} holds no key{form}")
    return dict(zip(headers, parts, strict=True))
