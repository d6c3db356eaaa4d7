"""Query strategies, one a file; packages add theirs by the entry point group ``tenth.strategies``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from controller.strategies.base import EntropyRanked, ImageMaps, Need, RoundContext, Strategy, Unit
from controller.strategies.cold_start import ColdStart
from controller.strategies.committee import Committee
from controller.strategies.entropy import Entropy
from controller.strategies.entropy_edge import EntropyEdge
from controller.strategies.image import WholeImages
from controller.strategies.least_confident import LeastConfident
from controller.strategies.margin import Margin
from controller.strategies.mc_dropout import MCDropout, MCDropoutBALD
from controller.strategies.pushable import require_pushable
from controller.strategies.random_pixels import RandomPixels
from controller.strategies.random_regions import RandomRegions
from controller.strategies.sp import Superpixels
from controller.strategies.sp_crf import SuperpixelsCRF
from controller.strategies.sp_crf_class import SuperpixelsCRFClass, SuperpixelsCRFClassShare
from controller.strategies.tenth import Tenth
from tenth.registry import Registry

StrategyFactory = Callable[..., Strategy]
"""``factory(seed)`` makes a strategy; further parameters are the options that it takes."""

STRATEGIES: Registry[StrategyFactory] = Registry("strategy", "tenth.strategies")
for _strategy in (
    ColdStart,
    RandomPixels,
    RandomRegions,
    WholeImages,
    Entropy,
    EntropyEdge,
    Margin,
    LeastConfident,
    MCDropout,
    MCDropoutBALD,
    Committee,
    Superpixels,
    SuperpixelsCRF,
    SuperpixelsCRFClass,
    SuperpixelsCRFClassShare,
    Tenth,
):
    STRATEGIES.register(_strategy.name)(_strategy)


def build_strategy(name: str, seed: int = 0, **options: Any) -> Strategy:
    """Return the strategy called `name`.

    Parameters
    ----------
    name : str
        One of ``STRATEGIES.names()``: ``"sp-crf"``, … or one that an installed package adds.
    seed : int, optional
        Seed of whatever it draws.
    **options
        Settings of all strategies, as in the section ``[selection]``; each gets those it has a parameter for.

    Raises
    ------
    ConfigurationError
        When there is no such strategy (the message names the nearest), or an option cannot be used.
    """
    return STRATEGIES.get(name)(seed, **accepted_options(name, options))


def accepted_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that the strategy called `name` has a parameter for.

    Raises
    ------
    ConfigurationError
        When there is no such strategy (the message names the nearest).
    """
    accepted = inspect.signature(STRATEGIES.get(name)).parameters
    return {key: value for key, value in options.items() if key in accepted}


__all__ = [
    "STRATEGIES",
    "EntropyRanked",
    "ImageMaps",
    "Need",
    "RoundContext",
    "Strategy",
    "StrategyFactory",
    "Unit",
    "accepted_options",
    "build_strategy",
    "require_pushable",
]
