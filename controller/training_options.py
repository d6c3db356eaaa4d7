"""Options of all commands that build or run networks: their form and defaults, and how texts are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

SEED = click.IntRange(0, 2**31 - 1)
"""Type of an option that is a seed: what all generators of random numbers and controller.toml take."""


def parse_size(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
    """Return (width, height) of a text such as 240x180."""
    if value is None:
        return None
    try:
        width, height = (int(part) for part in value.lower().replace("×", "x").split("x"))
    except ValueError:
        width = height = 0
    if width < 16 or height < 16:
        raise click.BadParameter(
            f"'{value}' is no size of at least 16x16; write WIDTHxHEIGHT, as in 240x180."
        )
    return width, height


def parse_options(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    """Return NAME=VALUE texts as a mapping; values are JSON where they can be read so, else texts."""
    options: dict[str, Any] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals:
            raise click.BadParameter(f"'{value}' is no NAME=VALUE.")
        try:
            options[name] = json.loads(text)
        except ValueError:
            options[name] = text
    return options


_OPTIONS: dict[str, dict[str, Any]] = {
    "size": {"callback": parse_size, "help": "Resize images to WIDTHxHEIGHT; their own size by default."},
    "option": {"multiple": True, "callback": parse_options, "help": "Options of the network, NAME=VALUE."},
    "batch-size": {"default": 8, "show_default": True, "help": "Images in a step."},
    "learning-rate": {"default": 0.04, "show_default": True, "help": "Of the first step."},
    "class-weighting": {
        "type": click.Choice(["none", "frequency"]),
        "default": "frequency",
        "show_default": True,
        "help": "'frequency' weighs rare classes up by the inverse logarithm of their share.",
    },
    "seed": {
        "type": SEED,
        "default": 0,
        "show_default": True,
        "help": "Of the start weights and of the training.",
    },
    "device": {"default": "auto", "show_default": True, "help": "'cpu', 'cuda', 'cuda:1' or 'auto'."},
}


def training_option(name: str, text: str | None = None) -> Callable[[F], F]:
    """Add one of these options: size, option, batch-size, learning-rate, class-weighting, seed, device.

    Parameters
    ----------
    name : str
        Without the dashes; ``option`` arrives as the argument ``network_options``.
    text : str, optional
        Help where the usual one does not fit.
    """
    names = [f"--{name}", *(["network_options"] if name == "option" else [])]
    return click.option(*names, **(_OPTIONS[name] | ({"help": text} if text else {})))


def training_options(**texts: str) -> Callable[[F], F]:
    """Add all of them.

    Parameters
    ----------
    **texts
        Help by name, dashes as underscores, where the usual one does not fit.
    """

    def add(function: F) -> F:
        # From the last to the first: the help lists them in the order of _OPTIONS.
        for name in reversed(_OPTIONS):
            function = training_option(name, texts.get(name.replace("-", "_")))(function)
        return function

    return add
