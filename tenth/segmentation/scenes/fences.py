"""Fences, railings, walls and hoardings along the street."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tenth.segmentation.scenes.camera import Floats
from tenth.segmentation.scenes.facades import Facade
from tenth.segmentation.scenes.light import Light, linear
from tenth.segmentation.scenes.noise import stripes
from tenth.segmentation.scenes.stage import Stage
from tenth.segmentation.scenes.vocabulary import FENCE
from tenth.segmentation.scenes.walls import Raster, Wall, paint_wall


@dataclass(frozen=True)
class Fence:
    """One stretch of a fence.

    Parameters
    ----------
    sign : int
        Its side of the street.
    near, far : tuple of float
        (x, z) of its ends.
    height : float
        Metres.
    kind : {"planks", "railing", "mesh", "wall", "hoarding"}
        Its make.
    color : (3,) array
        Linear RGB.
    facade : Facade
        What a wall is built of.
    """

    sign: int
    near: tuple[float, float]
    far: tuple[float, float]
    height: float
    kind: Literal["planks", "railing", "mesh", "wall", "hoarding"]
    color: Floats
    facade: Facade

    @classmethod
    def draw_like(cls, rng: np.random.Generator) -> Fence:
        """Draw the make of a fence; `between` puts it in place."""
        kind = rng.choice(["planks", "railing", "mesh", "wall", "hoarding"], p=[0.28, 0.24, 0.12, 0.24, 0.12])
        tone = {
            "planks": (rng.uniform(80, 190), rng.uniform(0.72, 0.95), rng.uniform(0.5, 0.9)),
            "railing": (rng.uniform(25, 130), 1.0, 1.0),
            "mesh": (rng.uniform(90, 160), 1.05, 0.95),
            "wall": (150, 1.0, 1.0),
            "hoarding": (rng.uniform(60, 220), rng.uniform(0.5, 1.1), rng.uniform(0.4, 1.1)),
        }[str(kind)]
        color = linear(tone[0], min(255, tone[0] * tone[1]), min(255, tone[0] * tone[2]))
        height = {"planks": 1.5, "railing": 1.1, "mesh": 1.7, "wall": 1.2, "hoarding": 2.2}[str(kind)]
        facade = Facade.draw(rng, "houses")
        return cls(1, (0, 0), (0, 0), height * rng.uniform(0.7, 1.35), kind, color, facade)

    def between(self, sign: int, near: tuple[float, float], far: tuple[float, float]) -> Fence:
        """Return the same fence at another place."""
        return Fence(sign, near, far, self.height, self.kind, self.color, self.facade)

    @property
    def order(self) -> float:
        """Painted before what stands on the street in front of it."""
        return self.far[1]

    def shadows(self, light: Light) -> list[Floats]:
        """A strip along it."""
        slope = light.to_sun[[0, 2]] / max(float(light.to_sun[1]), 0.12) * self.height
        ends = np.array([self.near, self.far], np.float32)
        return [np.concatenate((ends, ends[::-1] - slope)).astype(np.float32)]

    def draw(self, stage: Stage) -> None:
        """Paint it; what shows between its bars belongs to it."""
        lit = stage.light.on((-self.sign, 0, 0), stage.shadow_at(*self.near) * 0.7)
        seed = int(stage.rng.integers(1 << 30))
        begin, end = (self.far, self.near) if self.sign > 0 else (self.near, self.far)
        paint_wall(stage, Wall(begin, end, 0, self.height), lambda r: self._texture(r, lit, seed), FENCE)

    def _texture(self, raster: Raster, lit: Floats, seed: int) -> Floats:
        rng = np.random.default_rng(seed)
        if self.kind == "wall":
            color = self.facade.wall_color(raster, rng) * lit
            coping = raster.band(self.height - 0.1, self.height)[..., None]
            return (color * (1 - 0.35 * coping)).astype(np.float32)
        if self.kind in ("planks", "hoarding"):
            return self._boards(raster, lit, rng)
        if self.kind == "railing":
            bars = raster.columns(0.13, 0, 0.03)
            rails = np.maximum(raster.band(self.height - 0.08, self.height), raster.band(0.1, 0.16))
            alpha = np.maximum(np.maximum(bars, rails), raster.columns(2, 0, 0.07))
        else:
            mesh = np.maximum(raster.columns(0.08, 0, 0.012), raster.rows(0.08, 0, 0.012))
            alpha = np.maximum(mesh + 0.12, raster.columns(2.5, 0, 0.08))
        color = np.broadcast_to(self.color * lit, (*raster.shape, 3))
        return np.dstack((color, np.clip(np.broadcast_to(alpha, raster.shape), 0, 1))).astype(np.float32)

    def _boards(self, raster: Raster, lit: Floats, rng: np.random.Generator) -> Floats:
        width = 0.16 if self.kind == "planks" else 2.4
        each = rng.normal(0, 0.1 if self.kind == "planks" else 0.03, 400)[
            (raster.along / width).astype(int) % 400
        ]
        value = (
            1 + each[None, :] + 0.09 * raster.noise(rng, 0.7) - 0.5 * raster.columns(width, 0, width * 0.1)
        )
        value = value * (1 - 0.25 * np.exp(-raster.up / 0.3)[:, None])
        color: Floats = self.color * lit * np.clip(value, 0.15, 2)[..., None]
        if self.kind == "hoarding":
            poster = stripes(raster.along, 4.8, 1.0, 1.6, raster.wide)[None, :] * raster.band(
                self.height * 0.3, self.height * 0.85
            )
            color += (linear(*rng.uniform(40, 240, 3)) * lit - color) * poster[..., None]
        return color.astype(np.float32)
