"""The sky: a gradient, clouds in perspective, the sun's glow."""

from __future__ import annotations

import numpy as np

from tenth.segmentation.scenes.noise import sample
from tenth.segmentation.scenes.stage import Stage
from tenth.segmentation.scenes.vocabulary import SKY


def paint_sky(stage: Stage) -> None:
    """Fill the whole canvas with sky."""
    camera, light, rng = stage.camera, stage.light, stage.rng
    v, u = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    up = np.clip((camera.horizon - v) / camera.focal, 0, None)
    side = (u - camera.width / 2) / camera.focal
    blend = np.clip(up * np.float32(rng.uniform(1.2, 2.4)), 0, 1)[..., None] ** np.float32(0.7)
    sky = light.horizon * (1 - blend) + light.zenith * blend

    # Clouds hang in a plane overhead, so they shrink and flatten towards the horizon.
    distance = 1 / (up + 0.12)
    offset = tuple(rng.uniform(0, 500, 2))
    scale = rng.uniform(25, 60)
    density = sample(side * distance * scale, distance * scale, 1.7, (offset[0], offset[1]))
    density += 0.25 * sample(side * distance * scale * 4, distance * scale * 4, 1.0, (offset[1], offset[0]))
    threshold = 1.6 - 3.4 * light.clouds
    cover = np.clip((density - threshold) * np.float32(rng.uniform(0.5, 1.2)), 0, 1)[..., None]
    bright = light.cloud * (0.78 + 0.14 * np.clip(density, -1.5, 1.5))[..., None]
    sky += (bright - sky) * cover

    sun = light.to_sun
    if sun[2] > 0.1:
        glow = np.exp(-((side - sun[0] / sun[2]) ** 2 + (up - sun[1] / sun[2]) ** 2) * 6)
        sky += light.sun * (glow * np.float32(0.5))[..., None]
    stage.canvas.image[:] = sky
    stage.canvas.labels[:] = SKY
