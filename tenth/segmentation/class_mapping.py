"""Which classes of one data set stand for which of another: a model of the one predicts the other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tenth.errors import ConfigurationError, DataError


@dataclass(frozen=True)
class ClassMapping:
    """Target classes and the source classes that stand for them, by name.

    Parameters
    ----------
    sources : tuple of str
        The source classes in the order of the source model's outputs, those without a target included.
    targets : mapping of str to tuple of str
        Target class to its source classes (at least one), in the order of the target's ids. A source class
        belongs to one target at most; the probability of one that belongs to none is dropped.

    Raises
    ------
    DataError
        When a rule is broken; the message names the class.
    """

    sources: tuple[str, ...]
    targets: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        """Check the names."""
        if twice := [name for name, count in Counter(self.sources).items() if count > 1]:
            raise DataError(f"The source class '{twice[0]}' is listed twice; each output has its own name.")
        if len(self.targets) < 2:
            raise DataError(f"There are {len(self.targets)} target classes; give at least 2.")
        if empty := [name for name, parts in self.targets.items() if not parts]:
            raise DataError(
                f"No source class stands for '{empty[0]}', so it would never be predicted; give it one."
            )
        used = [part for parts in self.targets.values() for part in parts]
        if unknown := [part for part in used if part not in self.sources]:
            raise DataError(f"There is no source class '{unknown[0]}'. Known: {', '.join(self.sources)}.")
        if twice := [name for name, count in Counter(used).items() if count > 1]:
            raise DataError(
                f"The source class '{twice[0]}' stands for two targets, but its probability can go to one "
                "only; decide for one."
            )

    @property
    def names(self) -> list[str]:
        """The target classes in order of their ids."""
        return list(self.targets)

    @property
    def rows(self) -> list[int]:
        """The source outputs that are used, (S,): those of the first target, of the second, and so on."""
        ids = {name: index for index, name in enumerate(self.sources)}
        return [ids[part] for parts in self.targets.values() for part in parts]

    @property
    def sizes(self) -> list[int]:
        """How many source classes each target has, (Ct,); they sum to the length of `rows`."""
        return [len(parts) for parts in self.targets.values()]

    def mapped_logits(self, logits: Tensor) -> Tensor:
        """Return the targets' logits (N, Ct, H, W) from those of all source classes (N, Cs, H, W).

        Their softmax is that of `logits`, with the probabilities of each target's sources added up, those
        without a target dropped, and each pixel's sum 1 again.
        """
        return grouped_logsumexp(logits[:, self.rows], self.sizes)

    def mapped_classifier(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Keep of a linear classifier what the targets need.

        Parameters
        ----------
        weight, bias : Tensor
            (Cs, …) and (Cs,): a row for each source class.

        Returns
        -------
        tuple of Tensor
            (S, …) and (S,), by `rows`; `grouped_logsumexp` of its outputs with `sizes`: the targets' logits.

        Raises
        ------
        DataError
            When there are other than Cs rows.
        """
        if len(weight) != len(self.sources) or len(bias) != len(self.sources):
            raise DataError(
                f"A classifier of {len(weight)} classes does not fit a mapping from {len(self.sources)}; "
                "list all its outputs as sources, in order."
            )
        return weight[self.rows], bias[self.rows]

    @classmethod
    def load(cls, path: str | Path) -> ClassMapping:
        """Read a mapping from JSON; see `to_dict`.

        Raises
        ------
        DataError
            When the file cannot be read or is no mapping; the message names it.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read as a class mapping: {error}.") from error
        except DataError as error:
            raise DataError(f"{path}: {error}") from error

    def save(self, path: str | Path) -> None:
        """Write the mapping as JSON; `load` gives back an equal one."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"sources": [name, …], "targets": {name: [name, …], …}}``."""
        return {
            "sources": list(self.sources),
            "targets": {name: list(parts) for name, parts in self.targets.items()},
        }

    @classmethod
    def from_dict(cls, data: Any) -> ClassMapping:
        """Build from what `to_dict` returns.

        Raises
        ------
        DataError
            When `data` is no valid mapping.
        """
        match data:
            case {"sources": list(sources), "targets": dict(targets)}:
                lists = [sources, list(targets), *targets.values()]
                if all(isinstance(names, list) and all(isinstance(n, str) for n in names) for names in lists):
                    return cls(tuple(sources), {name: tuple(parts) for name, parts in targets.items()})
        raise DataError(
            'Not a class mapping; expected {"sources": ["road", …], "targets": {"Road": ["road"], …}}.'
        )


def grouped_logsumexp(logits: Tensor, sizes: Sequence[int]) -> Tensor:
    """Join neighbouring classes: the log-sum-exp of the logits of each group.

    Parameters
    ----------
    logits : Tensor
        (N, S, H, W).
    sizes : sequence of int
        How many classes each group has; they sum to S. The softmax of the result, (N, len(sizes), H, W), is
        the sum over each group of the softmax of `logits`.
    """
    # A group of one is its own log-sum-exp, without the rounding.
    parts = [
        part if size == 1 else torch.logsumexp(part, 1, keepdim=True)
        for part, size in zip(torch.split(logits, list(sizes), 1), sizes, strict=True)
    ]
    return torch.cat(parts, 1)


CITYSCAPES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation",
    "terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle", "void",
)  # fmt: skip
"""The train ids of Cityscapes, then void: the outputs of the released ESPNetv2."""

_CAMVID: dict[str, tuple[str, ...]] = {
    "Sky": ("sky",),
    "Building": ("building",),
    "Pole": ("pole",),
    "Road": ("road",),
    "Pavement": ("sidewalk",),
    "Tree": ("vegetation", "terrain"),
    "SignSymbol": ("traffic light", "traffic sign"),
    "Fence": ("fence",),
    "Car": ("car", "truck", "bus", "train"),
    "Pedestrian": ("person",),
    "Bicyclist": ("rider", "motorcycle", "bicycle"),
}

CLASS_MAPPINGS = {
    "cityscapes-camvid": ClassMapping(CITYSCAPES, _CAMVID),
    # CamVid's 11 classes count its walls as Building.
    "cityscapes-camvid-wall": ClassMapping(CITYSCAPES, _CAMVID | {"Building": ("building", "wall")}),
}
"""Mappings by name."""


def find_mapping(mapping: str | Mapping[str, Any]) -> ClassMapping:
    """Return the mapping called so in `CLASS_MAPPINGS`, or the one that a dict describes.

    Raises
    ------
    ConfigurationError
        When there is no mapping of that name.
    DataError
        When the dict describes none.
    """
    if not isinstance(mapping, str):
        return ClassMapping.from_dict(mapping)
    if mapping not in CLASS_MAPPINGS:
        raise ConfigurationError(
            f"There is no class mapping called '{mapping}'. Known: {', '.join(CLASS_MAPPINGS)}; "
            "or give the mapping itself, sources and targets."
        )
    return CLASS_MAPPINGS[mapping]
