"""What a comparison keeps in its folder to go on from: which images it is of, and reading it back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile

from safetensors import SafetensorError

from controller.simulation.images import LabelledPicture
from controller.simulation.results import write_json
from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.distillation.teachers import digests_of

IMAGES = "images.json"


def require_same_images(
    folder: Path, size: tuple[int, int] | None, pictures: Sequence[LabelledPicture]
) -> None:
    """Refuse images other than those that the folder was made with; remember those of a new one.

    Parameters
    ----------
    folder : Path
        Of the comparison.
    size : tuple of int or None
        Width and height that they were resized to; a folder may hold comparisons at several.
    pictures : sequence of LabelledPicture
        All images with their labels.

    Raises
    ------
    ConfigurationError
        When pictures or labels differ from those.
    """
    path = folder / IMAGES
    known: dict[str, str] = {}
    if path.exists():
        with explained(path, path):
            known = dict(json.loads(path.read_text(encoding="utf-8")))
    name = "as they are" if size is None else f"{size[0]}x{size[1]}"
    found = digests_of(pictures).labelled
    if known.setdefault(name, found) != found:
        raise ConfigurationError(
            f"The images or labels of the data set have changed since {folder} was made, and the models in "
            "it are of those before. Delete it, or put the data set back."
        )
    write_json(path, known)


@contextmanager
def explained(path: Path, remedy: Path) -> Iterator[None]:
    """Turn what reading a damaged file raises into an error that says what to delete.

    Raises
    ------
    DataError
        In place of whatever the file's format raises.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, BadZipFile, EOFError, SafetensorError) as error:
        raise DataError(
            f"{path} is damaged or from another version ({type(error).__name__}: {error}). Delete {remedy} "
            "and call again; what it held is computed anew."
        ) from error
