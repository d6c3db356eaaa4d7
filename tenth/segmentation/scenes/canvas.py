"""Picture and label map, painted together: what covers a pixel by half or more gives it its label."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tenth.segmentation.scenes.camera import Floats

_SHIFT = 4  # OpenCV takes polygon corners in sixteenths of a pixel


class Canvas:
    """A picture in linear light with its label map; painted from far to near.

    Parameters
    ----------
    width, height : int
        Size in pixels.

    Attributes
    ----------
    image : (H, W, 3) float32 array
        Linear RGB, 0 and up.
    labels : (H, W) uint8 array
        Class ids.
    """

    def __init__(self, width: int, height: int) -> None:
        self.image: Floats = np.zeros((height, width, 3), np.float32)
        self.labels: NDArray[np.uint8] = np.zeros((height, width), np.uint8)

    def coverage(self, *polygons: Floats) -> tuple[slice, slice, Floats] | None:
        """Return how much of each pixel the union of `polygons`, each (N, 2), covers.

        Returns
        -------
        rows, columns, coverage : slice, slice, (h, w) float32 array
            The part of the picture they touch and the share of each pixel there; ``None`` when there is none.
        """
        height, width = self.labels.shape
        corners = np.concatenate(polygons)
        x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
        x1, y1 = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 2, (width, height))
        if x0 >= x1 or y0 >= y1:
            return None
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        for polygon in polygons:
            places = np.round((np.clip(polygon, -20000, 20000) - (x0, y0)) * (1 << _SHIFT)).astype(np.int32)
            cv2.fillPoly(mask, [places], 255, cv2.LINE_AA, _SHIFT)
        return slice(y0, y1), slice(x0, x1), mask.astype(np.float32) / 255

    def paint(self, rows: slice, columns: slice, coverage: Floats, color: Floats, label: int | None) -> None:
        """Blend `color`, (3,) or (h, w, 3) linear RGB, over a part of the picture.

        A `label` of ``None`` changes the picture alone: paint on what is there, such as a window.
        """
        part = self.image[rows, columns]
        part += (color - part) * coverage[..., None]
        if label is not None:
            self.labels[rows, columns][coverage >= 0.5] = label

    def fill(self, polygon: Floats | None, color: Floats, label: int | None) -> None:
        """Paint a polygon (N, 2) in one colour."""
        covered = None if polygon is None else self.coverage(polygon)
        if covered is not None:
            self.paint(*covered, color, label)
