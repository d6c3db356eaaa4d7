"""Learning from pixels without a label: the student is to see in a changed picture what the teacher sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from tenth.errors import ConfigurationError
from tenth.segmentation.classes import IGNORE
from tenth.segmentation.networks import SegmentationNetwork
from tenth.segmentation.training.classmix import paste, pasted_pixels
from tenth.segmentation.training.loss import resize_labels
from tenth.segmentation.training.options import TrainingOptions
from tenth.segmentation.training.schedule import ramp_up
from tenth.segmentation.training.sources import FULL
from tenth.segmentation.training.teacher import Teacher

MIX = 4
"""Tells the choice of classes to paste from the other random numbers of a training."""


@dataclass(frozen=True)
class View:
    """A batch where the network computes, as the student sees it.

    Parameters
    ----------
    images : Tensor
        (N, 3, H, W) float32, normalised.
    labels : Tensor
        (N, H, W) uint8, 255 = ignore.
    weights : Tensor or None
        (N, H, W) uint8, how much each label counts, in 255ths.
    inside : Tensor or None
        (N, H, W) bool, false in the padding.
    taught : Tensor or None
        (N, C, h, w) float32, the teacher's class probabilities, of the size of the main output.
    """

    images: Tensor
    labels: Tensor
    weights: Tensor | None = None
    inside: Tensor | None = None
    taught: Tensor | None = None


class Consistency:
    """Teaches what a mean teacher predicts.

    Parameters
    ----------
    student : SegmentationNetwork
        On the device of the training.
    options : TrainingOptions

    Raises
    ------
    ConfigurationError
        When `options` has another number of class_trust than the network of classes.
    """

    def __init__(self, student: SegmentationNetwork, options: TrainingOptions) -> None:
        trust = options.class_trust
        if trust is not None and len(trust) != student.classes:
            raise ConfigurationError(
                f"class_trust has {len(trust)} values, but the network has {student.classes} classes; "
                "give one value for each class."
            )
        self.options = options
        self.teacher = Teacher(student)
        device = next(student.parameters()).device
        self.trust = None if trust is None else torch.tensor(trust, dtype=torch.float32, device=device)

    def taught(self, view: View, plain: Tensor, step: int) -> View:
        """Return the view with the teacher's probabilities, and mixed where that is wanted.

        Parameters
        ----------
        view : View
            With `inside`.
        plain : Tensor
            (N, 3, H, W) float32, the images without the change of their colours, normalised.
        step : int
            From 0; with the seed it determines which classes are pasted.
        """
        assert view.inside is not None  # the loader's promise  # noqa: S101
        logits = self.teacher.logits(plain)
        if self.options.mix == "classmix":
            return self._mixed(view, logits, view.inside, step)
        return replace(view, taught=logits.softmax(1))

    def _mixed(self, view: View, logits: Tensor, inside: Tensor, step: int) -> View:
        classes = logits.shape[1]
        guess = F.interpolate(
            logits, size=tuple(view.labels.shape[1:]), mode="bilinear", align_corners=False
        ).argmax(1)
        class_map = torch.where(view.labels == IGNORE, guess, view.labels.long())
        class_map = torch.where(inside, class_map, classes)
        rng = np.random.default_rng((self.options.seed, MIX, step))
        pasted = pasted_pixels(class_map, classes, rng)
        small = resize_labels(pasted, *logits.shape[2:])
        return View(
            images=paste(view.images, pasted),
            labels=paste(view.labels, pasted),
            weights=None if view.weights is None else paste(view.weights, pasted),
            inside=paste(inside, pasted),
            taught=paste(logits.softmax(1), small),
        )

    def loss(self, logits: Tensor, view: View, step: int) -> Tensor:
        """Return the weighted consistency loss of the student's main output (N, C, h, w) in `step`."""
        assert view.inside is not None  # noqa: S101
        assert view.taught is not None  # noqa: S101
        open_ = resize_labels(unlabelled(view.labels, view.weights, view.inside), *logits.shape[-2:])
        factor = self.options.consistency * ramp_up(step, self.options.iterations, self.options.ramp)
        return factor * consistency_loss(logits, view.taught, open_, self.trust)


def unlabelled(labels: Tensor, weights: Tensor | None, inside: Tensor) -> Tensor:
    """Return the pixels of which a label does not say all: none, or one of a weight below 1; no padding.

    Parameters
    ----------
    labels : Tensor
        (N, H, W) uint8, 255 = ignore.
    weights : Tensor or None
        (N, H, W) uint8, in 255ths.
    inside : Tensor
        (N, H, W) bool, false in the padding.

    Returns
    -------
    Tensor
        (N, H, W) bool.
    """
    missing = labels == IGNORE
    if weights is not None:
        missing = missing | (weights < FULL)
    return missing & inside


def consistency_loss(logits: Tensor, taught: Tensor, where: Tensor, trust: Tensor | None = None) -> Tensor:
    """Return the mean over the pixels `where` of confidence times cross-entropy; zero without such a pixel.

    ``mean(conf * -sum_c taught_c * log softmax(logits)_c)``, ``conf = max_c taught_c``, times the trust in
    the class of the maximum. The mean is over all of the pixels, not over their confidence: an unsure teacher
    teaches less, not the same on fewer pixels.

    Parameters
    ----------
    logits : Tensor
        (N, C, h, w), of any floating type; computed in float32.
    taught : Tensor
        (N, C, h, w) float32, probabilities.
    where : Tensor
        (N, h, w) bool.
    trust : Tensor, optional
        (C,) float32, 0..1.
    """
    confidence, best = taught.max(1)
    if trust is not None:
        confidence = confidence * trust[best]
    losses = F.cross_entropy(logits.float(), taught, reduction="none")
    return (losses * confidence * where).sum() / where.sum().clamp(min=1)
