"""The camera: a pinhole above the road, looking along it.

World coordinates are metres: x to the right, y up from the road, z ahead. Image coordinates are pixels with
the centre of the first pixel at (0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

NEAR = 1.0
"""Nothing closer than this, in metres ahead, is drawn."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Parameters
    ----------
    width, height : int
        Size of the picture in pixels.
    focal : float
        Focal length in pixels.
    elevation : float
        Height above the road in metres.
    x : float
        Place across the road in metres.
    horizon : float
        Row of the horizon in the middle of the picture.
    yaw, roll : float
        Turn to the right and tilt, radians.
    """

    width: int
    height: int
    focal: float
    elevation: float
    x: float
    horizon: float
    yaw: float
    roll: float

    @classmethod
    def draw(cls, rng: np.random.Generator, width: int, height: int, x: float) -> Camera:
        """Draw a camera as it may hang in a car or be held by a person at `x` metres."""
        return cls(
            width=width,
            height=height,
            focal=width * rng.uniform(0.75, 1.15),
            elevation=rng.uniform(1.2, 2.3),
            x=x,
            horizon=height * rng.uniform(0.4, 0.56),
            yaw=rng.normal(0, 0.12),
            roll=rng.normal(0, 0.018),
        )

    def depth(self, points: Floats) -> Floats:
        """Distance ahead of the camera of `points` (..., 3), in metres."""
        sin, cos = math.sin(self.yaw), math.cos(self.yaw)
        return (points[..., 0] - self.x) * sin + points[..., 2] * cos

    def project(self, points: Floats) -> Floats:
        """Return the image coordinates (..., 2) of `points` (..., 3), which lie ahead of the camera."""
        sin, cos = math.sin(self.yaw), math.cos(self.yaw)
        x, z = points[..., 0] - self.x, points[..., 2]
        scale = self.focal / (x * sin + z * cos)
        u, v = (x * cos - z * sin) * scale, (self.elevation - points[..., 1]) * scale
        sin, cos = math.sin(self.roll), math.cos(self.roll)
        places = np.empty((*points.shape[:-1], 2), np.float32)
        places[..., 0] = u * cos - v * sin + (self.width - 1) / 2
        places[..., 1] = u * sin + v * cos + self.horizon
        return places

    def polygon(self, points: Floats) -> Floats | None:
        """Project a polygon (N, 3), cut off at `NEAR`; ``None`` when nothing of it is ahead."""
        depth = self.depth(points) - NEAR
        if (depth < 0).all():
            return None
        if (depth < 0).any():
            points = _clip(points, depth)
        return self.project(points)

    def ground(self) -> Ground:
        """Say which place on the ground each pixel below the horizon sees."""
        tilt = abs(np.tan(self.roll)) * self.width / 2
        first = int(np.clip(self.horizon - tilt - 1, 0, self.height - 1))
        v, u = np.mgrid[first : self.height, : self.width].astype(np.float32)
        cos, sin = np.float32(np.cos(self.roll)), np.float32(np.sin(self.roll))
        u, v = u - np.float32((self.width - 1) / 2), v - np.float32(self.horizon)
        u, v = u * cos + v * sin, v * cos - u * sin
        depth = np.float32(self.focal * self.elevation) / np.maximum(v, np.float32(0.05))
        scale = depth / np.float32(self.focal)
        across, cos, sin = u * scale, np.float32(np.cos(self.yaw)), np.float32(np.sin(self.yaw))
        x = np.float32(self.x) + across * cos + depth * sin
        return Ground(slice(first, self.height), v > 0.05, x, depth * cos - across * sin, scale)


@dataclass(frozen=True)
class Ground:
    """What the lower part of a picture sees of the ground.

    Parameters
    ----------
    rows : slice
        The rows that reach below the horizon.
    seen : (h, W) bool array
        Which of their pixels do.
    x, z : (h, W) float32 arrays
        The place, metres.
    scale : (h, W) float32 array
        Metres across that one pixel covers.
    """

    rows: slice
    seen: NDArray[np.bool_]
    x: Floats
    z: Floats
    scale: Floats


def _clip(points: Floats, depth: Floats) -> Floats:
    """Cut a polygon where `depth` is negative (Sutherland and Hodgman)."""
    kept = []
    for i in range(len(points)):
        j = (i + 1) % len(points)
        if depth[i] >= 0:
            kept.append(points[i])
        if (depth[i] >= 0) != (depth[j] >= 0):
            kept.append(points[i] + (points[j] - points[i]) * (depth[i] / (depth[i] - depth[j])))
    return np.array(kept, np.float32)
