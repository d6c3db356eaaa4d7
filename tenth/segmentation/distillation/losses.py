"""What a student learns from soft labels: KL divergence, either way round.

The thesis's loss is ``L = L_ce + λ L_kl`` with λ = 100. That λ belongs to the mean of ``p ln(p / q)`` over
pixels *and* classes (``kl_div(reduction="mean")`` of PyTorch 1 and 2); by the usual mean over pixels it is
100 / C. Both are offered.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from tenth.errors import ConfigurationError
from tenth.segmentation.cells import shares
from tenth.segmentation.distillation.ensemble import check_temperature
from tenth.segmentation.distillation.relations import channel_wise, relational
from tenth.segmentation.networks import ScaledLogits

Direction = Literal["teacher-student", "student-teacher"]
Reduction = Literal["pixels-classes", "pixels"]
Form = Literal["kl", "cwd", "dist"]

USUAL_WEIGHTS: dict[Form, float] = {"kl": 100.0, "cwd": 3.0, "dist": 1.0}
"""λ by form: the thesis's, by pixels and classes; those of the papers on segmentation."""

log = logging.getLogger(__name__)

LEAST_PROBABILITY = 1e-8
"""The teacher's probabilities are raised to it before their logarithm is taken."""

LEAST_MEAN = 1e-30
"""A student's are raised to it where they are means: below, gradients of float32 would overflow."""


def log_probabilities(logits: Tensor, temperature: float, height: int, width: int) -> Tensor:
    """Return the logarithms of a student's softened probabilities, (N, C, height, width), at least float32.

    Where the logits (N, C, h, w) are finer, they are those of the mean probability of what a position covers.
    """
    softened = logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature
    if tuple(logits.shape[2:]) == (height, width):
        return softened.log_softmax(1)
    return mean_over(softened.softmax(1), height, width).clamp_min(LEAST_MEAN).log()


def mean_over(maps: Tensor, height: int, width: int) -> Tensor:
    """Return the means of (N, C, H, W) over height×width equal cells, of pixels as far as they are in one."""
    down, across = maps.shape[2] // height, maps.shape[3] // width
    if (down * height, across * width) == tuple(maps.shape[2:]):
        return F.avg_pool2d(maps, (down, across))
    # Adaptive pooling takes whole pixels: it shifts and widens cells by up to half of one on each side.
    rows, columns = (
        _shares(length, cells, maps.dtype, maps.device)
        for length, cells in zip(maps.shape[2:], (height, width), strict=True)
    )
    return rows @ maps @ columns.T


@cache  # kept: a recording of a GPU's kernels reads them where they are
def _shares(length: int, cells: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.from_numpy(shares(length, length, (0, length), cells)).to(device, dtype)


def pixel_kl(log_student: Tensor, teacher: Tensor, direction: Direction) -> Tensor:
    """Return each pixel's divergence in nats.

    Parameters
    ----------
    log_student : Tensor
        (N, C, h, w) logarithms of the student's softened probabilities.
    teacher : Tensor
        (N, C, h, w) probabilities, softened already.
    direction : str
        ``"teacher-student"``: KL(teacher ‖ student), Hinton et al., arXiv 1503.02531; the student has to
        cover all that the teacher holds possible. ``"student-teacher"``: KL(student ‖ teacher), the thesis's
        eq. 4.4.

    Returns
    -------
    Tensor
        (N, h, w), not negative but for rounding.
    """
    if direction == "teacher-student":
        return (torch.xlogy(teacher, teacher) - teacher * log_student).sum(1)
    return (log_student.exp() * (log_student - teacher.clamp_min(LEAST_PROBABILITY).log())).sum(1)


def resize_soft(soft: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Bring soft labels to an output's resolution where that is coarser, by the mean of what is covered.

    Parameters
    ----------
    soft : Tensor
        (N, C, H, W) probabilities, 0 in the padding.
    height, width : int
        Of the output.

    Returns
    -------
    tuple of Tensor
        (N, C, h, w) probabilities, h and w being H and W or less, 0 where there is only padding; and
        (N, h, w) bool, whether there is more.
    """
    size = (min(height, soft.shape[2]), min(width, soft.shape[3]))
    counted = (soft > 0).any(1)
    if tuple(soft.shape[2:]) == size:
        return soft, counted
    share = mean_over(counted[:, None].to(soft.dtype), *size)
    return mean_over(soft, *size) / torch.where(share > 0, share, torch.ones_like(share)), share[:, 0] > 0


def warn_of_two_classes(form: Form, classes: int) -> None:
    """Warn where ``"dist"`` would teach half of what it teaches elsewhere; see `relational`."""
    if form == "dist" and classes == 2:
        log.warning(
            "Soft labels of two classes teach little in form = 'dist': half of that loss is how the classes "
            "of a pixel relate, and of two it says only which is likelier, without a gradient. Take form = "
            "'kl'."
        )


@dataclass(frozen=True)
class DistillationLoss:
    """Cross-entropy with the labels plus a multiple of the divergence from the soft labels.

    Parameters
    ----------
    temperature : float
        The student's (the thesis: ENet 5, ICNet 4, ERFNet 3); the soft labels bring their own.
    weight : float, optional
        λ, 0 or more.
    form : str, optional
        ``"kl"``; ``"cwd"``: `channel_wise` on logarithms of probabilities; ``"dist"``: `relational`. λ = 100
        suits ``"kl"`` by pixels and classes; the papers of the others use 1 to 3.
    direction : str, optional
        Of ``"kl"``: see `pixel_kl`.
    reduction : str, optional
        Of ``"kl"``: ``"pixels-classes"``: the sum over pixels and classes is divided by both counts, as the
        thesis's λ = 100 wants; ``"pixels"``: by the pixels alone.
    temperature_squared : bool, optional
        Multiply the soft part by ``temperature ** 2`` (Hinton), which keeps its gradients of one size when
        the temperature is changed.
    hard_weight : float, optional
        Of the cross-entropy, 0 or more; 0 learns from the soft labels alone.
    class_weighted : bool, optional
        Of ``"kl"``: a pixel counts in the mean as much as the class that the teachers hold likeliest counts
        in the cross-entropy. Otherwise the divergence, the larger part of the loss with λ = 100, is that of
        road and sky, and works against the class weights.
    stride : int, optional
        Soft labels are compared as means over cells of so many pixels a side, 1 or more: what networks say is
        hardly finer than a quarter of the image, edges are in the labels, and a comparison at each pixel, the
        thesis's, takes longer.

    Raises
    ------
    ConfigurationError
        When a value cannot be used.
    """

    temperature: float
    weight: float = 100.0
    form: Form = "kl"
    direction: Direction = "teacher-student"
    reduction: Reduction = "pixels-classes"
    temperature_squared: bool = False
    hard_weight: float = 1.0
    class_weighted: bool = False
    stride: int = 4

    def __post_init__(self) -> None:
        """Check the values."""
        check_temperature(self.temperature)
        for name in ("weight", "hard_weight"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigurationError(f"{name} = {getattr(self, name)} is no weight; give 0 or more.")
        if self.stride < 1:
            raise ConfigurationError(f"stride = {self.stride} is no number of pixels; give 1 or more.")
        if not self.weight and not self.hard_weight:
            raise ConfigurationError(
                "weight = 0 with hard_weight = 0 (--kl-only) leaves neither the soft labels nor the labels "
                "to learn from; give one of them a weight above 0."
            )
        for name, known in (
            ("form", Form.__args__),  # type: ignore[attr-defined]
            ("direction", Direction.__args__),  # type: ignore[attr-defined]
            ("reduction", Reduction.__args__),  # type: ignore[attr-defined]
        ):
            if getattr(self, name) not in known:
                raise ConfigurationError(
                    f"There is no {name} '{getattr(self, name)}'; choose {' or '.join(known)}."
                )

    def soft(
        self,
        outputs: Sequence[ScaledLogits],
        soft: Tensor,
        class_weights: Tensor | None = None,
    ) -> Tensor:
        """Return λ · Σ w · soft part over the outputs: what to add to ``hard_weight`` times the labels' loss.

        Parameters
        ----------
        outputs : sequence of ScaledLogits
            What ``training_outputs`` returned. Each is compared at its own resolution, or at that of `soft`
            where that is coarser.
        soft : Tensor
            (N, C, ⌈H/stride⌉, ⌈W/stride⌉) float32, the teachers' probabilities, also where there is no label;
            0 in cells that are all padding, which do not count; a cell that is partly in the image does.
        class_weights : Tensor, optional
            (C,) float32, of the cross-entropy; they count where the loss is `class_weighted`.
        """
        loss = torch.zeros((), device=soft.device)
        if self.weight:
            for output in outputs:
                teacher, counted = resize_soft(soft, *output.logits.shape[-2:])
                part = self._of_one(output.logits, teacher, counted, class_weights)
                loss = loss + self.weight * output.weight * part
        return loss

    def _of_one(
        self, logits: Tensor, teacher: Tensor, counted: Tensor, class_weights: Tensor | None
    ) -> Tensor:
        """Return the soft part of one output, without λ; 0 with no pixel to count."""
        log_student = log_probabilities(logits, self.temperature, *teacher.shape[-2:])
        if self.form == "cwd":
            log_teacher = teacher.clamp_min(LEAST_PROBABILITY).log()
            value = channel_wise(log_student, log_teacher, counted)
        elif self.form == "dist":
            value = relational(log_student.exp(), teacher, counted)
        else:
            kl = pixel_kl(log_student, teacher, self.direction)
            counts = counted.to(kl.dtype)
            if self.class_weighted and class_weights is not None:
                likeliest = teacher.max(1).indices  # argmax, at a quarter of its time on the CPU
                counts = counts * class_weights.to(kl.dtype)[likeliest]
            # Where nothing counts the teacher is 0 everywhere, and the divergence finite: 0 times it is 0.
            total = counts.sum()
            value = (kl * counts).sum() / torch.where(total > 0, total, torch.ones_like(total))
            if self.reduction == "pixels-classes":
                value = value / logits.shape[1]
        return value * self.temperature**2 if self.temperature_squared else value
