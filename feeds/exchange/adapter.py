"""The adapter of an exchange: turns its `Venue` and a configuration into a feed that streams, polls or does both."""

from __future__ import annotations

from feeds.base import Adapter, Context, Feed, Offer
from feeds.budget import Budget
from feeds.exchange.options import ExchangeOptions
from feeds.exchange.polled import PolledFeed, source
from feeds.exchange.rest import Rest
from feeds.exchange.streamed import StreamedFeed
from feeds.exchange.venue import Listing, Stream, Venue
from ticker.errors import ConfigError, FatalFeedError
from ticker.model import FIELDS, FeedStatus, pattern_matches
from ticker.secret import read_secret


def exchange(venue: Venue) -> Adapter:
    """The adapter of an exchange."""

    def build(name: str, options: ExchangeOptions, context: Context) -> Feed:
        stream = _stream(venue, name, options)
        secrets = _secrets(venue, name, options, context)
        if stream is None:
            return PolledFeed(name, venue, options, secrets, context)
        return StreamedFeed(name, venue, stream, options, secrets, context)

    return Adapter(venue.name, venue.summary, ExchangeOptions, build, _offer(venue), venue)


async def listed(venue: Venue, options: ExchangeOptions, context: Context) -> list[Listing]:
    """The exchange's current instrument list: the instruments that the options select, sorted by symbol.

    Raises:
        FeedError: there is no list, or it could not be loaded.
    """
    if venue.instruments_request is None:
        raise FatalFeedError(f"{venue.name} has no list of its symbols; name the ones you want")
    rest = Rest(source(venue, options, context), venue.limits, venue.limits.gap_s, Budget(), context)
    async with rest.source:
        listings = await rest.ask(
            venue.instruments_request, venue.parse_instruments, FeedStatus(venue.name, venue.kind)
        )
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


def _stream(venue: Venue, name: str, options: ExchangeOptions) -> Stream | None:
    """The stream that the feed uses, if any; raises `ConfigError` for what the exchange does not offer."""
    if options.mode == "stream" and venue.stream is None:
        raise ConfigError(f"feeds.{name}.mode: {venue.name} has no stream; give poll or auto")
    stream = None if options.mode == "poll" else venue.stream
    needs_names = stream is not None or venue.limits.symbols_per_request
    if needs_names and venue.instruments_request is None and not options.names_all:
        raise ConfigError(f"feeds.{name}.symbols: {venue.name} has no list to match patterns with; name each symbol")
    return stream


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
            key = read_secret(options.key_file)
        except ConfigError as error:
            raise ConfigError(f"feeds.{name}.{where}: {error}") from error
    else:
        raise ConfigError(f"feeds.{name}: {venue.name} needs a key; give key_env=VARIABLE or key_file=PATH")
    key = key.strip()
    parts = [part.strip() for part in key.split(":")] if len(headers) > 1 else [key]
    if not key.isascii() or not key.isprintable() or not all(parts) or len(parts) != len(headers):
        form = f" of the form {':'.join(headers)}" if len(headers) > 1 else ""
        raise ConfigError(f"feeds.{name}.{where} holds no key{form}")
    return dict(zip(headers, parts, strict=True))
