"""One street scene from one seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenth.segmentation.scenes.camera import Camera
from tenth.segmentation.scenes.canvas import Canvas
from tenth.segmentation.scenes.ground import paint_ground
from tenth.segmentation.scenes.layout import furnish
from tenth.segmentation.scenes.light import Light, develop
from tenth.segmentation.scenes.sky import paint_sky
from tenth.segmentation.scenes.stage import Stage
from tenth.segmentation.scenes.street import Street


def generate_scene(
    seed: int, width: int = 320, height: int = 240
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Photograph a street that does not exist.

    Everything is drawn from `seed`: the street's plan, what stands in it, the weather, the time of day, the
    camera. Things are painted from far to near; each gives its class to the pixels that it covers by half or
    more, so the label map is exact.

    Parameters
    ----------
    seed : int
        0 or more; the same seed and size give the same scene.
    width, height : int, optional
        Size in pixels, at least 16 each.

    Returns
    -------
    image : (height, width, 3) uint8 array
        RGB.
    labels : (height, width) uint8 array
        Ids of `SCENE_CLASSES`; no pixel is ignored.

    Raises
    ------
    ValueError
        When `seed` is negative or the size too small.
    """
    if min(width, height) < 16:
        raise ValueError(f"A scene of {width}×{height} pixels is too small; each side has at least 16.")
    rng = np.random.default_rng(seed)
    street, light = Street.draw(rng), Light.draw(rng)
    camera = Camera.draw(rng, width, height, x=rng.uniform(-0.5, 1.25) * street.half)
    things = furnish(street, rng)
    stage = Stage(Canvas(width, height), camera, light, rng)
    for thing in things:
        for shadow in thing.shadows(light):
            stage.cast(shadow, 0.9)
    paint_sky(stage)
    paint_ground(stage, street)
    for thing in sorted(things, key=lambda thing: -thing.order):
        thing.draw(stage)
    return develop(stage.canvas.image, rng), stage.canvas.labels
