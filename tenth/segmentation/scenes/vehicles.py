"""Cars, vans and buses on the road."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tenth.segmentation.scenes.bodies import BUS, HATCHBACK, SEDAN, SUV, VAN, Body
from tenth.segmentation.scenes.camera import Floats
from tenth.segmentation.scenes.light import Light, linear
from tenth.segmentation.scenes.stage import Stage, box_shadow
from tenth.segmentation.scenes.vocabulary import CAR

_PAINTS = (
    (235, 235, 232),
    (26, 27, 30),
    (128, 130, 134),
    (182, 186, 190),
    (152, 26, 28),
    (34, 62, 128),
    (76, 90, 96),
    (40, 76, 56),
    (172, 142, 96),
    (210, 168, 40),
)


@dataclass(frozen=True)
class Vehicle:
    """A vehicle on the road.

    Parameters
    ----------
    body : Body
        Its shape.
    x, z : float
        Its middle on the ground.
    turn : float
        Where its front points, radians from straight ahead to the right.
    paint : (3,) array
        Its colour, linear RGB.
    braking : bool
        Whether its rear lights are lit.
    """

    body: Body
    x: float
    z: float
    turn: float
    paint: Floats
    braking: bool

    @classmethod
    def draw_any(cls, rng: np.random.Generator, x: float, z: float, turn: float) -> Vehicle:
        """Draw a vehicle."""
        body = (SEDAN, HATCHBACK, SUV, VAN, BUS)[rng.choice(5, p=[0.33, 0.3, 0.2, 0.13, 0.04])]
        paint = np.array(
            _PAINTS[rng.choice(len(_PAINTS), p=[0.17, 0.17, 0.16, 0.16, 0.08, 0.08, 0.06, 0.04, 0.04, 0.04])]
        )
        color = linear(*np.clip(paint + rng.normal(0, 10, 3), 12, 250))
        return cls(body, x, z, turn + rng.normal(0, 0.03), color, bool(rng.random() < 0.3))

    @property
    def order(self) -> float:
        """Its distance."""
        return self.z

    def world(self, along: float, up: float, across: float) -> tuple[float, float, float]:
        """Place of a point of the body, in shares of length (from the front), height and half the width."""
        ahead = (0.5 - along) * self.body.length
        narrow = 1 - 0.22 * max(0.0, up - 0.6) if self.body not in (VAN, BUS) else 1 - 0.03 * up
        aside = across * self.body.width / 2 * narrow
        sin, cos = np.sin(self.turn), np.cos(self.turn)
        return (
            float(self.x + ahead * sin + aside * cos),
            up * self.body.height,
            float(self.z + ahead * cos - aside * sin),
        )

    def shadows(self, light: Light) -> list[Floats]:
        """What it throws; the darkness below it is painted with it."""
        corners = [self.world(along, 0, across) for along in (0, 1) for across in (-1, 1)]
        return [box_shadow(light, [(x, z) for x, _, z in corners], self.body.height * 0.9)]

    def draw(self, stage: Stage) -> None:
        """Paint the shade below it, the panels from far to near, the side that we see, its lights."""
        too_close = self.z < 3.5 + self.body.length / 2 and abs(self.x - stage.camera.x) < 6
        if too_close or not stage.shows(self.x, self.z, self.body.length):
            return
        shade = stage.shadow_at(self.x, self.z)
        below = [
            self.world(a, 0.01, c) for a, c in ((-0.01, -1.05), (-0.01, 1.05), (1.01, 1.05), (1.01, -1.05))
        ]
        stage.fill(below, self._shadow_tone(stage), None)
        side = self._seen_side(stage)
        near = stage.camera.focal / self.z > 7  # pixels a metre
        if near:
            self._wheels(stage, -side, far=True)
        self._panels(stage, shade)
        self._side(stage, side, shade)
        if near:
            self._wheels(stage, side, far=False)
        self._lights(stage, shade)

    def _shadow_tone(self, stage: Stage) -> Floats:
        return linear(46, 46, 50) * stage.light.ambient

    def _seen_side(self, stage: Stage) -> int:
        """The side, -1 or 1, that faces the camera."""
        offset = (stage.camera.x - self.x) * np.cos(self.turn) + self.z * np.sin(self.turn)
        return 1 if offset > 0 else -1

    def _normal(self, along: float, across: float, up: float) -> tuple[float, float, float]:
        sin, cos = np.sin(self.turn), np.cos(self.turn)
        return float(along * sin + across * cos), up, float(along * cos - across * sin)

    def _panels(self, stage: Stage, shade: float) -> None:
        """Front, bonnet, roof, rear: each panel between two points of the outline, across the whole width."""
        light, outline = stage.light, self.body.outline
        panels = []
        for (a0, u0, glass), (a1, u1, _) in pairwise(outline):
            quad = [
                self.world(a0, u0, -1),
                self.world(a0, u0, 1),
                self.world(a1, u1, 1),
                self.world(a1, u1, -1),
            ]
            run, rise = (a1 - a0) * self.body.length, (u1 - u0) * self.body.height
            size = max(float(np.hypot(run, rise)), 1e-3)
            normal = self._normal(rise / size, 0, run / size)
            lit = light.on(normal, shade)
            mirror = light.horizon * 0.1
            color = (
                linear(28, 32, 38) * lit + mirror
                if glass
                else self.paint * lit + light.zenith * max(0, normal[1]) * 0.08
            )
            panels.append((float(np.mean([point[2] for point in quad])), quad, color))
        for _, quad, color in sorted(panels, key=lambda panel: -panel[0]):
            stage.fill(quad, color, CAR)

    def _side(self, stage: Stage, side: int, shade: float) -> None:
        lit = stage.light.on(self._normal(0, side, 0.1), shade)
        outline = [self.world(along, up, side) for along, up, _ in self.body.outline]
        stage.fill(outline, self.paint * lit, CAR)
        sill = [
            self.world(a, u, side * 1.01) for a, u in ((0.02, 0.2), (0.02, 0.27), (0.98, 0.27), (0.98, 0.2))
        ]
        stage.fill(sill, self.paint * lit * 0.45, CAR)
        for window in self.body.windows:
            pane = [self.world(along, up, side * 1.01) for along, up in window]
            stage.fill(pane, linear(26, 30, 36) * lit + stage.light.horizon * 0.14, CAR)

    def _wheels(self, stage: Stage, side: int, far: bool) -> None:
        radius = 0.33 if self.body.height < 2 else 0.42
        turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        for along in (0.18, 0.8):
            for size, color in ((1.0, linear(24, 24, 26)), (0.58, linear(130, 132, 136))):
                if far and size < 1:  # rims look outwards
                    continue
                ring = [
                    self.world(
                        along + radius * size * np.cos(t) / self.body.length,
                        (radius + radius * size * np.sin(t)) / self.body.height,
                        side * (0.98 if far else 1.01),
                    )
                    for t in turn
                ]
                stage.fill(ring, color * stage.light.on((0, 0.3, -0.7)), CAR)

    def _lights(self, stage: Stage, shade: float) -> None:
        """Lamps, plate and bumper of the end that faces us."""
        rear = np.cos(self.turn) > 0
        if abs(np.cos(self.turn)) < 0.5:
            return
        end, light = (1.005 if rear else -0.005), stage.light
        lit = light.on((0, 0, -1), shade)

        def patch(low: float, high: float, left: float, right: float, color: Floats) -> None:
            quad = [
                self.world(end, u, a) for u, a in ((low, left), (high, left), (high, right), (low, right))
            ]
            stage.fill(quad, color, CAR)

        patch(0.2, 0.3, -0.98, 0.98, linear(36, 36, 38) * lit)
        lamp: Floats = linear(170, 20, 18) * lit if rear else linear(220, 222, 224) * lit
        if light.dark or (rear and self.braking):
            lamp = linear(255, 40, 30) * 0.9 if rear else linear(255, 244, 220) * 2.0
        inner = 0.66 if self.body.height < 2 else 0.86
        patch(0.42, 0.52, -0.96, -inner, lamp)
        patch(0.42, 0.52, inner, 0.96, lamp)
        plate = linear(225, 190, 60) if stage.rng.random() < 0.4 else linear(228, 228, 224)
        patch(0.33, 0.4, -0.28, 0.28, plate * lit)
        if not rear:
            patch(0.34, 0.48, -0.55, 0.55, linear(40, 40, 44) * lit)
