"""The learning rate over time."""

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
