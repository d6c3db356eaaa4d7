"""Learning from pixels without a label: the student is to see in a changed picture what the teacher sees."""

from __future__ import annotations

from dataclasses import dataclass, fields

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
    soft : Tensor or None
        (N, C, ⌈H/stride⌉, ⌈W/stride⌉) float32, class probabilities, 0 in the padding.
    """

    images: Tensor
    labels: Tensor
    weights: Tensor | None = None
    soft: Tensor | None = None

    def tensors(self) -> dict[str, Tensor]:
        """Return those that there are, by name."""
        named = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: tensor for name, tensor in named if tensor is not None}


@dataclass(frozen=True)
class Lesson:
    """What the teacher says to a view, at the resolution of the main output.

    Parameters
    ----------
    probabilities : Tensor
        (N, C, h, w) float32.
    where : Tensor
        (N, h, w) bool, the pixels to learn it at.
    """

    probabilities: Tensor
    where: Tensor


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

    def lesson(self, view: View, plain: Tensor, inside: Tensor, step: int) -> tuple[View, Lesson]:
        """Ask the teacher, and mix the view and what the teacher says where that is wanted.

        Parameters
        ----------
        view : View
        plain : Tensor
            (N, 3, H, W) float32, the images without the change of their colours, normalised.
        inside : Tensor
            (N, H, W) bool, false in the padding.
        step : int
            From 0; with the seed it determines which classes are pasted.

        Returns
        -------
        tuple
            The view that the student is to see, and what it is to learn from it besides the labels.
        """
        logits = self.teacher.logits(plain)
        probabilities = logits.softmax(1)
        where = unlabelled(view.labels, view.weights, inside)
        height, width = logits.shape[2:]
        if self.options.mix == "classmix":
            pasted = self._pasted(view.labels, logits, inside, step)
            weights = None if view.weights is None else paste(view.weights, pasted)
            view = View(paste(view.images, pasted), paste(view.labels, pasted), weights)
            where = paste(where, pasted)
            probabilities = paste(probabilities, resize_labels(pasted, height, width))
        return view, Lesson(probabilities, resize_labels(where, height, width))

    def _pasted(self, labels: Tensor, logits: Tensor, inside: Tensor, step: int) -> Tensor:
        """Choose what to paste among the classes of the labels and, elsewhere, of the teacher."""
        size, classes = tuple(labels.shape[1:]), logits.shape[1]
        guess = F.interpolate(logits, size=size, mode="bilinear", align_corners=False).argmax(1)
        class_map = torch.where(labels == IGNORE, guess, labels.long())
        rng = np.random.default_rng((self.options.seed, MIX, step))
        return pasted_pixels(torch.where(inside, class_map, classes), classes, rng)

    def loss(self, logits: Tensor, lesson: Lesson, step: int) -> Tensor:
        """Return the weighted consistency loss of the student's main output (N, C, h, w) in `step`."""
        factor = self.options.consistency * ramp_up(step, self.options.iterations, self.options.ramp)
        return factor * consistency_loss(logits, lesson.probabilities, lesson.where, self.trust)


def unlabelled(labels: Tensor, weights: Tensor | None, inside: Tensor) -> Tensor:
    """Return the pixels of which a label does not say all: none, or one that is doubted; no padding.

    Doubted is a label that counts less than others of the same image. That all of an image count less, as
    those of the initial set do, says how many they are, not how right.

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
        usual = weights.amax((1, 2), keepdim=True)
        missing = missing | (weights < usual) | (weights == 0)
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
