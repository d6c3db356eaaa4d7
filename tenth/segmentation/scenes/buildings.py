"""Buildings: boxes with facades, some with gabled roofs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tenth.segmentation.scenes.camera import Floats
from tenth.segmentation.scenes.facades import Facade
from tenth.segmentation.scenes.light import Light, linear
from tenth.segmentation.scenes.stage import Stage, box_shadow
from tenth.segmentation.scenes.street import Side, Street
from tenth.segmentation.scenes.vocabulary import BUILDING
from tenth.segmentation.scenes.walls import Wall, paint_wall


@dataclass(frozen=True)
class Building:
    """A building along the street.

    Parameters
    ----------
    sign : int
        Its side of the street: -1 left, 1 right.
    near, far : tuple of float
        (x, z) of its street front's two ends.
    depth : float
        From the front to the back, metres.
    height : float
        Of the wall up to the eaves.
    ridge : float
        Of the roof above the eaves; 0 for a flat one.
    facade : Facade
        Its looks.
    """

    sign: int
    near: tuple[float, float]
    far: tuple[float, float]
    depth: float
    height: float
    ridge: float
    facade: Facade

    @property
    def order(self) -> float:
        """Painted before whatever stands on the street in front of it."""
        return self.far[1]

    def shadows(self, light: Light) -> list[Floats]:
        """One for the whole box."""
        (x0, z0), (x1, z1) = self.near, self.far
        back = self.sign * self.depth
        corners = [(x0, max(z0, 0)), (x1, z1), (x1 + back, z1), (x0 + back, max(z0, 0))]
        return [box_shadow(light, corners, self.height + self.ridge / 2)]

    def draw(self, stage: Stage) -> None:
        """Paint the end that faces us, the front, the roof."""
        x0, z0 = self.near
        light, back = stage.light, self.sign * self.depth
        if z0 > 1.5:
            lit = light.on((0, 0, -1))
            ends = sorted([(x0, z0), (x0 + back, z0)])
            paint_wall(
                stage,
                Wall(ends[0], ends[1], 0, self.height),
                lambda r: self.facade.paint(r, light, lit),
                BUILDING,
            )
            if self.ridge:
                gable = [
                    (x0, self.height, z0),
                    (x0 + back / 2, self.height + self.ridge, z0),
                    (x0 + back, self.height, z0),
                ]
                stage.fill(gable, self.facade.wall * lit, BUILDING)
        front = light.on((-self.sign, 0, 0), shadow=0.0)
        begin, end = (self.far, self.near) if self.sign > 0 else (self.near, self.far)
        paint_wall(
            stage, Wall(begin, end, 0, self.height), lambda r: self.facade.paint(r, light, front), BUILDING
        )
        if self.ridge:
            self._roof(stage)

    def _roof(self, stage: Stage) -> None:
        rng = stage.rng
        (x0, z0), (x1, z1) = self.near, self.far
        middle = self.sign * self.depth / 2
        tiles = linear(*[(128, 66, 50), (84, 74, 70), (96, 100, 106), (110, 84, 66)][rng.integers(4)])
        rise = self.ridge / np.hypot(self.ridge, self.depth / 2)
        lit = stage.light.on((-self.sign * rise, (1 - rise * rise) ** 0.5, 0)) * rng.uniform(0.8, 1.1)
        z0 = max(z0, 1.0)
        steps = 5
        for k in range(steps):  # courses of tiles
            low, high = k / steps, (k + 1) / steps
            color = tiles * lit * np.float32(1 + 0.12 * (k % 2) + rng.normal(0, 0.04))
            quad = [
                (x0 + middle * low, self.height + self.ridge * low, z0),
                (x1 + middle * low, self.height + self.ridge * low, z1),
                (x1 + middle * high, self.height + self.ridge * high, z1),
                (x0 + middle * high, self.height + self.ridge * high, z0),
            ]
            stage.fill(quad, color, BUILDING)


def draw_row(street: Street, side: Side, rng: np.random.Generator) -> list[Building]:
    """Line one side of the street with buildings as its kind has them."""
    if side.kind == "park":
        return []
    row, z = [], rng.uniform(-4, 6) if side.kind == "urban" else rng.uniform(2, 14)
    tall = rng.uniform(6, 22)
    while z < street.end:
        length = {"urban": rng.uniform(7, 18), "houses": rng.uniform(7, 13), "works": rng.uniform(12, 30)}[
            side.kind
        ]
        if street.blocked(z, z + length):
            z = street.crossing[1] + rng.uniform(1.0, 3) if street.crossing else z
        height = {
            "urban": max(5.0, tall * rng.uniform(0.7, 1.3)),
            "houses": rng.choice([3.2, 5.6]) * rng.uniform(0.9, 1.1),
            "works": rng.uniform(4.5, 9),
        }[side.kind]
        ridge = (
            rng.uniform(2, 4)
            if side.kind == "houses" or (side.kind == "urban" and rng.random() < 0.2)
            else 0.0
        )
        front = side.front + rng.choice([0, 0, rng.uniform(0, 1.5)])
        row.append(
            Building(
                sign=side.sign,
                near=(street.place(side.sign * front, z), z),
                far=(street.place(side.sign * front, z + length), z + length),
                depth=rng.uniform(8, 13),
                height=height,
                ridge=ridge,
                facade=Facade.draw(rng, side.kind),
            )
        )
        gap = {
            "urban": 0.0 if rng.random() < 0.8 else 3.0,
            "houses": rng.uniform(2, 9),
            "works": rng.uniform(1, 18),
        }
        z += length + gap[side.kind]
    return row


@dataclass(frozen=True)
class Backdrop:
    """A building across the end of the street, facing us."""

    left: float
    right: float
    z: float
    height: float
    facade: Facade

    @property
    def order(self) -> float:
        """Behind everything in the street."""
        return self.z + 1000

    def shadows(self, light: Light) -> list[Floats]:
        """One before it, when the sun stands behind it."""
        return [box_shadow(light, [(self.left, self.z), (self.right, self.z)], self.height)]

    def draw(self, stage: Stage) -> None:
        """Paint its front."""
        lit = stage.light.on((0, 0, -1))
        begin, end = (self.left, self.z), (self.right, self.z)
        paint_wall(
            stage,
            Wall(begin, end, -1, self.height),
            lambda r: self.facade.paint(r, stage.light, lit),
            BUILDING,
        )


def draw_backdrop(street: Street, rng: np.random.Generator) -> list[Backdrop]:
    """Close the view at the end of the street with a skyline."""
    x, row = float(street.middle(street.end)) - 130, []
    while x < 130:
        width = rng.uniform(10, 30)
        if rng.random() < 0.75:
            z = street.end + rng.uniform(2, 60)
            row.append(Backdrop(x, x + width, z, rng.uniform(4, 26), Facade.draw(rng, "urban")))
        x += width
    return row
