"""Two other ways of comparing a student with its teacher: by where a class is, and by relations.

Both see the soft labels instead of a teacher's logits; they differ from logits over the temperature by one
number a pixel, which the softmax takes away.
"""

from __future__ import annotations

import torch
from torch import Tensor

_NOWHERE = -1e4  # as a logarithm: e to the power of it is 0, and unlike -inf it multiplies with 0
_EPSILON = 1e-8


def channel_wise(student: Tensor, teacher: Tensor, counted: Tensor) -> Tensor:
    """Return the channel-wise divergence (CWD, Shu et al., arXiv 2011.13256, eq. 6 without its T²).

    Each class is a distribution over the positions of an image, ``φ(y) = softmax of y over h·w``, and the
    loss is the mean over images and classes of KL(φ(teacher) ‖ φ(student)).

    Parameters
    ----------
    student, teacher : Tensor
        (N, C, h, w) activations, divided by the temperature.
    counted : Tensor
        (N, h, w) bool; the other positions have no part.

    Returns
    -------
    Tensor
        Nats; 0 for an image in which nothing counts.
    """
    hidden = ~counted[:, None]
    log_s, log_t = (
        activations.masked_fill(hidden, _NOWHERE).flatten(2).log_softmax(2)
        for activations in (student, teacher)
    )
    return (log_t.exp() * (log_t - log_s)).sum(2).mean()


def relational(student: Tensor, teacher: Tensor, counted: Tensor) -> Tensor:
    """Return DIST's loss (Huang et al., arXiv 2205.10536, eqs. 9-11 with β = γ = 1).

    Probabilities need not be equal, only correlated: 1 − Pearson's correlation over the classes, mean over
    the pixels, plus 1 − the correlation over the pixels of the batch, mean over the classes.

    Parameters
    ----------
    student, teacher : Tensor
        (N, C, h, w) probabilities.
    counted : Tensor
        (N, h, w) bool; the other pixels have no part.

    Returns
    -------
    Tensor
        In 0..4; 0 with no pixel to count.
    """
    ours, theirs = student.movedim(1, -1)[counted], teacher.movedim(1, -1)[counted]
    if not len(ours):
        return ours.sum()
    between = 1 - _correlation(ours, theirs).mean()
    within = 1 - _correlation(ours.T, theirs.T).mean()
    return between + within


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """Return Pearson's correlation of each row of a with that of b; 0 where one is constant."""
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    norms: Tensor = torch.linalg.vector_norm(a, dim=1) * torch.linalg.vector_norm(b, dim=1)
    return (a * b).sum(1) / (norms + _EPSILON)
