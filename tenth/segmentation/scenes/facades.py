"""What facades are made of: walls, windows, doors and shops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tenth.segmentation.scenes.camera import Floats
from tenth.segmentation.scenes.light import Light, linear
from tenth.segmentation.scenes.noise import sample
from tenth.segmentation.scenes.walls import Raster

_WALLS = {
    "brick": ((150, 84, 66), (122, 66, 54), (168, 112, 84), (132, 96, 80)),
    "plaster": (
        (226, 218, 200),
        (206, 180, 140),
        (190, 196, 200),
        (222, 190, 160),
        (170, 180, 160),
        (200, 150, 130),
    ),
    "stone": ((176, 164, 142), (150, 144, 134), (126, 120, 114), (190, 178, 158)),
    "panel": ((150, 156, 164), (110, 118, 128), (186, 190, 192), (92, 100, 112), (150, 130, 110)),
    "glass": ((96, 116, 136), (70, 86, 102), (110, 134, 142)),
    "wood": ((140, 104, 72), (112, 84, 64), (182, 176, 164), (110, 124, 130)),
}


@dataclass(frozen=True)
class Facade:
    """How a building looks; lengths are metres, colours linear RGB.

    Parameters
    ----------
    material : str
        ``brick``, ``plaster``, ``stone``, ``panel``, ``glass`` or ``wood``.
    wall, frame, accent : (3,) arrays
        Colours of the wall, of window frames, of shops, doors and balconies.
    floor, bay : float
        Height of a floor, distance of the windows.
    window : tuple of float
        Width and height of a window as shares of bay and floor.
    shop : bool
        Whether the ground floor has shop windows.
    balconies : bool
        Whether there are balconies.
    seed : int
        Of everything that varies from window to window.
    """

    material: str
    wall: Floats
    frame: Floats
    accent: Floats
    floor: float
    bay: float
    window: tuple[float, float]
    shop: bool
    balconies: bool
    seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator, kind: str) -> Facade:
        """Draw a facade for a street of one kind."""
        chances = {
            "urban": [0.24, 0.3, 0.2, 0.12, 0.12, 0.02],
            "houses": [0.4, 0.36, 0.06, 0.0, 0.0, 0.18],
            "works": [0.2, 0.1, 0.0, 0.6, 0.05, 0.05],
            "park": [0.2, 0.4, 0.2, 0.1, 0.1, 0.0],
        }[kind]
        material = str(rng.choice(list(_WALLS), p=chances))
        options = _WALLS[material]
        color = np.array(options[rng.integers(len(options))]) * rng.uniform(0.8, 1.1) + rng.normal(0, 8, 3)
        return cls(
            material=material,
            wall=linear(*np.clip(color, 20, 250)),
            frame=linear(*([rng.choice([60, 120, 200, 235])] * 3)),
            accent=linear(*rng.uniform(30, 220, 3)),
            floor=rng.uniform(2.7, 3.8),
            bay=rng.uniform(1.6, 3.6),
            window=(0.93, 0.85) if material == "glass" else (rng.uniform(0.35, 0.7), rng.uniform(0.4, 0.65)),
            shop=bool(kind == "urban" and rng.random() < 0.5),
            balconies=bool(kind in ("urban", "park") and rng.random() < 0.2),
            seed=int(rng.integers(1 << 30)),
        )

    def wall_color(self, raster: Raster, rng: np.random.Generator) -> Floats:
        """(h, w, 3) colour of the bare wall."""
        value = 1 + 0.1 * raster.noise(rng, 0.7) + 0.07 * raster.noise(rng, 1.7)
        if self.material == "brick":
            value = (
                value * (1 - 0.28 * raster.rows(0.24, 0, 0.05)) * (1 - 0.14 * raster.columns(0.5, 0, 0.05))
            )
        elif self.material == "panel":
            value = (
                value
                * (1 - 0.3 * raster.columns(self.bay, 0, 0.06))
                * (1 - 0.3 * raster.rows(self.floor, 0, 0.06))
            )
        elif self.material == "stone":
            value = value * (1 - 0.22 * raster.rows(0.6, 0, 0.06)) * (1 - 0.15 * raster.columns(1.1, 0, 0.06))
        elif self.material == "wood":
            value = value * (1 - 0.3 * raster.rows(0.3, 0, 0.06))
        dirt = 1 - 0.25 * np.exp(-raster.up / 1.2)[:, None]
        color: Floats = self.wall * np.clip(value * dirt, 0.2, 2)[..., None]
        return color

    def paint(self, raster: Raster, light: Light, lit: Floats) -> Floats:
        """Paint the wall with its windows under the light `lit`, (3,): (h, w, 3) linear RGB."""
        rng = np.random.default_rng(self.seed)
        color = self.wall_color(raster, rng) * lit
        top = raster.top
        base = 3.4 if self.shop else 0.5
        roof = top - 0.35 * self.floor
        where = raster.band(base, roof)
        share = self.window[0] * self.bay, self.window[1] * self.floor
        left, sill = (self.bay - share[0]) / 2, base + (self.floor - share[1]) * 0.5
        edge = 0.09 if self.material != "glass" else 0.05
        frames = raster.columns(self.bay, left - edge, share[0] + 2 * edge) * raster.rows(
            self.floor, sill - edge, share[1] + 2 * edge
        )
        _over(color, frames * where, self.frame * lit)
        panes = raster.columns(self.bay, left, share[0]) * raster.rows(self.floor, sill, share[1])
        panes = panes * (1 - 0.8 * raster.columns(self.bay, self.bay / 2 - 0.04, 0.08))
        _over(color, panes * where, self._glass(raster, light, lit, rng, base))
        if self.balconies:
            rail = raster.columns(self.bay * 2, left, self.bay + share[0]) * raster.rows(
                self.floor, sill - 0.3, 0.9
            )
            _over(color, rail * raster.band(base + 1, roof) * 0.75, self.accent * lit)
        if self.shop:
            self._shop(raster, light, lit, color, rng)
        else:
            door = raster.columns(self.bay * 3, self.bay * rng.uniform(0.8, 1.2), 1.0) * raster.band(0, 2.2)
            _over(color, door, self.accent * lit)
        _over(
            color, raster.band(top - 0.35, top - 0.12) * np.ones((1, raster.shape[1])), self.wall * lit * 0.6
        )
        return color.astype(np.float32)

    def _glass(
        self, raster: Raster, light: Light, lit: Floats, rng: np.random.Generator, base: float
    ) -> Floats:
        """Panes: each mirrors more or less sky, has curtains, or is lit from inside."""
        table = rng.random((64, 64)).astype(np.float32)
        row = np.clip((raster.up - base) / self.floor, 0, 63).astype(int)
        column = np.clip(raster.along / self.bay, 0, 63).astype(int)
        each = table[row[:, None], column][..., None]
        mirror = 0.08 + 0.45 * each**2
        glass = linear(34, 40, 48) * lit + light.horizon * mirror * 0.8
        curtains = (each * 7.3) % 1 > 0.82
        glass = np.where(curtains, linear(196, 190, 176) * lit * 0.7, glass)
        if light.dark:
            glow = (each * 3.7) % 1 > 0.62
            glass = np.where(glow, linear(255, 206, 130) * (0.25 + 0.4 * each), glass)
        return glass.astype(np.float32)

    def _shop(
        self, raster: Raster, light: Light, lit: Floats, color: Floats, rng: np.random.Generator
    ) -> None:
        width = rng.uniform(2.5, 4.5)
        _over(color, raster.band(0, 3.2) * np.ones((1, raster.shape[1])), self.accent * 0.5 * lit)
        glass = raster.columns(width, 0.3, width - 0.6) * raster.band(rng.uniform(0.15, 0.7), 2.5)
        inside = sample(
            raster.along[None, :] * 30 + 0 * raster.up[:, None],
            raster.up[:, None] * 30 + 0 * raster.along,
            1.0,
        )[..., None]
        goods = (linear(70, 66, 62) * (1 + 0.6 * inside)) * lit + light.horizon * 0.12
        if light.dark:
            goods = goods + linear(255, 214, 150) * (0.3 + 0.1 * inside)
        _over(color, glass, np.clip(goods, 0, None))
        board = raster.band(2.6, 3.2) * np.ones((1, raster.shape[1]))
        letters = (
            raster.columns(rng.uniform(0.25, 0.5), 0, 0.18)
            * raster.band(2.75, 3.05)
            * raster.columns(width, 0.6, width - 1.4)
        )
        _over(color, board, self.accent * lit)
        _over(color, letters, (1 - self.accent) * lit * 0.8)


def _over(color: Floats, share: Floats, top: Floats) -> None:
    color += (top - color) * share[..., None]
