"""Time of day and weather, and what the camera makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tenth.segmentation.scenes.camera import Floats


def linear(red: float, green: float, blue: float) -> Floats:
    """Turn a colour of a screen, 0..255, into linear light 0..1."""
    return (np.array([red, green, blue], np.float32) / 255) ** np.float32(2.2)


@dataclass(frozen=True)
class Light:
    """The light of a scene; colours are linear RGB.

    Parameters
    ----------
    to_sun : (3,) array
        Direction to the sun, length 1.
    sun, ambient : (3,) arrays
        Light from the sun and from the sky.
    zenith, horizon, cloud : (3,) arrays
        Colours of the sky.
    clouds : float
        Share of the sky under clouds.
    haze : float
        Metres after which 63 % of an object's own colour is lost.
    wet : float
        0 dry, 1 a mirror.
    dark : bool
        Whether lamps and windows are lit.
    """

    to_sun: Floats
    sun: Floats
    ambient: Floats
    zenith: Floats
    horizon: Floats
    cloud: Floats
    clouds: float
    haze: float
    wet: float
    dark: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Light:
        """Draw a time of day and a weather."""
        kind = rng.choice(
            ["clear", "cloudy", "overcast", "rain", "fog", "dusk"], p=[0.26, 0.26, 0.18, 0.1, 0.06, 0.14]
        )
        low = kind == "dusk"
        height = np.radians(rng.uniform(6, 16) if low else rng.uniform(18, 65))
        turn = rng.uniform(0, 2 * np.pi)
        to_sun = np.array(
            [np.cos(height) * np.sin(turn), np.sin(height), np.cos(height) * np.cos(turn)], np.float32
        )
        tint = rng.uniform(0.93, 1.07, 3).astype(np.float32)
        sky = {
            "clear": ((70, 128, 205), (176, 205, 232), (250, 250, 250), (0.0, 0.35)),
            "cloudy": ((92, 140, 198), (190, 208, 226), (240, 240, 242), (0.4, 0.8)),
            "overcast": ((168, 174, 182), (204, 208, 212), (214, 216, 220), (0.9, 1.0)),
            "rain": ((120, 128, 138), (158, 164, 172), (146, 152, 160), (0.9, 1.0)),
            "fog": ((190, 194, 198), (206, 208, 210), (206, 208, 210), (0.9, 1.0)),
            "dusk": ((58, 66, 120), (236, 160, 104), (196, 120, 110), (0.1, 0.7)),
        }[str(kind)]
        direct = {"clear": 1.0, "cloudy": 0.75, "overcast": 0.08, "rain": 0.04, "fog": 0.03, "dusk": 0.3}[
            str(kind)
        ]
        warm = linear(255, 196, 140) if low else linear(255, 246, 228)
        share = rng.uniform(0.25, 0.5) if direct > 0.5 else rng.uniform(0.35, 0.5)
        return cls(
            to_sun=to_sun,
            sun=warm * np.float32(direct * rng.uniform(0.8, 1.2)),
            ambient=(linear(*sky[0]) * 0.5 + linear(*sky[1]) * 0.5 + 0.1) * np.float32(share) * tint,
            zenith=linear(*sky[0]) * tint,
            horizon=linear(*sky[1]) * tint,
            cloud=linear(*sky[2]),
            clouds=rng.uniform(*sky[3]),
            haze=rng.uniform(28, 60)
            if kind == "fog"
            else rng.uniform(150, 700) * (0.5 if kind == "rain" else 1),
            wet=rng.uniform(0.4, 1) if kind == "rain" else max(0.0, rng.uniform(-1, 0.3)),
            dark=bool(low and rng.random() < 0.7),
        )

    def on(self, normal: tuple[float, float, float], shadow: float = 0.0) -> Floats:
        """Light that falls on a surface; `normal` points away from it, `shadow` takes a share of the sun."""
        facing = max(0.0, float(np.dot(self.to_sun, np.asarray(normal, np.float32))))
        open_sky = 0.75 + 0.25 * normal[1]
        return self.ambient * np.float32(open_sky) + self.sun * np.float32(facing * (1 - shadow))

    def through_air(self, color: Floats, depth: Floats | float) -> Floats:
        """Colour of something seen through `depth` metres of air."""
        clear = np.exp(-np.asarray(depth, np.float32) / np.float32(self.haze))
        clear = clear[..., None] if clear.ndim else clear
        seen: Floats = color * clear + self.horizon * (np.float32(0.8) * (1 - clear))
        return seen


def develop(image: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turn linear light into a photograph: exposure, white balance, lens, sensor noise, 8 bit.

    Parameters
    ----------
    image : (H, W, 3) float32 array
        Linear RGB.
    rng : numpy.random.Generator
        Source of the camera's settings and of its noise.

    Returns
    -------
    (H, W, 3) uint8 array
    """
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    vignette = 1 - np.float32(rng.uniform(0, 0.28)) * (x * x + y * y) / 2
    gain = rng.uniform(0.22, 0.48) / float(image.mean())
    balance = rng.normal(1, 0.05, 3).astype(np.float32)
    light = image * (vignette[..., None] * np.float32(gain) * balance)
    light = (
        light * (1 + light / 4) / (1 + light) * np.float32(1.25)
    )  # highlights roll off instead of clipping
    blur = rng.uniform(0.25, 0.7)
    light = cv2.GaussianBlur(light, (0, 0), blur)
    shown = np.clip(light, 0, 1) ** np.float32(1 / 2.2)
    grey = shown.mean(axis=2, keepdims=True)
    shown = grey + (shown - grey) * np.float32(rng.uniform(0.7, 1.15))
    shown = 0.5 + (shown - 0.5) * np.float32(rng.uniform(0.95, 1.3))
    strength = rng.uniform(0.005, 0.022)
    shown += rng.standard_normal(shown.shape, np.float32) * np.float32(strength)
    photograph: NDArray[np.uint8] = np.round(np.clip(shown, 0, 1) * 255).astype(np.uint8)
    return photograph
