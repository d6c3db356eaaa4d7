"""Upright surfaces with a texture: facades, fences, boards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tenth.segmentation.scenes.camera import NEAR, Camera, Floats
from tenth.segmentation.scenes.noise import patch, stripes
from tenth.segmentation.scenes.stage import Stage

_MOST = 300  # texture pixels along an edge; more would be lost in the picture


@dataclass(frozen=True)
class Raster:
    """The pixels of a texture, in metres: places along the wall and above the road, sizes, the wall's top."""

    along: Floats
    up: Floats
    wide: float
    tall: float
    top: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.up.size, self.along.size

    def columns(self, period: float, start: float, width: float) -> Floats:
        """(1, w) share of upright stripes; see `noise.stripes`."""
        return stripes(self.along, period, start, width, self.wide)[None, :]

    def rows(self, period: float, start: float, width: float) -> Floats:
        """(h, 1) share of level stripes."""
        return stripes(self.up, period, start, width, self.tall)[:, None]

    def band(self, low: float, high: float) -> Floats:
        """(h, 1) share of the rows between two heights."""
        share: Floats = np.clip((self.up - low) / self.tall + 0.5, 0, 1) * np.clip(
            (high - self.up) / self.tall + 0.5, 0, 1
        )
        return share[:, None]

    def noise(self, rng: np.random.Generator, roughness: float) -> Floats:
        """(h, w) noise."""
        return patch(rng, *self.shape, roughness)


@dataclass(frozen=True)
class Wall:
    """An upright rectangle.

    Parameters
    ----------
    begin, end : tuple of float
        Its foot: (x, z) of the left and the right end as seen.
    low, high : float
        From where to where it rises above the road, metres.
    """

    begin: tuple[float, float]
    end: tuple[float, float]
    low: float
    high: float


Texture = Callable[[Raster], Floats]
"""Paints a raster: (h, w, 3) linear RGB, lit, or (h, w, 4) with an alpha channel."""


def paint_wall(stage: Stage, wall: Wall, texture: Texture, label: int) -> None:
    """Paint an upright rectangle.

    Parameters
    ----------
    stage : Stage
        Where to paint.
    wall : Wall
        Where it stands.
    texture : callable
        Paints it.
    label : int
        Its class. See-through parts (alpha below one) are blended but belong to it all the same.
    """
    camera = stage.camera
    ends = np.array([(wall.begin[0], 0, wall.begin[1]), (wall.end[0], 0, wall.end[1])], np.float32)
    visible = _visible(camera, ends)
    if visible is None:
        return
    foot = ends[0] + (ends[1] - ends[0]) * np.array(visible, np.float32)[:, None]
    near, far = (float(depth) for depth in camera.depth(foot))
    # What rises out of the picture even at its farthest need not be painted.
    high = min(wall.high, camera.elevation + max(near, far) * (camera.horizon * 1.15 + 8) / camera.focal)
    corners = np.array([foot[0], foot[1], foot[1], foot[0]])
    corners[:2, 1], corners[2:, 1] = high, wall.low
    shape = camera.project(corners)
    covered = stage.canvas.coverage(shape)
    if covered is None or high <= wall.low:
        return
    rows, columns, coverage = covered
    painted = texture(_raster(shape, wall, visible, high))
    # Along a straight wall the distance grows evenly, so every column of the texture has its own haze.
    away = np.linspace(near, far, painted.shape[1], dtype=np.float32)
    painted[..., :3] = stage.light.through_air(painted[..., :3], np.broadcast_to(away, painted.shape[:2]))
    height, width = painted.shape[:2]
    source = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], np.float32)
    warp = cv2.getPerspectiveTransform(source, (shape - (columns.start, rows.start)).astype(np.float32))
    seen: Floats = cv2.warpPerspective(
        painted, warp, coverage.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32, copy=False)
    if seen.shape[2] == 4:
        seen = stage.canvas.image[rows, columns] * (1 - seen[..., 3:]) + seen[..., :3] * seen[..., 3:]
    stage.canvas.paint(rows, columns, coverage, seen, label)


def _visible(camera: Camera, ends: Floats) -> tuple[float, float] | None:
    """From which to which share of its length a wall may be in the picture."""
    reach = (camera.width * 0.58 + 4) / camera.focal
    depth = camera.depth(ends)
    across = (ends[:, 0] - camera.x) * np.cos(camera.yaw) - ends[:, 2] * np.sin(camera.yaw)
    low, high = 0.0, 1.0
    for inside in (depth - NEAR, reach * depth - across, reach * depth + across):
        begin, end = float(inside[0]), float(inside[1])  # at the two ends; even in between
        if begin < 0 and end < 0:
            return None
        if begin < 0:
            low = max(low, begin / (begin - end))
        elif end < 0:
            high = min(high, begin / (begin - end))
    return (low, high) if low < high else None


def _raster(shape: Floats, wall: Wall, visible: tuple[float, float], high: float) -> Raster:
    """Choose the pixels of a texture so that they come out about as large as those of the picture."""
    length = float(np.hypot(wall.end[0] - wall.begin[0], wall.end[1] - wall.begin[1]))
    across = max(np.abs(shape[0] - shape[1]).max(), np.abs(shape[3] - shape[2]).max())
    upward = max(np.abs(shape[0] - shape[3]).max(), np.abs(shape[1] - shape[2]).max())
    columns, rows = int(np.clip(across, 4, _MOST)), int(np.clip(upward, 4, _MOST))
    wide, tall = length * (visible[1] - visible[0]) / columns, (high - wall.low) / rows
    along = (length * visible[0] + (np.arange(columns) + 0.5) * wide).astype(np.float32)
    up = (high - (np.arange(rows) + 0.5) * tall).astype(np.float32)
    return Raster(along, up, wide, tall, wall.high)
