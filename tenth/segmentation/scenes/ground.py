"""The ground: asphalt, paving, grass, kerbs and markings, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenth.segmentation.scenes.camera import Floats
from tenth.segmentation.scenes.light import linear
from tenth.segmentation.scenes.noise import sample, stripes
from tenth.segmentation.scenes.stage import Stage
from tenth.segmentation.scenes.street import Street
from tenth.segmentation.scenes.vocabulary import GRASS, MARKING, PAVEMENT, ROAD


@dataclass(frozen=True)
class View:
    """Where the pixels lie, metres across from the middle of the road and ahead, and their sizes there."""

    across: Floats
    ahead: Floats
    wide: Floats
    long: Floats

    def texture(self, scale: float, roughness: float, offset: tuple[float, float]) -> Floats:
        """Noise that lies on the ground, `scale` of its pixels a metre, fading where it gets too fine."""
        noise = sample(self.across * scale, self.ahead * scale, roughness, offset)
        faded: Floats = noise * np.clip(1.2 / (scale * np.maximum(self.wide, self.long * 0.3)), 0, 1)
        return faded


def paint_ground(stage: Stage, street: Street) -> None:
    """Paint the ground over everything below the horizon."""
    canvas, light, rng = stage.canvas, stage.light, stage.rng
    ground = stage.camera.ground()
    z, scale, shadow = ground.z, ground.scale, stage.shadow[ground.rows]
    view = View(
        ground.x - street.middle(z),
        z,
        scale,
        np.maximum(scale * z / stage.camera.elevation, 1e-3).astype(np.float32),
    )
    strips = street.strips()
    makers = {ROAD: _asphalt, PAVEMENT: _paving, GRASS: _grass}
    surfaces = {label: makers[label](view, rng) for label in sorted({label for _, label in strips})}
    color = surfaces[strips[0][1]].copy()
    labels = np.full(z.shape, strips[0][1], np.uint8)
    for begin, label in strips[1:]:
        _lay(color, labels, np.clip((view.across - begin) / view.wide + 0.5, 0, 1), surfaces[label], label)
    _kerbs(view, street, color, rng)
    if street.crossing is not None:
        z0, z1 = street.crossing
        inside = np.clip((z - z0) / view.long + 0.5, 0, 1) * np.clip((z1 - z) / view.long + 0.5, 0, 1)
        _lay(color, labels, inside, surfaces[ROAD], ROAD)
    _markings(view, street, color, labels, rng)

    lit = (light.ambient + light.sun * light.to_sun[1]) * (1 - 0.25 * light.wet)
    lit = lit - (light.sun * light.to_sun[1]) * shadow[..., None]
    color = color * np.maximum(lit, 0.02)
    if light.wet:
        color += _mirror(stage, view)
    hazy = light.through_air(color, z)
    canvas.image[ground.rows][ground.seen] = hazy[ground.seen]
    canvas.labels[ground.rows][ground.seen] = labels[ground.seen]


def _lay(
    color: Floats,
    labels: NDArray[np.uint8],
    share: Floats,
    top: Floats,
    label: int,
) -> None:
    color += (top - color) * share[..., None]
    labels[share >= 0.5] = label


def _offset(rng: np.random.Generator) -> tuple[float, float]:
    x, y = rng.uniform(0, 500, 2)
    return float(x), float(y)


def _asphalt(view: View, rng: np.random.Generator) -> Floats:
    tone = rng.uniform(55, 150)
    warm = rng.normal(0, 5)
    base = linear(tone + warm, tone, np.clip(tone - warm, 0, 255))
    value = 1 + rng.uniform(0.03, 0.12) * view.texture(40, 0.4, _offset(rng))
    value += rng.uniform(0.03, 0.12) * view.texture(6, 1.0, _offset(rng))
    tracks = np.abs(np.abs(view.across) % 3.2 - 1.6)
    value -= rng.uniform(0, 0.15) * np.exp(-((tracks - 0.75) ** 2) * 9)
    if rng.random() < 0.5:  # patches of newer asphalt
        value -= rng.uniform(0.1, 0.3) * (view.texture(1.3, 1.7, _offset(rng)) > rng.uniform(0.6, 1.4))
    if rng.random() < 0.12:  # cobbles
        rows = stripes(view.ahead, 0.22, 0, 0.05, view.long)
        joints = np.maximum(rows, stripes(view.across, 0.16, 0, 0.035, view.wide))
        value -= 0.45 * joints
    return base * np.clip(value, 0.2, 2)[..., None]


def _paving(view: View, rng: np.random.Generator) -> Floats:
    kind = rng.choice(["slabs", "asphalt", "bricks", "concrete"], p=[0.35, 0.3, 0.2, 0.15])
    tone = rng.uniform(70, 175)
    base = linear(tone, tone * rng.uniform(0.92, 1.0), tone * rng.uniform(0.8, 1.0))
    if kind == "bricks":
        base = linear(rng.uniform(110, 165), rng.uniform(70, 105), rng.uniform(60, 90))
    value = 1 + rng.uniform(0.03, 0.12) * view.texture(32, 0.4, _offset(rng))
    value += rng.uniform(0.02, 0.1) * view.texture(4, 1.0, _offset(rng))
    if kind in ("slabs", "bricks"):
        size = rng.uniform(0.4, 0.9) if kind == "slabs" else rng.uniform(0.12, 0.25)
        joints = np.maximum(
            stripes(view.across, size, 0.1, size * 0.08, view.wide),
            stripes(view.ahead, size, 0, size * 0.08, view.long),
        )
        value -= rng.uniform(0.2, 0.5) * joints
        value += (
            0.08
            * np.sin(np.floor(view.across / size) * 12.9 + np.floor(view.ahead / size) * 78.2)
            * (view.long < size)
        )
    return base * np.clip(value, 0.2, 2)[..., None]


def _grass(view: View, rng: np.random.Generator) -> Floats:
    green = linear(rng.uniform(70, 125), rng.uniform(100, 145), rng.uniform(40, 75))
    dry = linear(rng.uniform(120, 165), rng.uniform(115, 140), rng.uniform(65, 95))
    blend = np.clip(rng.uniform(0, 0.7) + 0.3 * view.texture(1.5, 1.7, _offset(rng)), 0, 1)[..., None]
    value = 1 + 0.28 * view.texture(25, 0.4, _offset(rng)) + 0.15 * view.texture(5, 1.0, _offset(rng))
    color: Floats = (green * (1 - blend) + dry * blend) * np.clip(value, 0.3, 2)[..., None]
    return color


def _kerbs(view: View, street: Street, color: Floats, rng: np.random.Generator) -> None:
    stone = linear(*([rng.uniform(110, 190)] * 3))
    for side in street.sides:
        distance = np.abs(view.across * side.sign - side.kerb - 0.07)
        share = np.clip((0.07 - distance) / view.wide + 0.5, 0, 1) * np.minimum(1, 0.14 / view.wide)
        color += (stone - color) * (share * 0.8)[..., None]


def _markings(
    view: View,
    street: Street,
    color: Floats,
    labels: NDArray[np.uint8],
    rng: np.random.Generator,
) -> None:
    """Lines between the lanes and at the edges, stop lines and zebra crossings."""
    yellow = rng.random() < 0.15
    paint = linear(*((215, 175, 70) if yellow else ([rng.uniform(175, 250)] * 3)))
    wear = np.clip(rng.uniform(0.6, 1.1) + 0.3 * view.texture(5, 1.0, _offset(rng)), 0.25, 1)

    def line(across: float, width: float, dashes: Floats | float) -> Floats:
        share: Floats = np.clip((width / 2 - np.abs(view.across - across)) / view.wide + 0.5, 0, 1)
        narrow: Floats = np.minimum(1, width / view.wide)
        return share * narrow * dashes

    on = np.zeros_like(color[..., 0])
    if street.lanes > 1 and rng.random() < 0.9:
        period, phase = rng.uniform(5, 12), rng.uniform(0, 10)
        dashed = stripes(view.ahead, period, phase, period * rng.uniform(0.35, 0.6), view.long)
        spacing, width = 2 * street.half / street.lanes, rng.uniform(0.1, 0.2)
        for lane in range(1, street.lanes):
            solid = lane * 2 == street.lanes and rng.random() < 0.4
            on = np.maximum(on, line(lane * spacing - street.half, width, 1.0 if solid else dashed))
    if rng.random() < 0.35:
        for sign in (-1, 1):
            on = np.maximum(on, line(sign * (street.half - 0.35), rng.uniform(0.1, 0.18), 1.0))
    if rng.random() < 0.3:
        at, length = rng.uniform(7, 28), rng.uniform(2.5, 4)
        here = np.clip((length / 2 - np.abs(view.ahead - at)) / view.long + 0.5, 0, 1)
        inside = np.clip((street.half - 0.2 - np.abs(view.across)) / view.wide + 0.5, 0, 1)
        on = np.maximum(on, stripes(view.across, rng.uniform(0.9, 1.2), 0, 0.5, view.wide) * here * inside)
    if street.crossing is not None:
        on *= (view.ahead < street.crossing[0]) | (view.ahead > street.crossing[1])
        stop = np.clip((0.2 - np.abs(view.ahead - street.crossing[0] + 1)) / view.long + 0.5, 0, 1)
        on = np.maximum(on, stop * (np.abs(view.across - street.half / 2) < street.half / 2))
    color += (paint - color) * (on * wear)[..., None]
    labels[(on >= 0.5) & (labels == ROAD)] = MARKING


def _mirror(stage: Stage, view: View) -> Floats:
    """What a wet road throws back of the sky."""
    puddles = np.clip(0.45 + 0.35 * view.texture(1.0, 1.7, _offset(stage.rng)), 0, 1)
    glancing = np.clip(view.ahead / 40, 0.05, 0.5)
    return stage.light.horizon * (puddles * glancing * np.float32(stage.light.wet * 0.6))[..., None]
