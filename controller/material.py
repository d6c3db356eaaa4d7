"""What a distillation works on: the images, and digests that tell whether they are still the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.standalone import MEASURED, Images, Standalone, read_splits, sized
from controller.unlabelled import unlabelled_samples
from tenth.progress import SILENT, Progress
from tenth.segmentation.dataset import FolderDataset, UnlabelledSample
from tenth.segmentation.distillation.teachers import ImageDigests, digests_of


@dataclass(frozen=True)
class Material:
    """Images by what they are for.

    Parameters
    ----------
    dataset : FolderDataset
        Where the labelled ones are from.
    splits : mapping of str to Images
        ``train`` and what there is of ``val`` and ``test``, all with labels.
    unlabelled : Images
        To learn from without labels; may be empty.
    digests : mapping of str to ImageDigests
        Of each split, and under ``unlabelled`` of the others where there are any.
    """

    dataset: FolderDataset
    splits: Mapping[str, Images]
    unlabelled: Images
    digests: Mapping[str, ImageDigests]

    @property
    def measured(self) -> dict[str, Images]:
        """The splits that are not trained on."""
        return {name: images for name, images in self.splits.items() if name in MEASURED}


def read_material(job: Standalone, unlabelled: str | None, progress: Progress = SILENT) -> Material:
    """Find the images of a job, read them where they are resized, and look at each once.

    Parameters
    ----------
    job : Standalone
        Says where they are and how large they are to be.
    unlabelled : str or None
        For `unlabelled_samples`; ``None``: none.
    progress : Progress, optional
        Where bars are shown.

    Raises
    ------
    ConfigurationError, DataError
        When images or labels are missing, or cannot be read.
    """
    dataset = FolderDataset(job.dataset)
    samples: list[UnlabelledSample] = []
    if unlabelled is not None:  # first: reading the splits takes long
        samples = unlabelled_samples(dataset, unlabelled, {"train", *MEASURED})
    splits = read_splits(job, dataset, progress)
    others = sized(samples, job.size, progress)
    every = splits | ({"unlabelled": others} if others else {})
    digests = {name: digests_of(images, progress) for name, images in every.items()}
    return Material(dataset, splits, others, digests)
