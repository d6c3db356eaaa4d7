"""Trees, bushes and hedges."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from tenth.segmentation.scenes.camera import Floats
from tenth.segmentation.scenes.light import Light, linear
from tenth.segmentation.scenes.noise import patch
from tenth.segmentation.scenes.stage import Stage, box_shadow
from tenth.segmentation.scenes.vocabulary import TREE

_LEAVES = (
    (62, 92, 40),
    (84, 108, 44),
    (44, 76, 42),
    (110, 120, 52),
    (150, 112, 44),
    (150, 84, 44),
    (92, 100, 78),
)


@dataclass(frozen=True)
class Plant:
    """A tree, or with no trunk a bush.

    Parameters
    ----------
    x, z : float
        Where it stands.
    trunk : float
        Height of the trunk below the crown, metres; 0 for a bush.
    girth : float
        Width of the trunk.
    radius, tall : float
        Half the width and half the height of the crown.
    density : float
        0 thin, 1 closed.
    leaves : (3,) array
        Colour of the leaves, linear RGB.
    behind : float
        How much farther it counts when things are painted: for those behind buildings.
    """

    x: float
    z: float
    trunk: float
    girth: float
    radius: float
    tall: float
    density: float
    leaves: Floats
    behind: float = 0.0

    @classmethod
    def draw_tree(cls, rng: np.random.Generator, x: float, z: float, behind: float = 0.0) -> Plant:
        """Draw a tree."""
        radius = rng.uniform(1.2, 3.8)
        return cls(
            x,
            z,
            trunk=rng.uniform(1.8, 3.6),
            girth=rng.uniform(0.14, 0.5),
            radius=radius,
            tall=radius * rng.uniform(0.8, 1.7),
            density=rng.uniform(0.25, 1),
            leaves=_leaf_color(rng),
            behind=behind,
        )

    @classmethod
    def draw_bush(cls, rng: np.random.Generator, x: float, z: float) -> Plant:
        """Draw a bush."""
        radius = rng.uniform(0.5, 1.6)
        return cls(x, z, 0, 0, radius, radius * rng.uniform(0.4, 0.8), rng.uniform(0.7, 1), _leaf_color(rng))

    @property
    def order(self) -> float:
        """Its distance."""
        return self.z + self.behind

    def shadows(self, light: Light) -> list[Floats]:
        """The crown's and the trunk's."""
        if self.behind:
            return []
        slope = light.to_sun[[0, 2]] / max(float(light.to_sun[1]), 0.12)
        turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        stretch = 1 + 0.5 * float(np.hypot(*slope))
        centre = np.array([self.x, self.z]) - slope * (self.trunk + self.tall)
        crown = centre + self.radius * np.stack((np.cos(turn), np.sin(turn) * stretch), axis=1)
        half = self.girth / 2
        trunk = box_shadow(light, [(self.x - half, self.z), (self.x + half, self.z)], self.trunk + self.tall)
        return [crown.astype(np.float32), trunk] if self.trunk else [crown.astype(np.float32)]

    def draw(self, stage: Stage) -> None:
        """Paint trunk and crown."""
        if not stage.shows(self.x, self.z, self.radius + 1):
            return
        shade = stage.shadow_at(self.x, self.z) * 0.6
        if self.trunk:
            self._trunk(stage, shade)
        pixel = stage.camera.focal / self.z
        top, base = self.trunk + 2 * self.tall, self.trunk * 0.85
        centre = stage.camera.project(np.array([self.x, (top + base) / 2, self.z], np.float32))
        reach = np.array([self.radius * pixel + 1.5, (top - base) / 2 * pixel + 1.5])
        x0, y0 = np.maximum(np.floor(centre - reach), 0).astype(int)
        x1, y1 = np.minimum(np.ceil(centre + reach), (stage.camera.width, stage.camera.height)).astype(int)
        if x0 < x1 and y0 < y1:
            x = ((np.arange(x0, x1) - centre[0]) / reach[0]).astype(np.float32)
            y = ((np.arange(y0, y1) - centre[1]) / reach[1]).astype(np.float32)
            color, cover = self._crown(stage, x[None, :], y[:, None], shade)
            stage.canvas.paint(slice(y0, y1), slice(x0, x1), cover, color, TREE)

    def _trunk(self, stage: Stage, shade: float) -> None:
        lit = stage.light.on((-0.3, 0.2, -0.9), shade)
        bark = linear(*(np.array([92, 74, 58]) * stage.rng.uniform(0.6, 1.4))) * lit
        half, lean = self.girth / 2, stage.rng.normal(0, 0.04)
        top = self.trunk + self.tall
        for from_x, to_x, tone in ((-half, half, 1.0), (half * 0.2, half, 0.6)):
            quad = [
                (self.x + from_x * 1.25, 0, self.z),
                (self.x + from_x * 0.8 + lean * top, top, self.z),
                (self.x + to_x * 0.8 + lean * top, top, self.z),
                (self.x + to_x * 1.25, 0, self.z),
            ]
            stage.fill(quad, bark * np.float32(tone), TREE)

    def _crown(self, stage: Stage, x: Floats, y: Floats, shade: float) -> tuple[Floats, Floats]:
        """Leaves in clumps at (1, w) and (h, 1) places, -1..1: (h, w, 3) colour and (h, w) coverage."""
        rng, pixel = stage.rng, stage.camera.focal / self.z
        height, width = y.size, x.size
        body: Floats = np.full((height, width), -1, np.float32)
        relief: Floats = np.zeros((height, width), np.float32)
        for _ in range(9 if pixel * self.radius > 12 else 5):
            turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.55)
            cx, cy, size = far * math.cos(turn), far * math.sin(turn), rng.uniform(0.38, 0.6)
            clump = (1 - (y - cy) ** 2 / size**2) - (x - cx) ** 2 / size**2
            relief = np.where(clump > body, (y - cy) / size, relief)
            np.maximum(body, clump, out=body)
        fine = min(max(14 / pixel, 0.6), 6.0)
        noise = 0.8 * patch(rng, height, width, 1.0, fine) + 0.5 * patch(rng, height, width, 0.4)
        edge = body + noise * 0.16 - 0.3 * (1 - self.density) * (1 + 0.6 * noise)
        cover = np.clip(edge * np.float32(8) - 0.2, 0, 1).astype(np.float32)
        cover = cv2.GaussianBlur(cover, (3, 3), 0.5).astype(np.float32)
        side = float(stage.light.to_sun[0])
        lit = stage.light.on((0, 0.6, -0.5), shade)
        tone = 0.75 - 0.35 * relief + 0.22 * x * np.float32(side) + 0.42 * noise
        color = self.leaves * lit * np.clip(tone, 0.12, 2)[..., None]
        return stage.light.through_air(color.astype(np.float32), self.z), cover


def _leaf_color(rng: np.random.Generator) -> Floats:
    color = np.array(_LEAVES[rng.choice(len(_LEAVES), p=[0.22, 0.22, 0.2, 0.14, 0.08, 0.06, 0.08])])
    return linear(*np.clip(color * rng.uniform(0.75, 1.25) + rng.normal(0, 6, 3), 10, 240))
