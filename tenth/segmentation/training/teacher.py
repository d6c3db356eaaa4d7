"""The mean teacher: a copy of a network whose weights are the mean of those that the network went through.

Tarvainen and Valpola, "Mean teachers are better role models", arXiv 1703.01780.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor

from tenth.segmentation.networks import SegmentationNetwork


class Teacher:
    """A network that follows another, its student, and is never trained itself.

    The running statistics of batch normalisation are averaged like the weights. Copying the student's would
    pair them with weights they were not measured on; the mean of the statistics is as old, on average, as the
    mean of the weights. Counters are copied.

    Parameters
    ----------
    student : SegmentationNetwork
        Where it starts: an exact copy, on the same device, in evaluation mode.
    """

    def __init__(self, student: SegmentationNetwork) -> None:
        self.network = deepcopy(student).eval().requires_grad_(False)

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Return the main output, (N, C, h, w) float32 at its own resolution, of normalised `images`."""
        return self.network.training_outputs(images)[0].logits.float()

    @torch.no_grad()
    def follow(self, student: SegmentationNetwork, decay: float) -> None:
        """Become ``decay * teacher + (1 - decay) * student``."""
        for mine, theirs in self._pairs(student):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)

    @contextmanager
    def standing_in(self, student: SegmentationNetwork) -> Iterator[None]:
        """Let `student` have the teacher's weights and statistics for a while; the teacher has the student's.

        Nothing is copied, and what holds on to the student's parameters, as its optimizer does, is not
        disturbed.
        """
        self._swap(student)
        try:
            yield
        finally:
            self._swap(student)

    def _swap(self, student: SegmentationNetwork) -> None:
        for mine, theirs in self._pairs(student):
            mine.data, theirs.data = theirs.data, mine.data

    def _pairs(self, student: SegmentationNetwork) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each tensor of the teacher with the student's, shared ones once."""
        yield from zip(self.network.parameters(), student.parameters(), strict=True)
        yield from zip(self.network.buffers(), student.buffers(), strict=True)

    def state_dict(self) -> dict[str, Tensor]:
        """Return weights and statistics by name."""
        return self.network.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take weights and statistics."""
        self.network.load_state_dict(state)
