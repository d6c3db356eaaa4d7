"""Poles with what hangs on them: lamps, traffic lights, signs; bollards too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tenth.segmentation.scenes.camera import Floats
from tenth.segmentation.scenes.light import Light, linear
from tenth.segmentation.scenes.stage import Stage, box_shadow
from tenth.segmentation.scenes.vocabulary import POLE, SIGN

Head = Literal["lamp", "lights", "round", "triangle", "board", "none"]


@dataclass(frozen=True)
class Pole:
    """An upright pole.

    Parameters
    ----------
    x, z : float
        Where it stands.
    height, girth : float
        Metres.
    color : (3,) array
        Of the pole, linear RGB.
    head : {"lamp", "lights", "round", "triangle", "board", "none"}
        What hangs on it; lamps belong to the pole, lights and signs are signs.
    arm : float
        Length of a lamp's arm, towards the road when its sign says so.
    size : float
        Half the size of the sign, metres.
    back : bool
        Whether a sign shows its grey back.
    """

    x: float
    z: float
    height: float
    girth: float
    color: Floats
    head: Head
    arm: float = 0.0
    size: float = 0.35
    back: bool = False

    @classmethod
    def draw_any(cls, rng: np.random.Generator, x: float, z: float, inward: int) -> Pole:
        """Draw a pole; `inward` is the direction of the road, -1 or 1."""
        tone = rng.choice([52, 88, 128, 168, 196])
        color = linear(*np.clip(tone + rng.normal(0, 7, 3), 10, 240))
        if rng.random() < 0.15:
            color = linear(*(np.array([104, 82, 62]) * rng.uniform(0.7, 1.2)))  # wood
        head: Head = rng.choice(
            ["lamp", "lights", "round", "triangle", "board", "none"], p=[0.3, 0.12, 0.2, 0.13, 0.15, 0.1]
        )
        if head == "lamp":
            return cls(
                x,
                z,
                rng.uniform(4.5, 9),
                rng.uniform(0.12, 0.2),
                color,
                head,
                inward * rng.choice([0.2, 1, 2]),
            )
        if head == "none":
            return cls(x, z, rng.choice([1.0, 7.5]), rng.uniform(0.12, 0.26), color, head)
        height = rng.uniform(2.9, 3.6) if head == "lights" else rng.uniform(2.2, 3.1)
        size = rng.uniform(0.28, 0.5) if head != "board" else rng.uniform(0.4, 0.9)
        return cls(x, z, height, rng.uniform(0.07, 0.12), color, head, 0, size, bool(rng.random() < 0.2))

    @property
    def order(self) -> float:
        """Its distance."""
        return self.z

    def shadows(self, light: Light) -> list[Floats]:
        """A thin one."""
        half = self.girth / 2
        return [box_shadow(light, [(self.x - half, self.z), (self.x + half, self.z)], self.height)]

    def draw(self, stage: Stage) -> None:
        """Paint the pole and its head."""
        if self.z < 3 or not stage.shows(self.x, self.z, 3):
            return
        lit = stage.light.on((0.3, 0.1, -0.9), stage.shadow_at(self.x, self.z) * 0.5)
        half = self.girth / 2
        self._fill(
            stage, [(-half, 0), (-half, self.height), (half, self.height), (half, 0)], self.color * lit, POLE
        )
        dark = self.color * lit * 0.55
        self._fill(stage, [(0, 0), (0, self.height), (half, self.height), (half, 0)], dark, POLE)
        paint = {"lamp": self._lamp, "lights": self._lights, "none": self._cap}.get(self.head, self._sign)
        paint(stage, lit)

    def _fill(self, stage: Stage, corners: Sequence[tuple[float, float]], color: Floats, label: int) -> None:
        """Paint a polygon of (aside, up) metres from the foot."""
        stage.fill([(self.x + aside, up, self.z) for aside, up in corners], color, label)

    def _cap(self, stage: Stage, lit: Floats) -> None:
        """A ring near the top of a bollard or mast."""
        half, top = self.girth / 2, self.height
        ring = [(-half, top * 0.8), (-half, top * 0.9), (half, top * 0.9), (half, top * 0.8)]
        self._fill(stage, ring, linear(230, 230, 226) * lit * stage.rng.uniform(0.3, 1), POLE)

    def _lamp(self, stage: Stage, lit: Floats) -> None:
        top, arm = self.height, self.arm
        self._fill(
            stage, [(0, top - 0.1), (0, top), (arm, top + 0.3), (arm, top + 0.2)], self.color * lit, POLE
        )
        glow = linear(255, 224, 170) * 2.5 if stage.light.dark else linear(190, 192, 190) * lit
        reach = arm + np.sign(arm) * 0.6
        self._fill(
            stage,
            [(arm, top + 0.15), (arm, top + 0.38), (reach, top + 0.38), (reach, top + 0.22)],
            glow,
            POLE,
        )

    def _lights(self, stage: Stage, lit: Floats) -> None:
        top, on = self.height, stage.rng.integers(3)
        box = [(-0.17, top - 0.95), (-0.17, top + 0.05), (0.17, top + 0.05), (0.17, top - 0.95)]
        self._fill(stage, box, linear(26, 28, 28) * lit, SIGN)
        for k, color in enumerate((linear(70, 220, 110), linear(250, 190, 50), linear(250, 50, 40))):
            self._ring(
                stage, 0.1, top - 0.77 + 0.31 * k, color * (1.2 if k == on else 0.06 * lit), corners=10
            )

    def _ring(
        self, stage: Stage, size: float, up: float, color: Floats, *, corners: int = 18, turn: float = 0.0
    ) -> None:
        angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + turn
        self._fill(stage, [(size * np.cos(t), up + size * np.sin(t)) for t in angles], color, SIGN)

    def _sign(self, stage: Stage, lit: Floats) -> None:
        up, size = self.height - self.size, self.size
        grey = linear(150, 152, 154) * lit
        red, blue, white = linear(186, 24, 28) * lit, linear(20, 76, 160) * lit, linear(236, 236, 232) * lit
        if self.head == "round":
            rim, inner = ((red, white), (blue, blue), (red, blue), (red, red))[stage.rng.integers(4)]
            self._ring(stage, size, up, grey if self.back else rim)
            if not self.back:
                self._ring(stage, size * 0.74, up, inner)
                mark = stage.rng.choice([0, 0.18, 0.5])
                bar = [
                    (-0.5 * size, up - mark * size),
                    (-0.5 * size, up + mark * size),
                    (0.5 * size, up + mark * size),
                    (0.5 * size, up - mark * size),
                ]
                self._fill(stage, bar, white if inner is not white else linear(20, 20, 20) * lit, SIGN)
        elif self.head == "triangle":
            turn = np.pi / 2 if stage.rng.random() < 0.7 else -np.pi / 2
            self._ring(stage, size * 1.2, up, grey if self.back else red, corners=3, turn=turn)
            if not self.back:
                self._ring(stage, size * 0.75, up, white, corners=3, turn=turn)
                self._fill(
                    stage,
                    [(-0.05, up - 0.1), (-0.05, up + 0.2), (0.05, up + 0.2), (0.05, up - 0.1)],
                    linear(20, 20, 20) * lit,
                    SIGN,
                )
        else:
            self._board(stage, lit, up)

    def _board(self, stage: Stage, lit: Floats, up: float) -> None:
        wide, tall = self.size, self.size * stage.rng.uniform(0.4, 1.3)
        face = ((20, 76, 160), (24, 110, 70), (232, 232, 228), (240, 200, 40), (120, 84, 60))[
            stage.rng.integers(5)
        ]
        color = linear(150, 152, 154) * lit if self.back else linear(*face) * lit
        self._fill(
            stage, [(-wide, up - tall), (-wide, up + tall), (wide, up + tall), (wide, up - tall)], color, SIGN
        )
        if self.back:
            return
        ink = (linear(20, 20, 24) if sum(face) > 400 else linear(235, 235, 230)) * lit
        for line in np.arange(-0.6, 0.7, 0.42):  # lettering
            left, right = -0.8 * wide, stage.rng.uniform(0, 0.8) * wide
            y = float(up + line * tall)
            self._fill(
                stage,
                [
                    (left, y - 0.1 * tall),
                    (left, y + 0.1 * tall),
                    (right, y + 0.1 * tall),
                    (right, y - 0.1 * tall),
                ],
                ink,
                SIGN,
            )
