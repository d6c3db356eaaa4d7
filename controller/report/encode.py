"""Pictures as data URIs, small enough for a page that is sent by mail."""

from __future__ import annotations

import base64
import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tenth.segmentation.classes import ClassSet

WIDEST = 720
_STOPS = np.linspace(0, 255, 9).round().astype(np.uint8)


def _heat_color(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the heatmap's colours, (…, 3) RGB, of values 0..255 (H, W)."""
    colored = cv2.applyColorMap(values, cv2.COLORMAP_INFERNO)[..., ::-1]
    return np.ascontiguousarray(colored, np.uint8)


HEAT_COLORS: list[tuple[int, int, int]] = [
    (int(r), int(g), int(b)) for r, g, b in _heat_color(_STOPS[None])[0]
]
"""The heatmap's colours from sure to unsure, evenly spaced."""


def jpeg_uri(picture: NDArray[np.uint8]) -> str:
    """Return an RGB picture (H, W, 3) as a JPEG, at most `WIDEST` pixels wide."""
    return _jpeg(Image.fromarray(_shrunk(picture, cv2.INTER_AREA)))


def heat_uri(values: NDArray[np.floating[Any]], highest: float) -> str:
    """Return a map (H, W) as a heatmap: 0 is dark, `highest` and above bright."""
    scaled = np.clip(values / highest * 255, 0, 255).round().astype(np.uint8)
    return _jpeg(Image.fromarray(_heat_color(_shrunk(scaled, cv2.INTER_AREA))))


def label_uri(labels: NDArray[np.uint8], classes: ClassSet) -> str:
    """Return a label map (H, W) in the classes' colours, as a PNG with a palette."""
    image = Image.fromarray(_shrunk(labels, cv2.INTER_NEAREST), mode="L")
    image.putpalette(classes.palette.tobytes())
    return _uri(image, "png", optimize=True)


def _shrunk(picture: NDArray[np.uint8], interpolation: int) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    if width <= WIDEST:
        return picture
    size = (WIDEST, max(1, round(height * WIDEST / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=interpolation), np.uint8)


def _jpeg(image: Image.Image) -> str:
    return _uri(image, "jpeg", quality=85)


def _uri(image: Image.Image, kind: str, **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, kind.upper(), **options)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
