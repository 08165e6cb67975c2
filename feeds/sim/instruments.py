"""The instruments of the simulated market: the table in `markets`, followed by synthetic ones.

Each currency has one anchor price, so that `BTC-EUR` is `BTC-USD` over `EUR-USD`. The list is sorted by turnover,
largest first. Nothing here depends on time or randomness.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from feeds.sim.markets import MARKETS, PAIRS
from ticker.errors import ConfigError, nearest
from ticker.model import pattern_matches

MAX_INSTRUMENTS = 50_000
"""The most instruments in one simulated feed."""

_MAX_SPREAD_BPS = 12.0


@dataclass(frozen=True, slots=True)
class Instrument:
    """A tradable instrument.

    Attributes:
        price: the anchor that the price wanders around.
        decimals: digits after the point of every price.
        tick: the tick size, in units of the last decimal.
        turnover: turnover of an average day, in quote currency.
        spread_bps: the usual spread, in basis points.
        lot: sizes are multiples of it; 0: any size.
        voices: what moves the price: the name of each noise, shared or own, and its share of the daily standard
            deviation of the price's logarithm.
    """

    symbol: str
    name: str
    price: float
    decimals: int
    tick: int
    turnover: float
    spread_bps: float
    lot: int
    voices: Mapping[str, float]

    @property
    def usual_size(self) -> float:
        """The usual size of a bid or an ask, in base currency."""
        return self.turnover / self.price / (1000 if self.lot else 10_000)

    @property
    def size_decimals(self) -> int:
        """Digits after the point of sizes and volumes."""
        return 0 if self.lot else min(max(3 - math.floor(math.log10(self.usual_size)), 0), 8)


class _Asset(NamedTuple):
    """One side of a pair."""

    name: str
    dollars: float
    voices: Mapping[str, float]
    spread_bps: float


def named() -> list[Instrument]:
    """All instruments of the table, largest turnover first."""
    found: list[Instrument] = []
    assets = {"USD": _Asset("US Dollar", 1.0, {}, 0.0)}
    for market in MARKETS:
        for row in market.rows.strip().splitlines():
            code, price, millions, percent, name = row.split(None, 4)
            decimals = len(price.partition(".")[2])
            symbol = market.form.format(code)
            turnover = float(millions) * 1e6
            voices = _voices(market.factors, code, float(percent) / 100)
            if "-" in symbol:
                dollars = 1 / float(price) if symbol.startswith("USD-") else float(price)
                assets[code] = _Asset(name, dollars, voices, market.spread_bps)
                found.append(_pair(assets, symbol, decimals, turnover))
            else:
                rules = decimals, market.tick, turnover, _spread_bps(market.spread_bps, turnover), market.lot
                found.append(Instrument(symbol, name + market.label, float(price), *rules, voices))
    for row in PAIRS.strip().splitlines():
        symbol, digits, millions = row.split()
        found.append(_pair(assets, symbol, int(digits), float(millions) * 1e6))
    return sorted(found, key=lambda instrument: -instrument.turnover)


def synthetic(number: int) -> Instrument:
    """The synthetic instrument at position `number` of the list, counted from 1, for load beyond the table."""
    symbol = f"SIM{number:04d}-USD"
    # Fractions of multiples of an irrational number spread evenly: neighbours differ, and it takes no generator.
    price = 10 ** (4 * (number * 0.6180339887498949 % 1) - 1)
    decimals = 4 - math.floor(math.log10(price))
    voices = _voices({"simulated": 0.6}, symbol, 0.02 + 0.03 * (number * 0.41421356237309515 % 1))
    turnover = 3e7 / number**0.4
    spread_bps = _spread_bps(1.0, turnover)
    return Instrument(symbol, f"Simulated {number}", price, decimals, 1, turnover, spread_bps, 0, voices)


def choose(wanted: str, where: str) -> list[Instrument]:
    """The instruments that a feed's `symbols` asks for, largest turnover first.

    Args:
        wanted: how many (the table's, then synthetic ones), or symbols and patterns with `*` separated by commas;
            empty: the whole table.
        where: the place to name in messages, `feeds.sim.symbols`.

    Raises:
        ConfigError: a number out of range, or a name without an instrument; the message suggests the nearest one.
    """
    known = named()
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    if not words:
        return known
    if len(words) == 1 and re.fullmatch(r"[+-]?[0-9]+", words[0]):
        count = int(words[0])
        if not 1 <= count <= MAX_INSTRUMENTS:
            raise ConfigError(f"{where}: give a number from 1 to {MAX_INSTRUMENTS}, not {count}")
        return known[:count] + [synthetic(number) for number in range(len(known) + 1, count + 1)]
    chosen: set[str] = set()
    for word in words:
        chosen.update(_matching(word, [instrument.symbol for instrument in known], where))
    return [instrument for instrument in known if instrument.symbol in chosen]


def _matching(word: str, symbols: list[str], where: str) -> list[str]:
    if not re.fullmatch(r"[A-Za-z0-9._^*-]{1,64}", word):
        raise ConfigError(f"{where}: {word[:40]!r} is neither a number nor a symbol or pattern")
    if found := [symbol for symbol in symbols if pattern_matches(word, symbol)]:
        return found
    close = nearest(word.replace("*", ""), symbols)
    hint = f"; did you mean {close[0]!r}?" if close else f"; there are {len(symbols)}, such as {symbols[0]!r}"
    raise ConfigError(f"{where}: the simulator has no {word!r}{hint}")


def _pair(assets: Mapping[str, _Asset], symbol: str, decimals: int, turnover: float) -> Instrument:
    """A pair priced from its two sides and moved by the difference of their noises, so that there is no arbitrage."""
    base, quote = (assets[code] for code in symbol.split("-"))
    voices = dict(base.voices)
    for voice, weight in quote.voices.items():
        voices[voice] = voices.get(voice, 0.0) - weight
    name = base.name if symbol.endswith("-USD") else f"{base.name} / {quote.name}"
    spread_bps = _spread_bps(max(base.spread_bps, quote.spread_bps), turnover)
    return Instrument(symbol, name, base.dollars / quote.dollars, decimals, 1, turnover, spread_bps, 0, voices)


def _voices(factors: Mapping[str, float], own: str, deviation: float) -> dict[str, float]:
    rest = math.sqrt(1 - sum(weight * weight for weight in factors.values()))
    return {voice: weight * deviation for voice, weight in {**factors, own: rest}.items()}


def _spread_bps(at_100_million: float, turnover: float) -> float:
    return min(at_100_million * 1e8 / turnover, _MAX_SPREAD_BPS)
