"""What is learned from the answers of each strategy."""

from __future__ import annotations

from controller.simulation.settings import Recipe

THESIS = Recipe()
"""The model's own labels for every pixel that nobody was asked about (thesis, algorithm 1)."""

OURS = Recipe(min_confidence=1.01, sieve=True, consistency=1.0, mix="classmix", unlabelled=True)
"""No fixed pseudo-labels: a mean teacher says, step by step, what it makes of pixels without an answer."""


def recipe_of(strategy: str) -> Recipe:
    """Return the recipe that a strategy comes with."""
    return OURS if strategy == "tenth" else THESIS
