"""Options of strategies, as they are given on the command line: which strategy takes which."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from controller.strategies import STRATEGIES
from tenth.errors import ConfigurationError


def divide_options(strategies: Sequence[str], options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return, for each strategy, those of the options that it knows.

    Parameters
    ----------
    strategies : sequence of str
        Registered names.
    options : mapping
        Values by name.

    Raises
    ------
    ConfigurationError
        When none of the strategies knows an option, or its value is of another kind than the default; or
        there is no such strategy.
    """
    known = {strategy: known_options(strategy) for strategy in strategies}
    for name in options:
        if not any(name in of_strategy for of_strategy in known.values()):
            raise ConfigurationError(
                f"--strategy-option {name}: no strategy that was named has it. Known: {_listed(known)}."
            )
    return {
        strategy: {name: _checked(name, value, own[name]) for name, value in options.items() if name in own}
        for strategy, own in known.items()
    }


def known_options(strategy: str) -> dict[str, Any]:
    """Return the options of a strategy and their defaults; raises ConfigurationError when it is unknown."""
    parameters = inspect.signature(STRATEGIES.get(strategy)).parameters
    return {name: parameter.default for name, parameter in parameters.items() if name != "seed"}


def _listed(known: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(f"{strategy}: {', '.join(own) or 'none'}" for strategy, own in known.items())


def _checked(name: str, value: Any, default: Any) -> Any:
    """Return the value; a text or true and false are no numbers, and the other way round."""
    kinds: dict[type, tuple[str, type | tuple[type, ...]]] = {
        bool: ("true or false", bool),
        float: ("a number", (int, float)),
    }
    words, types = kinds.get(type(default), ("", object))
    if not isinstance(value, types) or (isinstance(value, bool) and type(default) is float):
        raise ConfigurationError(
            f"--strategy-option {name}={value}: it has to be {words}, as its default {default} is."
        )
    return value
