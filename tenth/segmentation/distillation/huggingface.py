"""Segmentation models of Hugging Face as teachers: any that `AutoModelForSemanticSegmentation` loads.

They are found first, without their weights, and loaded when they are to predict. The classes of such a
model are seldom those of the data set, so they are matched by name, or by a mapping that is given. Images
keep their size: what the model's own image processor says about mean and standard deviation counts, its
resizing does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.class_mapping import CLASS_MAPPINGS, ClassMapping, grouped_logsumexp
from tenth.segmentation.extras import need
from tenth.segmentation.networks.base import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ScaledLogits,
    SegmentationNetwork,
)

PREFIX = "hf:"
"""What the text of such a teacher begins with."""

PROCESSORS = ("preprocessor_config.json", "processor_config.json")
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")

Normalisation = tuple[tuple[float, float, float], tuple[float, float, float]]


class HuggingFaceNetwork(SegmentationNetwork):
    """A model of Hugging Face that predicts the classes of a data set.

    Parameters
    ----------
    model : Module
        Called with ``pixel_values`` (N, 3, H, W); returns ``logits`` (N, Cs, h, w) of any resolution.
    mapping : ClassMapping
        From its classes to the data set's.
    normalisation : tuple
        Mean and standard deviation that it wants, of RGB in 0..1.
    """

    def __init__(self, model: nn.Module, mapping: ClassMapping, normalisation: Normalisation) -> None:
        super().__init__(len(mapping.targets))
        self.model = model
        self.mapping = mapping
        self.mean, self.std = normalisation

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (N, C, H, W) of normalised images (N, 3, H, W), enlarged bilinearly."""
        logits = self.model(pixel_values=x).logits
        # What stands for no class goes first: of 150 classes 11 may be left.
        kept = F.interpolate(logits[:, self.mapping.rows], x.shape[2:], mode="bilinear", align_corners=False)
        return grouped_logsumexp(kept, self.mapping.sizes)

    def training_outputs(self, x: Tensor) -> list[ScaledLogits]:
        """Return `forward`'s logits as the only output."""
        return [ScaledLogits(1.0, self(x))]


@dataclass(frozen=True)
class HuggingFaceModel:
    """A model that is found, but not in memory.

    Parameters
    ----------
    where : str
        What the user calls it: a folder, or an id of the hub.
    folder : Path
        Where its files are.
    kind : str
        Its architecture, such as ``"segformer"``.
    mapping : ClassMapping
        From its classes to the data set's.
    """

    where: str
    folder: Path
    kind: str
    mapping: ClassMapping

    def digest(self) -> str:
        """Return a SHA-256 that changes with its weights, its configuration and the mapping."""
        # Not sorted: the order of the targets is that of the outputs.
        digest = hashlib.sha256(json.dumps(self.mapping.to_dict()).encode())
        settings = [path for name in ("config.json", *PROCESSORS) if (path := self.folder / name).is_file()]
        for path in [*settings, *_weights(self.folder)]:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256")
            digest.update(f"{path.name} {content.hexdigest()};".encode())
        return digest.hexdigest()

    def load(self) -> HuggingFaceNetwork:
        """Read the weights; the network is in evaluation mode, on the CPU, in float32.

        Raises
        ------
        ConfigurationError
            When transformers is not installed, or the model is not one for semantic segmentation.
        DataError
            When weights are damaged or missing.
        """
        transformers = _transformers()
        transformers.utils.logging.disable_progress_bar()  # there are bars of our own
        try:
            model, loaded = transformers.AutoModelForSemanticSegmentation.from_pretrained(
                self.folder, local_files_only=True, output_loading_info=True
            )
        except ValueError as error:
            raise ConfigurationError(
                f"'{self.where}' ({self.kind}) cannot be loaded as a model for semantic segmentation: "
                f"{_first_line(error)} Take one that AutoModelForSemanticSegmentation loads."
            ) from error
        except Exception as error:  # OSError, RuntimeError, and safetensors' and pickle's own
            raise DataError(
                f"The weights in {self.folder} cannot be read: {_first_line(error)} Fetch the model again."
            ) from error
        if absent := sorted(map(str, loaded["missing_keys"])):
            raise DataError(
                f"{len(absent)} weights of '{self.where}' are not in {self.folder}, {absent[0]} among them; "
                "they would be random. Take a model trained for semantic segmentation, not its backbone."
            )
        network = HuggingFaceNetwork(model.float(), self.mapping, normalisation(self.folder))
        network.eval()
        return network


def find_model(text: str, classes: Sequence[str]) -> HuggingFaceModel:
    """Find the model that ``WHERE`` or ``WHERE#MAPPING`` describes.

    Parameters
    ----------
    text : str
        WHERE is a folder that ``save_pretrained`` wrote, or an id of the hub, which is fetched unless it is
        in the cache; MAPPING is one of `CLASS_MAPPINGS` or a JSON file of that form.
    classes : sequence of str
        The data set's, in order of their ids. Without a mapping each needs a class of the model that is
        called so, in capitals or not.

    Raises
    ------
    ConfigurationError
        When transformers is not installed, there is no such model, or a class has no counterpart.
    DataError
        When a file is damaged.
    """
    _transformers()  # said before hours of work, not after
    where, _, given = text.partition("#")
    folder = Path(where) if (Path(where) / "config.json").is_file() else _fetched(where)
    config = _read_json(folder / "config.json")
    names = config.get("id2label")
    if not isinstance(names, dict) or sorted(names) != sorted(str(i) for i in range(len(names))):
        raise ConfigurationError(
            f'{folder / "config.json"} does not name the classes of the model (id2label: {{"0": …}}), so '
            "none can be matched. Add their names, in the order of its outputs."
        )
    labels = [str(names[str(i)]) for i in range(len(names))]
    if not _weights(folder):
        raise DataError(
            f"There are no weights in {folder}: no {' and no '.join(WEIGHTS)}. Save the model again."
        )
    kind = str(config.get("model_type", "huggingface"))
    return HuggingFaceModel(where, folder, kind, match_classes(labels, classes, where, given))


def match_classes(labels: Sequence[str], classes: Sequence[str], where: str, given: str = "") -> ClassMapping:
    """Say which of a model's classes stand for those of a data set; capitals are not told apart.

    Parameters
    ----------
    labels : sequence of str
        The model's, in the order of its outputs.
    classes : sequence of str
        The data set's.
    where : str
        Names the model in messages.
    given : str, optional
        Name or file of a mapping. Its sources need not be in order, nor all of the model's.

    Raises
    ------
    ConfigurationError
        When a class has no counterpart.
    DataError
        When the file of the mapping is damaged, or names are not unique.
    """
    targets: dict[str, tuple[str, ...]] = {name: (name,) for name in classes}
    if given:
        mapping = CLASS_MAPPINGS.get(given) or ClassMapping.load(given)
        targets = {name: mapping.targets.get(name, ()) for name in classes}
    known = {_folded(label): label for label in labels}
    lost = [
        name for name, parts in targets.items() if not parts or any(_folded(p) not in known for p in parts)
    ]
    if lost:
        raise ConfigurationError(
            f"The model '{where}' has no class for {', '.join(lost)}; it knows {', '.join(labels)}. Say "
            "which of its classes stand for each of the data set's: "
            f"NAME={PREFIX}{where}#MAPPING, where MAPPING is {' or '.join(CLASS_MAPPINGS)} or a file such as "
            f'{{"sources": ["{labels[0]}", …], "targets": {{"{lost[0]}": ["{labels[0]}"], …}}}}.'
        )
    return ClassMapping(
        tuple(labels),
        {name: tuple(known[_folded(part)] for part in parts) for name, parts in targets.items()},
    )


def normalisation(folder: Path) -> Normalisation:
    """Return mean and standard deviation that the image processor in `folder` wants, of RGB in 0..1.

    They are ImageNet's where there is none, which is what the library's processors have, too.
    """
    paths = [path for name in PROCESSORS if (path := folder / name).is_file()]
    settings = _read_json(paths[0]) if paths else {}
    settings = settings.get("image_processor", settings)
    scale = 255 * settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 255.0
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if settings.get("do_normalize", True):
        mean = _three(settings.get("image_mean") or IMAGENET_MEAN)
        std = _three(settings.get("image_std") or IMAGENET_STD)
    # (255 · factor · x − mean) / std of x in 0..1
    return _three([each / scale for each in mean]), _three([each / scale for each in std])


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _folded(name: str) -> str:
    return name.strip().casefold()


def _weights(folder: Path) -> list[Path]:
    return sorted(path for pattern in WEIGHTS for path in folder.glob(pattern))


def _transformers() -> ModuleType:
    return need("transformers", "huggingface", "teachers from Hugging Face")


def _fetched(where: str) -> Path:
    """Return the folder of a model of the hub, fetched into the library's cache unless it is there."""
    hub = need("huggingface_hub", "huggingface", "teachers from Hugging Face")
    try:
        for pattern in WEIGHTS:  # most models come with both; one is enough
            folder = Path(hub.snapshot_download(where, allow_patterns=["*.json", pattern]))
            if _weights(folder):
                break
    except Exception as error:  # of the hub, the network and the file system alike
        raise ConfigurationError(
            f"'{where}' is no folder with a config.json, and no model that the Hugging Face hub gave: "
            f"{_first_line(error)} Name a folder that save_pretrained wrote, or OWNER/NAME of a model."
        ) from error
    return folder


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}. Fetch the model again.") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} holds no JSON object. Fetch the model again.")
    return content


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if line.endswith(".") else f"{line}."
