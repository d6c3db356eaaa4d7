"""The classes of the generated street scenes."""

from __future__ import annotations

from tenth.segmentation.classes import ClassSet, LabelClass

_COLORS = {
    "sky": (135, 186, 232),
    "building": (148, 92, 78),
    "road": (112, 84, 128),
    "marking": (240, 240, 240),
    "pavement": (222, 142, 200),
    "grass": (152, 206, 92),
    "tree": (44, 112, 52),
    "car": (28, 60, 168),
    "pedestrian": (220, 40, 60),
    "pole": (128, 128, 136),
    "sign": (244, 208, 40),
    "fence": (200, 150, 96),
}

SCENE_CLASSES = ClassSet(
    "scenes", tuple(LabelClass(i, name, color) for i, (name, color) in enumerate(_COLORS.items()))
)
"""The twelve classes of a generated scene; every pixel has one of them."""

SKY, BUILDING, ROAD, MARKING, PAVEMENT, GRASS, TREE, CAR, PEDESTRIAN, POLE, SIGN, FENCE = range(12)
