"""Query strategies, one a file; packages add theirs by the entry point group ``tenth.strategies``."""

from __future__ import annotations

from collections.abc import Callable

from controller.strategies.base import EntropyRanked, ImageMaps, Need, RoundContext, Strategy, Unit
from controller.strategies.cold_start import ColdStart
from controller.strategies.sp_crf import SuperpixelsCRF
from tenth.registry import Registry

StrategyFactory = Callable[[int], Strategy]
"""Makes a strategy from the selection's seed."""

STRATEGIES: Registry[StrategyFactory] = Registry("strategy", "tenth.strategies")
STRATEGIES.register(SuperpixelsCRF.name)(SuperpixelsCRF)
STRATEGIES.register(ColdStart.name)(ColdStart)


def build_strategy(name: str, seed: int = 0) -> Strategy:
    """Return the strategy called `name`.

    Parameters
    ----------
    name : str
        ``"sp-crf"``, ``"cold-start"`` or one that an installed package adds.
    seed : int, optional
        Seed of whatever it draws.

    Raises
    ------
    ConfigurationError
        When there is no such strategy; the message names the nearest.
    """
    return STRATEGIES.get(name)(seed)


__all__ = [
    "STRATEGIES",
    "EntropyRanked",
    "ImageMaps",
    "Need",
    "RoundContext",
    "Strategy",
    "StrategyFactory",
    "Unit",
    "build_strategy",
]
