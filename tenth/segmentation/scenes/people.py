"""Pedestrians."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tenth.segmentation.scenes.camera import Floats
from tenth.segmentation.scenes.light import Light, linear
from tenth.segmentation.scenes.stage import Stage, box_shadow
from tenth.segmentation.scenes.vocabulary import PEDESTRIAN

_SKIN = ((236, 196, 168), (206, 156, 120), (150, 104, 76), (96, 66, 50))


@dataclass(frozen=True)
class Pedestrian:
    """A person, standing or walking.

    Parameters
    ----------
    x, z : float
        Where.
    height : float
        Metres.
    stride : float
        How far the feet are apart, share of the height.
    facing : float
        Width of the shoulders as seen: 1 from the front, 0.6 from the side.
    top, trousers, skin, hair : (3,) arrays
        Colours, linear RGB.
    coat, bag : bool
        Whether the top reaches the knees; whether there is a bag.
    """

    x: float
    z: float
    height: float
    stride: float
    facing: float
    top: Floats
    trousers: Floats
    skin: Floats
    hair: Floats
    coat: bool
    bag: bool

    @classmethod
    def draw_any(cls, rng: np.random.Generator, x: float, z: float) -> Pedestrian:
        """Draw a person."""
        bright = rng.random() < 0.45
        top = rng.uniform(20, 240, 3) if bright else rng.uniform(25, 110) + rng.normal(0, 8, 3)
        trousers = np.array([[40, 46, 62], [34, 32, 34], [110, 96, 76], [70, 74, 80]][rng.integers(4)])
        return cls(
            x,
            z,
            height=rng.uniform(1.05, 1.4) if rng.random() < 0.15 else rng.uniform(1.55, 1.92),
            stride=rng.uniform(0, 0.17),
            facing=rng.uniform(0.6, 1),
            top=linear(*np.clip(top, 10, 250)),
            trousers=linear(*np.clip(trousers + rng.normal(0, 12, 3), 10, 250)),
            skin=linear(*_SKIN[rng.integers(len(_SKIN))]),
            hair=linear(*(np.array([60, 46, 38]) * rng.uniform(0.4, 2.2))),
            coat=bool(rng.random() < 0.3),
            bag=bool(rng.random() < 0.35),
        )

    @property
    def order(self) -> float:
        """Its distance."""
        return self.z

    def shadows(self, light: Light) -> list[Floats]:
        """One, as wide as the shoulders."""
        return [box_shadow(light, [(self.x - 0.2, self.z), (self.x + 0.2, self.z)], self.height)]

    def draw(self, stage: Stage) -> None:
        """Paint legs, arms, body and head."""
        if self.z < 3 or not stage.shows(self.x, self.z, self.height):
            return
        lit = stage.light.on((0.2, 0.2, -0.9), stage.shadow_at(self.x, self.z)) * 1.1
        h, wide = self.height, self.facing

        def limb(start: tuple[float, float], end: tuple[float, float], thick: float, color: Floats) -> None:
            """A bar between two points, (aside, up) in shares of the height."""
            a, b = np.array(start), np.array(end)
            across = np.array([-(b - a)[1], (b - a)[0]]) / max(float(np.hypot(*(b - a))), 1e-6) * thick / 2
            corners = [a + across, b + across * 0.85, b - across * 0.85, a - across]
            stage.fill([(self.x + c[0] * h, c[1] * h, self.z) for c in corners], color * lit, PEDESTRIAN)

        step = self.stride
        limb((-0.035, 0.5), (-0.035 - step, 0.0), 0.085, self.trousers * 0.8)
        limb((0.035, 0.5), (0.035 + step, 0.0), 0.085, self.trousers)
        limb((-0.035 - step, 0.02), (0.03 - step, 0.02), 0.035, linear(30, 28, 28))
        limb((0.035 + step, 0.02), (0.1 + step, 0.02), 0.035, linear(30, 28, 28))
        swing = step * 0.8
        limb((-0.12 * wide, 0.8), (-0.13 * wide - swing * 0.6, 0.46), 0.055, self.top * 0.75)
        limb((0.0, 0.28 if self.coat else 0.46), (0.0, 0.82), (0.26 if self.coat else 0.22) * wide, self.top)
        limb((0.03 * wide, 0.3 if self.coat else 0.47), (0.05 * wide, 0.8), 0.1 * wide, self.top * 0.8)
        limb((0.12 * wide, 0.8), (0.13 * wide + swing * 0.6, 0.46), 0.055, self.top * 0.9)
        if self.bag:
            limb((0.15 * wide, 0.36), (0.15 * wide, 0.5), 0.13, self.hair + 0.05)
        limb((0.0, 0.8), (0.0, 0.87), 0.06, self.skin)
        self._head(stage, lit)

    def _head(self, stage: Stage, lit: Floats) -> None:
        turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        for up, size, color in ((0.945, 1.0, self.hair), (0.925, 0.78, self.skin)):
            ring = [
                (
                    self.x + 0.052 * size * np.cos(t) * self.height,
                    (up + 0.062 * size * np.sin(t)) * self.height,
                    self.z,
                )
                for t in turn
            ]
            stage.fill(ring, color * lit, PEDESTRIAN)
