"""What changes over time: the learning rate, the weight of consistency, the memory of the teacher."""

from __future__ import annotations


def poly_learning_rate(base: float, step: int, iterations: int, power: float) -> float:
    """Return ``base * (1 - step / iterations) ** power``.

    Parameters
    ----------
    base : float
        Learning rate of the first step.
    step : int
        The step about to be done, 0..iterations - 1.
    iterations : int
        Number of steps in all.
    power : float
        0.9 in DeepLab (arXiv 1606.00915) and ICNet; 0 keeps the rate constant.
    """
    return float(base * (1 - step / iterations) ** power)


def ramp_up(step: int, iterations: int, share: float) -> float:
    """Return the factor, 0..1, that rises linearly over the first `share` of the iterations.

    Parameters
    ----------
    step : int
        The step about to be done, 0..iterations - 1.
    iterations : int
        Number of steps in all.
    share : float
        0..1; 0 is 1 from the start.
    """
    length = share * iterations
    return min(1.0, step / length) if length > 0 else 1.0


def ema_decay(decay: float, step: int) -> float:
    """Return the share of the old mean in the new: at first a plain mean, later an exponential one.

    ``min(decay, 1 - 1 / (step + 2))``: until `decay` is reached, the start weights and those after each step
    count the same. The usual ``1 - 1 / (step + 1)`` (arXiv 1703.01780, the authors' release) forgets the
    start weights in the first step, since theirs are random; a warm start's are the best there is, and here
    they count as one of the values. Random ones are forgotten almost as fast: 1 in 100 after 99 steps.

    Parameters
    ----------
    decay : float
        From 0 to below 1.
    step : int
        The step just done, from 0.
    """
    return min(decay, 1 - 1 / (step + 2))
