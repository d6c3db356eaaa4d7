"""The plan of a street: a bent road with strips of pavement and grass along it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tenth.segmentation.scenes.camera import Floats
from tenth.segmentation.scenes.vocabulary import GRASS, PAVEMENT, ROAD

Kind = Literal["urban", "houses", "park", "works"]


@dataclass(frozen=True)
class Side:
    """One side of a street; distances are metres from the middle of the road.

    Parameters
    ----------
    sign : int
        -1 left, 1 right.
    kind : {"urban", "houses", "park", "works"}
        What stands there.
    verge : float
        Width of a strip of grass between road and pavement; 0 for none.
    kerb, walk, front : float
        Where the pavement begins, where it ends, where the buildings begin.
    """

    sign: int
    kind: Kind
    verge: float
    kerb: float
    walk: float
    front: float

    @classmethod
    def draw(cls, rng: np.random.Generator, sign: int, half: float) -> Side:
        """Draw a side beyond a road `half` metres wide on this side."""
        kind: Kind = rng.choice(["urban", "houses", "park", "works"], p=[0.44, 0.26, 0.16, 0.14])
        verge = rng.uniform(0.8, 3) if rng.random() < (0.15 if kind == "urban" else 0.45) else 0.0
        walk = half + verge + rng.uniform(1.5, 5)
        setback = {"urban": 0.0, "houses": rng.uniform(2.5, 7), "park": 14.0, "works": rng.uniform(1, 9)}[
            kind
        ]
        return cls(sign, kind, verge, half + verge, walk, walk + setback)


@dataclass(frozen=True)
class Street:
    """A street from the camera to `end`.

    Parameters
    ----------
    half : float
        Half the width of the road in metres.
    lanes : int
        Lanes over both directions.
    bend : float
        Curvature, 1/m; positive to the right.
    left, right : Side
        Its sides.
    crossing : tuple of float or None
        From where to where (z) a side street crosses.
    end : float
        Where the view is closed, metres.
    """

    half: float
    lanes: int
    bend: float
    left: Side
    right: Side
    crossing: tuple[float, float] | None
    end: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Street:
        """Draw a street."""
        lanes = int(rng.choice([1, 2, 3, 4], p=[0.25, 0.5, 0.15, 0.1]))
        parking = rng.choice([0.0, 2.2, 4.2], p=[0.5, 0.35, 0.15])
        half = (lanes * rng.uniform(2.5, 3.2) + parking + (1.0 if lanes == 1 else 0)) / 2
        start = rng.uniform(14, 45)
        crossing = (start, start + rng.uniform(6, 10)) if rng.random() < 0.35 else None
        bend = rng.normal(0, 0.0035) if rng.random() < 0.6 else 0.0
        left, right = Side.draw(rng, -1, half), Side.draw(rng, 1, half)
        return cls(half, lanes, bend, left, right, crossing, rng.uniform(60, 160))

    @property
    def sides(self) -> tuple[Side, Side]:
        """Left and right."""
        return self.left, self.right

    def middle(self, z: Floats | float) -> Floats:
        """The middle of the road, x in metres, at `z`."""
        bounded = np.minimum(np.asarray(z, np.float32), np.float32(200))
        middle: Floats = np.float32(self.bend / 2) * bounded * bounded
        return middle

    def place(self, across: float, z: float) -> float:
        """Return the x of a point `across` metres from the middle of the road at `z`."""
        return float(self.middle(z)) + across

    def blocked(self, z0: float, z1: float) -> bool:
        """Whether something from `z0` to `z1` would stand in the side street."""
        return self.crossing is not None and z0 < self.crossing[1] and z1 > self.crossing[0]

    def strips(self) -> list[tuple[float, int]]:
        """Where each strip of ground begins, from left to right, and its class."""
        beyond = {"urban": PAVEMENT, "houses": GRASS, "park": GRASS, "works": PAVEMENT}
        strips = [(-np.inf, beyond[self.left.kind]), (-self.left.walk, PAVEMENT)]
        if self.left.verge:
            strips.append((-self.left.kerb, GRASS))
        strips.append((-self.half, ROAD))
        if self.right.verge:
            strips.append((self.half, GRASS))
        strips.append((self.right.kerb, PAVEMENT))
        strips.append((self.right.walk, beyond[self.right.kind]))
        return strips
