"""Scenes as a data set on disk."""

from __future__ import annotations

import json
from pathlib import Path

from tenth.progress import SILENT, Progress
from tenth.segmentation.images import write_png
from tenth.segmentation.scenes.scene import generate_scene
from tenth.segmentation.scenes.vocabulary import SCENE_CLASSES


def write_scenes(
    folder: str | Path,
    *,
    train: int,
    val: int,
    test: int,
    width: int = 320,
    height: int = 240,
    seed: int = 0,
    progress: Progress = SILENT,
) -> None:
    """Write generated scenes in the folder format that `FolderDataset` reads.

    Parameters
    ----------
    folder : str or Path
        Where; made when missing. Scenes of an earlier call are replaced one by one.
    train, val, test : int
        How many scenes each split gets; no scene is in two of them.
    width, height : int, optional
        Size of the pictures in pixels.
    seed : int, optional
        Another seed gives other scenes; scene i of a split stays the same when the split grows.
    progress : Progress, optional
        Shows a bar.
    """
    root = Path(folder)
    splits = {"train": train, "val": val, "test": test}
    root.mkdir(parents=True, exist_ok=True)
    (root / "classes.json").write_text(json.dumps(SCENE_CLASSES.to_dict(), indent=1) + "\n", encoding="utf-8")
    with progress.bar(sum(splits.values()), "street scenes", "scene") as bar:
        for number, (split, count) in enumerate(splits.items()):
            images, labels = root / split / "images", root / split / "labels"
            images.mkdir(parents=True, exist_ok=True)
            labels.mkdir(parents=True, exist_ok=True)
            for i in range(count):
                image, ids = generate_scene((seed * len(splits) + number) * 1_000_000 + i, width, height)
                write_png(images / f"{i:05d}.png", image)
                write_png(labels / f"{i:05d}.png", ids)
                bar.update()
