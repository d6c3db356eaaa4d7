"""What a training leaves behind, besides the weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class TrainingResult:
    """How a training went.

    Parameters
    ----------
    iterations : int
        Steps done; fewer than asked for when the score stopped improving.
    seconds : float
        Time it took, validations included, over all resumptions.
    losses : list of float
        Loss of each step.
    scores : list of tuple
        Step and score of each validation.
    """

    iterations: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    scores: list[tuple[int, float]] = field(default_factory=list)

    @property
    def best(self) -> int:
        """Place in `scores` of the best validation, the first of equals; -1 without any. NaN is the worst."""
        values = [-math.inf if math.isnan(score) else score for _, score in self.scores]
        return values.index(max(values)) if values else -1

    @property
    def kept_iteration(self) -> int:
        """The step whose weights the network has: that of the best validation, or the last."""
        return self.scores[self.best][0] if self.scores else self.iterations
