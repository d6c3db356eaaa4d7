"""Images and superpixels that the comparisons of one process share, each read and made once."""

from __future__ import annotations

from collections.abc import Mapping

from controller.maps import Division
from controller.simulation.images import LabelledPicture, load_pictures
from controller.simulation.superpixel_cache import SuperpixelCache
from tenth.progress import SILENT, Progress
from tenth.segmentation.dataset import FolderDataset

SPLITS = ("train", "val", "test")

Kind = tuple[str, tuple[int, int] | None]
"""Folder of a data set, and the size of its images."""


class Shelf:
    """What was read and made, by data set and size."""

    def __init__(self) -> None:
        self._pictures: dict[Kind, dict[str, list[LabelledPicture]]] = {}
        self._superpixels: dict[tuple[Kind, int], SuperpixelCache] = {}

    def pictures(
        self, dataset: FolderDataset, size: tuple[int, int] | None, progress: Progress = SILENT
    ) -> Mapping[str, list[LabelledPicture]]:
        """Return the labelled images of all splits, by split."""
        kind = (str(dataset.root), size)
        if kind not in self._pictures:
            samples = {name: dataset.split(name, require_labels=True) for name in SPLITS}
            self._pictures[kind] = {
                name: load_pictures(each, size, progress) for name, each in samples.items()
            }
        return self._pictures[kind]

    def superpixels(
        self, dataset: FolderDataset, size: tuple[int, int] | None, region_size: int
    ) -> SuperpixelCache:
        """Return the superpixels of so many pixels on average."""
        kind = ((str(dataset.root), size), region_size)
        return self._superpixels.setdefault(kind, SuperpixelCache(Division(size=region_size)))
