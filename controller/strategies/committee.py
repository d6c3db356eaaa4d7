"""Query by committee (Seung et al. 1992): pixels on which earlier versions of the model disagree."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from controller.strategies.base import EntropyRanked, ImageMaps, Need, Unit
from tenth.segmentation.uncertainty import pixel_entropy

TIES = 1e-3
"""Weight of the mean probabilities' entropy, as a share of ln C: less than any two distinct vote entropies of
up to thirteen members differ by, so that it orders only what the votes leave level."""


class Committee(EntropyRanked):
    """Pixels by the vote entropy of several model versions, then by the entropy of their mean.

    A handful of members leaves most pixels level, unanimous ones above all; among them the entropy of the
    members' mean probabilities decides. A committee of one is the strategy ``entropy``.
    """

    name = "committee"
    unit: Unit = "pixel"
    needs: frozenset[Need] = frozenset({"committee"})
    counterpart = "sp"

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return −Σ (V/M) ln (V/M) in nats, V of M members voting for a class, plus a little for ties.

        The little is `TIES` · entropy of the mean / ln C (Engelson & Dagan 1996 for the votes).

        Raises
        ------
        ConfigurationError
            When there is no committee, for there is no model.
        """
        members = self.given(maps.committee)
        classes = members.shape[1]
        level = pixel_entropy(members.mean(axis=0, dtype=np.float32)) / np.log(classes)
        scores: npt.NDArray[np.float64] = vote_entropy(members.argmax(axis=1), classes) + TIES * level
        return scores.ravel()


def vote_entropy(votes: npt.NDArray[np.integer[Any]], classes: int) -> npt.NDArray[np.float64]:
    """Return the entropy in nats of the votes (M, H, W) int of M members for C classes: (H, W) float64."""
    counts = np.arange(len(votes) + 1) / len(votes)
    terms = -counts * np.log(np.where(counts > 0, counts, 1.0))
    entropy: npt.NDArray[np.float64] = np.zeros(votes.shape[1:])
    for label in range(classes):
        entropy += terms[(votes == label).sum(axis=0)]
    return entropy
