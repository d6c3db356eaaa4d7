"""What is learned from the answers of each strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from controller.merging import NO_PSEUDO_LABELS
from controller.simulation.settings import Recipe
from tenth.errors import ConfigurationError

THESIS = Recipe(refresh=False)
"""The model's own labels for every pixel that nobody was asked about, as they were in the round of the image
(thesis, algorithm 1). Renewed with every round they drift: a model that learns from its own labels confirms
its mistakes, and did much worse (docs/results.md)."""

ANSWERS = Recipe(min_confidence=NO_PSEUDO_LABELS, restart=True)
"""Nothing but the answers: a pixel that nobody was asked about has no label."""

OURS = Recipe(min_confidence=NO_PSEUDO_LABELS, sieve=True, initial_weight=0.25, restart=True)
"""The answers, faded out where the network doubts them, and the initial set, which has ten times as many
labels an image, at a quarter; pseudo-labels did not pay (docs/results.md). The last model starts again, as
the bounds do: one that was fitted to few labels first tends to generalise worse (arXiv 1910.08475)."""

RECIPES = {"thesis": THESIS, "answers": ANSWERS, "ours": OURS}


def recipe_of(strategy: str) -> Recipe:
    """Return the recipe that a strategy comes with."""
    return OURS if strategy == "tenth" else THESIS


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe with some of its fields changed.

    Parameters
    ----------
    recipe : Recipe
        What to start from.
    changes : mapping
        Values by field. Not ``propagate``: whether answers can be spread depends on the strategy.

    Raises
    ------
    ConfigurationError
        When there is no such field, or it cannot have that value.
    """
    known = {name: value for name, value in asdict(recipe).items() if name != "propagate"}
    for name, value in changes.items():
        if name not in known:
            raise ConfigurationError(f"There is no '{name}' to change. Known: {', '.join(known)}.")
        wanted = type(known[name])
        fits = isinstance(value, wanted) or (wanted is float and type(value) is int)
        if not fits:
            words = {bool: "true or false", float: "a number", str: "a word"}[wanted]
            raise ConfigurationError(f"{name} = {value!r}: it has to be {words}.")
    return replace(recipe, **changes)
