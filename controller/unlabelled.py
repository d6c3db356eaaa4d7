"""Images without labels for a student to learn from: teachers need no annotator."""

from __future__ import annotations

from pathlib import Path

from tenth.errors import ConfigurationError
from tenth.segmentation.dataset import FolderDataset, UnlabelledSample, list_images, without_labels


def unlabelled_samples(dataset: FolderDataset, where: str, taken: set[str]) -> list[UnlabelledSample]:
    """Return the images of a split or of a folder, without the labels that they may have.

    Parameters
    ----------
    dataset : FolderDataset
        Whose splits count before folders of the same name.
    where : str
        A split, a folder or a URL of images; those in subfolders count, too.
    taken : set of str
        Splits that serve otherwise.

    Raises
    ------
    ConfigurationError
        When there is neither such a split nor such a folder, or the split is taken.
    DataError
        When there are no images.
    """
    if where in taken:
        free = ", ".join(sorted(set(dataset.splits) - taken)) or "none"
        raise ConfigurationError(
            f"The split '{where}' is trained or measured on with its labels, so it cannot serve as images "
            f"without labels; give another one ({free}) or a folder of images."
        )
    if where in dataset.splits:
        return [without_labels(sample) for sample in dataset.split(where)]
    if "://" not in where and not Path(where).is_dir():
        raise ConfigurationError(
            f"'{where}' is neither a split of {dataset.root} ({', '.join(dataset.splits)}) nor a folder; "
            "give one of them."
        )
    return [without_labels(sample) for sample in list_images(where)]
