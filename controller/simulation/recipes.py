"""What is learned from the answers of each strategy."""

from __future__ import annotations

from controller.merging import NO_PSEUDO_LABELS
from controller.simulation.settings import Recipe

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
