"""What is known about a model version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenth.segmentation.classes import ClassSet
from tenth.segmentation.networks import NetworkSpec, SegmentationNetwork


def number_of(version: str) -> int:
    """Return the number in a version's name, 0 when it is not such a name."""
    match = re.fullmatch(r"v(\d{4,})-[0-9a-f]{8}", version)
    return int(match[1]) if match else 0


@dataclass(frozen=True)
class ModelInfo:
    """What is known about a version without loading it.

    Parameters
    ----------
    version : str
        Such as ``"v0003-1a2b3c4d"``: a number and the beginning of the digest.
    spec : NetworkSpec
        How to build the network again.
    classes : ClassSet
        What its channels mean.
    input_size : (int, int) or None
        Height and width of the images it was trained on, in pixels; ``None`` where they differ.
    metrics, training : mapping
        As given when it was added.
    parents : tuple of str
        Versions that it was trained from: warm start, teachers.
    created_at : datetime
        In UTC.
    git_commit : str or None
        Commit of the source tree that trained it; ``None`` for an installed package.
    libraries : mapping of str to str
        Versions of Python, torch and others.
    digest : str
        SHA-256 over weights, network and classes.
    """

    version: str
    spec: NetworkSpec
    classes: ClassSet
    input_size: tuple[int, int] | None
    metrics: Mapping[str, Any]
    training: Mapping[str, Any]
    parents: tuple[str, ...]
    created_at: datetime
    git_commit: str | None
    libraries: Mapping[str, str]
    digest: str

    @property
    def number(self) -> int:
        """The number in `version`; later versions have higher ones."""
        return number_of(self.version)

    @classmethod
    def from_dict(cls, version: str, data: Mapping[str, Any]) -> ModelInfo:
        """Read the content of a ``model.json``.

        Raises
        ------
        KeyError, TypeError, ValueError, DataError
            When something is missing or of the wrong kind.
        """
        size = data["input_size"]
        return cls(
            version=version,
            spec=NetworkSpec.from_dict(data["network"]),
            classes=ClassSet.from_dict(data["classes"]),
            input_size=None if size is None else (int(size[0]), int(size[1])),
            metrics=dict(data["metrics"]),
            training=dict(data["training"]),
            parents=tuple(data["parents"]),
            created_at=datetime.fromisoformat(data["created_at"]),
            git_commit=data["git_commit"],
            libraries=dict(data["libraries"]),
            digest=str(data["digest"]),
        )


@dataclass(frozen=True)
class LoadedModel:
    """A version ready to predict: the network in evaluation mode on the CPU, its classes, what is known."""

    network: SegmentationNetwork
    classes: ClassSet
    info: ModelInfo
