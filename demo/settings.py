"""What the demo's two kinds of data need: how many scenes, how long to train, how much to ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tenth.errors import DataError
from tenth.segmentation.dataset import FolderDataset

SCENES = {"train": 90, "val": 20, "test": 30, "width": 320, "height": 240, "seed": 7}
"""Generated street scenes; 8 of the training scenes are the initial set, the others the pool."""

ROUNDS = 3


@dataclass(frozen=True)
class DemoSettings:
    """Values for controller.toml, by section."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)

    def as_options(self) -> list[str]:
        """Return them as ``--set section.key=value`` options of `controller init`."""
        return [
            option
            for section, keys in self.values.items()
            for key, value in keys.items()
            for option in ("--set", f"{section}.{key}={value}")
        ]


def scene_settings() -> DemoSettings:
    """Return the settings for the generated scenes: small images, minutes rather than hours."""
    return DemoSettings(
        {
            "data": {"initial_count": 8},
            "training": {
                "initial_iterations": 700,
                "round_iterations": 250,
                "crop": [160, 208],
                "validate_every": 100,
                "patience": 2,
            },
            "superpixels": {"size": 500},
            "selection": {"group_size": 26},
        }
    )


def folder_settings(dataset: FolderDataset) -> DemoSettings:
    """Return the settings for a data set of the user's.

    The first tenth of its training images, in the order of their names, is the initial set: what a team has
    that labelled its first drive and now gets the others.
    """
    for split in ("train", "val", "test"):
        dataset.split(split, require_labels=True)  # the annotator is simulated: it answers from ground truth
    labelled = len(dataset.split("train"))
    initial = max(4, labelled // 10)
    if labelled < 4 * initial:
        raise DataError(
            f"{dataset.root} has {labelled} training images; the demo's initial set and three rounds need at "
            f"least {4 * initial}. Use 'controller' by itself for small sets."
        )
    return DemoSettings(
        {
            "data": {"initial_count": initial, "initial_order": "contiguous"},
            "training": {
                "initial_iterations": 700,
                "round_iterations": 300,
                "crop": crop_of(dataset),
                "validate_every": 200,
                "patience": 2,
            },
            "selection": {"group_size": min(50, max(1, (labelled - initial) // 4))},
        }
    )


def crop_of(dataset: FolderDataset) -> list[int]:
    """Return height and width of the random crop: four fifths of the first image, at most 512 x 768."""
    height, width = dataset.split("train")[0].load_image().shape[:2]
    return [min(512, height * 4 // 5), min(768, width * 4 // 5)]
