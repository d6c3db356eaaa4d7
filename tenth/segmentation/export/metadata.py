"""What an exported file says about itself: all that is needed to use it without our package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenth.errors import DataError
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.networks import NetworkSpec
from tenth.segmentation.networks.registry import INITIAL_WEIGHTS

FORMAT = 1
"""Raised when input, output or metadata change their meaning: older exports are then made again."""


@dataclass(frozen=True)
class ExportMetadata:
    """The description of an exported model.

    In the file it is a mapping of texts, each of them JSON: ``metadata_props`` of ONNX, the section
    ``framework`` of OpenVINO's ``rt_info``.

    Parameters
    ----------
    version : str
        Model version, as in the model store.
    digest : str
        SHA-256 over the version's weights, network and classes.
    network : NetworkSpec
        What the graph was made from; where its first weights came from is left out of the file.
    classes : ClassSet
        What the channels of the output mean.
    mean, std : tuple of float
        Normalisation of the input: RGB in 0..1, ``(image - mean) / std``.
    input_size : (int, int)
        Height and width of the input in pixels.
    """

    version: str
    digest: str
    network: NetworkSpec
    classes: ClassSet
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    input_size: tuple[int, int]

    def to_texts(self) -> dict[str, str]:
        """Return the texts that stand in the file, by key."""
        options = {key: value for key, value in self.network.options.items() if key not in INITIAL_WEIGHTS}
        classes = self.classes.to_dict()
        values = {
            "format": FORMAT,
            "version": self.version,
            "digest": self.digest,
            "network": {**self.network.to_dict(), "options": options},
            "class_set": classes["name"],
            "classes": classes["classes"],
            "mean": self.mean,
            "std": self.std,
            "input_size": self.input_size,
        }
        return {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str], source: str) -> ExportMetadata:
        """Read what `to_texts` returned.

        Parameters
        ----------
        texts : mapping
            Keys that are not ours are passed over.
        source : str
            Names the file in messages.

        Raises
        ------
        DataError
            When something is missing or of the wrong kind, or the file is of another format than ours.
        """
        try:
            values = {key: json.loads(texts[key]) for key in _KEYS}
            written = values["format"]
            height, width = values["input_size"]
            found = cls(
                version=str(values["version"]),
                digest=str(values["digest"]),
                network=NetworkSpec.from_dict(values["network"]),
                classes=ClassSet.from_dict({"name": values["class_set"], "classes": values["classes"]}),
                mean=_three(values["mean"]),
                std=_three(values["std"]),
                input_size=(int(height), int(width)),
            )
        except (KeyError, TypeError, ValueError, DataError) as error:
            raise DataError(
                f"{source} does not say what its model is ({error!r}). Only files written by "
                "`controller export-model` can be used; export the model again."
            ) from error
        if written != FORMAT:
            raise DataError(
                f"{source} has format {written}, this version of Tenth reads {FORMAT}. "
                "Export the model again, with `controller export-model`."
            )
        return found


_KEYS = ("format", "version", "digest", "network", "class_set", "classes", "mean", "std", "input_size")


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)
