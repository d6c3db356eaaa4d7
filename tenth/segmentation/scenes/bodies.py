"""The shapes of vehicles: profiles, drawn out to their width."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Body:
    """Shape of a vehicle, seen from its left side with the front at 0.

    Parameters
    ----------
    length, width, height : float
        Metres.
    outline : tuple
        (along, up, glass) from the lower front over the roof to the lower rear, shares of length and height;
        glass tells that the panel from here to the next point is a window.
    windows : tuple of tuple
        Windows in the sides, polygons of (along, up).
    """

    length: float
    width: float
    height: float
    outline: tuple[tuple[float, float, bool], ...]
    windows: tuple[tuple[tuple[float, float], ...], ...]


def _outline(*points: tuple[float, float, int]) -> tuple[tuple[float, float, bool], ...]:
    return tuple((along, up, bool(glass)) for along, up, glass in points)


SEDAN = Body(
    4.5,
    1.78,
    1.45,
    _outline(
        (0, 0.2, 0),
        (0, 0.46, 0),
        (0.03, 0.52, 0),
        (0.28, 0.62, 1),
        (0.43, 0.98, 0),
        (0.7, 0.98, 1),
        (0.88, 0.66, 0),
        (1, 0.6, 0),
        (1, 0.2, 0),
    ),
    (
        ((0.33, 0.66), (0.44, 0.92), (0.56, 0.93), (0.56, 0.66)),
        ((0.58, 0.66), (0.58, 0.93), (0.7, 0.92), (0.82, 0.68)),
    ),
)
HATCHBACK = Body(
    3.9,
    1.72,
    1.5,
    _outline(
        (0, 0.2, 0),
        (0, 0.48, 0),
        (0.04, 0.56, 0),
        (0.25, 0.64, 1),
        (0.42, 0.98, 0),
        (0.86, 0.96, 1),
        (0.97, 0.64, 0),
        (1, 0.56, 0),
        (1, 0.2, 0),
    ),
    (
        ((0.3, 0.66), (0.43, 0.92), (0.58, 0.93), (0.58, 0.66)),
        ((0.6, 0.66), (0.6, 0.93), (0.8, 0.92), (0.88, 0.68)),
    ),
)
SUV = Body(
    4.6,
    1.9,
    1.78,
    _outline(
        (0, 0.22, 0),
        (0, 0.55, 0),
        (0.03, 0.6, 0),
        (0.24, 0.64, 1),
        (0.36, 0.98, 0),
        (0.92, 0.97, 1),
        (0.98, 0.65, 0),
        (1, 0.6, 0),
        (1, 0.22, 0),
    ),
    (
        ((0.28, 0.66), (0.38, 0.92), (0.56, 0.93), (0.56, 0.66)),
        ((0.58, 0.66), (0.58, 0.93), (0.88, 0.92), (0.92, 0.68)),
    ),
)
VAN = Body(
    5.4,
    2.0,
    2.4,
    _outline(
        (0, 0.15, 0), (0, 0.4, 0), (0.12, 0.5, 1), (0.24, 0.9, 0), (0.32, 0.99, 0), (1, 0.99, 0), (1, 0.15, 0)
    ),
    (((0.16, 0.52), (0.25, 0.84), (0.34, 0.84), (0.34, 0.52)),),
)
BUS = Body(
    11.0,
    2.5,
    3.1,
    _outline(
        (0, 0.1, 0),
        (0, 0.38, 1),
        (0.01, 0.9, 0),
        (0.02, 0.99, 0),
        (0.99, 0.99, 0),
        (1, 0.85, 1),
        (1, 0.5, 0),
        (1, 0.1, 0),
    ),
    tuple(
        ((k / 8 + 0.01, 0.42), (k / 8 + 0.01, 0.82), (k / 8 + 0.115, 0.82), (k / 8 + 0.115, 0.42))
        for k in range(8)
    ),
)
