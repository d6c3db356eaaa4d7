"""What is learned from the answers of each strategy."""

from __future__ import annotations

from controller.simulation.settings import Recipe

THESIS = Recipe()
"""The model's own labels for every pixel that nobody was asked about (thesis, algorithm 1)."""

ANSWERS = Recipe(min_confidence=1.01)
"""Nothing but the answers: a pixel that nobody was asked about has no label."""

OURS = Recipe(min_confidence=1.01, sieve=True)
"""The answers, faded out where the network doubts them; pseudo-labels did not pay (docs/results.md)."""

RECIPES = {"thesis": THESIS, "answers": ANSWERS, "ours": OURS}


def recipe_of(strategy: str) -> Recipe:
    """Return the recipe that a strategy comes with."""
    return OURS if strategy == "tenth" else THESIS
