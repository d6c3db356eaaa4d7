"""Upright surfaces with a texture: facades, fences, boards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tenth.segmentation.scenes.camera import NEAR, Floats
from tenth.segmentation.scenes.noise import patch, stripes
from tenth.segmentation.scenes.stage import Stage

_MOST = 300  # texture pixels along an edge; more would be lost in the picture


@dataclass(frozen=True)
class Raster:
    """The pixels of a texture in metres: places along the wall and above its foot, sizes of a pixel."""

    along: Floats
    up: Floats
    wide: float
    tall: float

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


Texture = Callable[[Raster], Floats]
"""Paints a raster: (h, w, 3) linear RGB, lit, or (h, w, 4) with an alpha channel."""


def paint_wall(
    stage: Stage,
    begin: tuple[float, float],
    end: tuple[float, float],
    low: float,
    high: float,
    texture: Texture,
    label: int,
) -> None:
    """Paint an upright rectangle.

    Parameters
    ----------
    stage : Stage
        Where to paint.
    begin, end : tuple of float
        Its foot: (x, z) of the left and the right end as seen.
    low, high : float
        From where to where it rises above the road, metres.
    texture : callable
        Paints it.
    label : int
        Its class. See-through parts (alpha below one) are blended but belong to it all the same.
    """
    foot = np.array([(begin[0], 0, begin[1]), (end[0], 0, end[1])], np.float32)
    depth = stage.camera.depth(foot)
    if (depth <= NEAR).all():
        return
    for i in (0, 1):  # pull an end that lies behind the camera forward to the nearest visible place
        if depth[i] < NEAR:
            foot[i] += (foot[1 - i] - foot[i]) * ((NEAR - depth[i]) / (depth[1 - i] - depth[i]))
    corners = np.array([foot[0], foot[1], foot[1], foot[0]])
    corners[:2, 1], corners[2:, 1] = high, low
    shape = stage.camera.project(corners)
    covered = stage.canvas.coverage(shape)
    if covered is None:
        return
    rows, columns, coverage = covered
    raster = _raster(shape, float(np.hypot(*(foot[1] - foot[0])[[0, 2]])), high - low)
    painted = texture(raster)
    # Along a straight wall the distance grows evenly, so every column of the texture has its own haze.
    away = np.linspace(*np.maximum(stage.camera.depth(foot), NEAR), raster.along.size, dtype=np.float32)
    painted[..., :3] = stage.light.through_air(painted[..., :3], np.broadcast_to(away, raster.shape))
    height, width = raster.shape
    source = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], np.float32)
    target = (np.clip(shape, -1e5, 1e5) - (columns.start, rows.start)).astype(np.float32)
    warp = cv2.getPerspectiveTransform(source, target)
    seen = cv2.warpPerspective(
        painted, warp, coverage.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if seen.shape[2] == 4:
        seen = stage.canvas.image[rows, columns] * (1 - seen[..., 3:]) + seen[..., :3] * seen[..., 3:]
    stage.canvas.paint(rows, columns, coverage, seen, label)


def _raster(shape: Floats, length: float, height: float) -> Raster:
    """Choose the pixels of a texture so that they come out about as large as those of the picture."""
    across = max(np.abs(shape[0] - shape[1]).max(), np.abs(shape[3] - shape[2]).max())
    upward = max(np.abs(shape[0] - shape[3]).max(), np.abs(shape[1] - shape[2]).max())
    columns, rows = int(np.clip(across, 4, _MOST)), int(np.clip(upward, 4, _MOST))
    wide, tall = length / columns, height / rows
    along = ((np.arange(columns) + 0.5) * wide).astype(np.float32)
    up = (height - (np.arange(rows) + 0.5) * tall).astype(np.float32)
    return Raster(along, up, wide, tall)
