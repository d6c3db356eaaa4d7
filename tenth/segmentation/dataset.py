"""Data sets as folders, pools of images, and the choice of the first images to label."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

import fsspec
import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError, OutOfReach
from tenth.segmentation.classes import IGNORE, ClassSet
from tenth.segmentation.images import IMAGE_SUFFIXES, read_image, read_labels


@dataclass(frozen=True)
class Sample:
    """An image of a data set and, where there is one, its label map.

    Parameters
    ----------
    key : str
        ``split/stem``, unique in its data set; images of a pool are ``pool/path/stem``.
    image : str
        Path or fsspec URL of the picture.
    labels : str or None
        Path of the label map; ``None`` when the image is not labelled.
    classes : int, optional
        Number of classes; ids in `labels` are below it.
    """

    key: str
    image: str
    labels: str | None
    classes: int = IGNORE

    def load_image(self) -> NDArray[np.uint8]:
        """Read the picture, (H, W, 3) uint8 RGB; raises DataError when it cannot be read."""
        return read_image(self.image)

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Read the picture (H, W, 3) uint8 RGB and its label map (H, W) uint8, 255 = ignore.

        Raises
        ------
        DataError
            When one cannot be read, there is no label map, or the sizes differ.
        """
        if self.labels is None:
            raise DataError(f"{self.image} has no label map, but a labelled image is needed here.")
        image, labels = self.load_image(), read_labels(self.labels, self.classes)
        if image.shape[:2] != labels.shape:
            raise DataError(
                f"{self.image} is {image.shape[1]}×{image.shape[0]} pixels, but its label map {self.labels} "
                f"is {labels.shape[1]}×{labels.shape[0]}; both need the same size "
                "(the picture's as its EXIF orientation shows it)."
            )
        return image, labels


class UnlabelledSample(Sample):
    """An image without labels, for what can do without: all its pixels are 255 = ignore."""

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Read the picture, (H, W, 3) uint8 RGB; the labels (H, W) uint8 are all 255."""
        image = self.load_image()
        return image, np.full(image.shape[:2], IGNORE, np.uint8)


def without_labels(sample: Sample) -> UnlabelledSample:
    """Return the same image without the labels that it may have."""
    return UnlabelledSample(sample.key, sample.image, None, sample.classes)


class FolderDataset:
    """A data set in ``{split}/images/*``, ``{split}/labels/*.png`` and ``classes.json``.

    Parameters
    ----------
    root : str or Path
        The folder that holds ``classes.json``.

    Raises
    ------
    DataError
        When the folder or its ``classes.json`` is missing or not valid.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError(f"The data set folder {self.root} does not exist.")
        self.classes = ClassSet.load(self.root / "classes.json")

    @cached_property
    def splits(self) -> list[str]:
        """Names of the splits there are: the folders that hold an ``images`` folder."""
        return sorted(path.parent.name for path in self.root.glob("*/images") if path.is_dir())

    def split(self, name: str, *, require_labels: bool = False) -> list[Sample]:
        """Return the images of the split `name`, sorted by key.

        Parameters
        ----------
        name : str
            ``train``, ``val``, ``test``, …
        require_labels : bool, optional
            Raise when an image has no label map.

        Raises
        ------
        DataError
            When there is no such split or no image in it, two images share a stem, labels are required and
            missing, or no label map at all belongs to an image (as when their names differ by a suffix).
        """
        if name not in self.splits:
            raise DataError(
                f"{self.root} has no split '{name}': there is no folder {name}/images. "
                f"Splits here: {', '.join(self.splits) or 'none'}."
            )
        folder = self.root / name
        images = sorted(path for path in (folder / "images").iterdir() if _is_image(path.name))
        labels = {path.stem: path for path in (folder / "labels").glob("*.png") if _is_image(path.name)}
        samples = [self._sample(name, path, labels.get(path.stem)) for path in images]
        _check_keys(samples, str(folder / "images"))
        without = [sample for sample in samples if sample.labels is None]
        if labels and len(without) == len(samples):
            raise DataError(
                f"No label map in {folder / 'labels'} has the name of an image: {min(labels)}.png belongs to "
                f"none, {images[0].name} needs {images[0].stem}.png."
            )
        if require_labels and without:
            first = Path(without[0].image)
            raise DataError(
                f"{len(without)} of {len(samples)} images of '{name}' have no label map, among them {first}; "
                f"it belongs at {folder / 'labels' / (first.stem + '.png')}."
            )
        return sorted(samples, key=lambda sample: sample.key)

    def _sample(self, split: str, image: Path, labels: Path | None) -> Sample:
        return Sample(
            f"{split}/{image.stem}", str(image), None if labels is None else str(labels), len(self.classes)
        )


def list_images(url_or_folder: str | Path) -> list[Sample]:
    """List the images of an unlabelled pool, those in subfolders too, sorted by key.

    Parameters
    ----------
    url_or_folder : str or Path
        A folder, or a URL that fsspec opens (``s3://bucket/drive``, ``memory://pool``).

    Returns
    -------
    list of Sample
        Keys are ``pool/`` and the path below `url_or_folder` without its ending.

    Raises
    ------
    DataError
        When it cannot be listed (`OutOfReach` in an outage), holds no image, two images differ only in their
        ending, or it is a split of a labelled data set, whose label maps would be taken for pictures.
    """
    url = str(url_or_folder)
    remote = "://" in url
    try:
        filesystem, root = fsspec.core.url_to_fs(url if remote else str(Path(url).absolute()))
        found = [str(path) for path in filesystem.find(root)]
    except (ValueError, ImportError) as error:
        raise DataError(f"The pool {url} cannot be listed: {error}.") from error
    except Exception as error:  # each fsspec protocol raises errors of its own
        raise OutOfReach(f"The pool {url} cannot be listed: {error}.") from error
    root = root.rstrip("/")
    names = {path: path.removeprefix(root).lstrip("/") for path in found}
    if {"images", "labels"} <= {name.split("/")[0] for name in names.values() if "/" in name}:
        raise DataError(f"The pool {url} holds images and their labels; give its images folder as the pool.")
    samples = [
        Sample(
            f"pool/{PurePosixPath(name).with_suffix('')}", _with_protocol(url, path) if remote else path, None
        )
        for path, name in names.items()
        if _is_image(PurePosixPath(name).name)
    ]
    _check_keys(samples, url)
    return sorted(samples, key=lambda sample: sample.key)


def choose_initial(
    samples: Sequence[Sample],
    count: int,
    order: Literal["spread", "contiguous", "random"] = "spread",
    seed: int = 0,
) -> list[Sample]:
    """Choose the images of the initial labelled set, in the order of `samples`.

    Parameters
    ----------
    samples : sequence of Sample
        The labelled images, in order (for a drive: of time).
    count : int
        How many, 0 to ``len(samples)``.
    order : {"spread", "contiguous", "random"}
        At even distances, the first ones, or drawn by `seed`.
    seed : int, optional
        Of the draw.

    Raises
    ------
    DataError
        When there are fewer than `count` samples.
    ValueError
        When `order` is none of the three or `count` is negative.
    """
    if count < 0:
        raise ValueError(f"count is {count}; it cannot be negative.")
    if count > len(samples):
        raise DataError(f"The initial set is to have {count} images, but only {len(samples)} are labelled.")
    if order == "spread":
        chosen = [(2 * i + 1) * len(samples) // (2 * count) for i in range(count)]
    elif order == "contiguous":
        chosen = list(range(count))
    elif order == "random":
        chosen = sorted(random.Random(seed).sample(range(len(samples)), count))  # noqa: S311
    else:
        raise ValueError(f"order is {order!r}; it is one of spread, contiguous, random.")
    return [samples[i] for i in chosen]


def _is_image(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)


def _check_keys(samples: Sequence[Sample], place: str) -> None:
    if not samples:
        raise DataError(
            f"There is no image in {place}; looked for files ending in {', '.join(IMAGE_SUFFIXES)}."
        )
    seen: dict[str, str] = {}
    for sample in samples:
        if sample.key in seen:
            raise DataError(
                f"{seen[sample.key]} and {sample.image} share the name {sample.key}; "
                "rename or remove one of them."
            )
        seen[sample.key] = sample.image


def _with_protocol(url: str, path: str) -> str:
    """Return `path`, as a file system lists it, in the form of the `url` it was listed from.

    In chains (``zip://*::s3://bucket/a.zip``, ``simplecache::s3://bucket``) the first link that has a path
    is the one listed.
    """
    links = url.split("::")
    first = next(i for i, link in enumerate(links) if "://" in link)
    protocol = links[first].split("://")[0]
    links[first] = path if path.startswith(f"{protocol}://") else f"{protocol}://{path}"
    return "::".join(links)
