"""Which strategies ask what people can answer."""

from __future__ import annotations

from controller.strategies.base import Strategy
from tenth.errors import ConfigurationError

_WHY = {
    "pixel": "asks about single pixels, thousands in an image, and nobody can click them all",
    "image": "asks for whole images, and a task is a region that takes a key or two",
}


def require_pushable(strategy: Strategy) -> None:
    """Refuse a strategy that can be simulated, but not be put before people.

    Raises
    ------
    ConfigurationError
        When its unit is the pixel or the image; the message names the strategy of regions to take instead.
    """
    if strategy.unit == "region":
        return
    raise ConfigurationError(
        f"selection.strategy = '{strategy.name}' {_WHY[strategy.unit]}. It can only be simulated; set "
        f"selection.strategy = '{strategy.counterpart or 'sp-crf'}', its counterpart for regions."
    )
