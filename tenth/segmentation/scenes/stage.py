"""Where things are drawn: canvas, camera and light together, and the shadows on the ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np

from tenth.segmentation.scenes.camera import Camera, Floats
from tenth.segmentation.scenes.canvas import Canvas
from tenth.segmentation.scenes.light import Light


@dataclass
class Stage:
    """Canvas, camera, light and dice of a scene.

    Attributes
    ----------
    shadow : (H, W) float32 array
        Share of the sun that is taken from the ground each pixel sees.
    """

    canvas: Canvas
    camera: Camera
    light: Light
    rng: np.random.Generator
    shadow: Floats = field(init=False)

    def __post_init__(self) -> None:
        """Begin without shadows."""
        self.shadow = np.zeros(self.canvas.labels.shape, np.float32)

    def fill(self, points: Sequence[Sequence[float]] | Floats, color: Floats, label: int | None) -> None:
        """Paint a polygon of world points (N, 3) in one lit colour, seen through the air."""
        world = np.asarray(points, np.float32)
        distance = max(1.0, float(self.camera.depth(world).mean()))
        self.canvas.fill(self.camera.polygon(world), self.light.through_air(color, distance), label)

    def shows(self, x: float, z: float, reach: float) -> bool:
        """Whether something at (x, z) that reaches so many metres around may be in the picture."""
        depth = float(self.camera.depth(np.array([x, 0, z], np.float32)))
        if depth < 1.5:
            return False
        u = float(self.camera.project(np.array([x, self.camera.elevation, z], np.float32))[0])
        # A tilted camera moves high things aside, hence the margin.
        return abs(u - self.camera.width / 2) < self.camera.width * 0.6 + reach / depth * self.camera.focal

    def shadow_at(self, x: float, z: float) -> float:
        """Share of the sun that is missing at a place on the ground; 0 outside the picture."""
        u, v = np.round(self.camera.project(np.array([x, 0, max(z, 1.5)], np.float32))).astype(int)
        height, width = self.shadow.shape
        return float(self.shadow[v, u]) if 0 <= u < width and 0 <= v < height else 0.0

    def cast(self, polygon: Floats, strength: float = 1.0) -> None:
        """Darken the ground inside a polygon (N, 2) of (x, z)."""
        world = np.insert(polygon.astype(np.float32), 1, 0, axis=1)
        shape = self.camera.polygon(world)
        covered = None if shape is None else self.canvas.coverage(shape)
        if covered is not None:
            rows, columns, coverage = covered
            part = self.shadow[rows, columns]
            np.maximum(part, coverage * np.float32(strength), out=part)


class Thing(Protocol):
    """What stands in a scene."""

    @property
    def order(self) -> float:
        """Distance by which things are painted, the farthest first."""

    def shadows(self, light: Light) -> list[Floats]:
        """Polygons (N, 2) of (x, z) that it darkens."""

    def draw(self, stage: Stage) -> None:
        """Paint it."""


def box_shadow(light: Light, corners: Sequence[tuple[float, float]], height: float) -> Floats:
    """Shadow on the ground of a prism over `corners` (x, z)."""
    base = np.array(corners, np.float32)
    slope = light.to_sun[[0, 2]] / max(float(light.to_sun[1]), 0.12)
    points = np.concatenate((base, base - slope * np.float32(height)))
    return cv2.convexHull(points)[:, 0, :].astype(np.float32)
