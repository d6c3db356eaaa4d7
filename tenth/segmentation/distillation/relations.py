"""Two other ways of comparing a student with its teacher: by where a class is, and by relations.

Both see the soft labels instead of a teacher's logits; they differ from logits over the temperature by one
number a pixel, which the softmax takes away.
"""

from __future__ import annotations

from torch import Tensor

_NOWHERE = -1e4  # as a logarithm: e to the power of it is 0, and unlike -inf it multiplies with 0
_EPSILON = 1e-8
_CONSTANT = 1e-4  # what varies by less than this share of itself does so by rounding
_POSITIONS = (0, 2, 3)


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

    Of two classes the former is 1 or −1, as both hold the same one likelier or not, and has no gradient.

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
    weight = counted[:, None].to(student.dtype)
    pixels = weight.sum().clamp_min(1)
    ours, theirs = (each - each.mean(1, keepdim=True) for each in (student, teacher))
    between = _correlation(ours, theirs, (1,), 1 / student.shape[1])
    usual = (student * weight).sum(_POSITIONS, keepdim=True) / pixels
    ours = (student - usual) * weight
    theirs = (teacher - (teacher * weight).sum(_POSITIONS, keepdim=True) / pixels) * weight
    within = _correlation(ours, theirs, _POSITIONS, usual.square() * pixels)
    loss = (weight - between * weight).sum() / pixels + (1 - within).mean()
    return loss * counted.any()


def _correlation(a: Tensor, b: Tensor, dims: tuple[int, ...], square: Tensor | float) -> Tensor:
    """Return Pearson's correlation over `dims` of a and b, which are centred.

    It is 0, and so is its gradient, where a is constant but for rounding: that has no direction, and would
    have a gradient of any size. Sums of squares instead of norms, and the mask as a factor instead of an
    index: half of the time on the CPU.

    Parameters
    ----------
    a, b : Tensor
        Minus their means over `dims`.
    dims : tuple of int
        What to sum over.
    square : Tensor or float
        The sum of squares that the mean of a alone would have.
    """
    squares = (a * a).sum(dims, keepdim=True)
    norms = (squares * (b * b).sum(dims, keepdim=True) + _EPSILON**2).sqrt()
    constant = squares <= _CONSTANT**2 * square
    return ((a * b).sum(dims, keepdim=True) / norms).masked_fill(constant, 0)
