"""A small ICNet that has learned something of generated scenes, and its export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tenth.segmentation.export import ExportMetadata, Parity, write_exported
from tenth.segmentation.networks import NetworkSpec, SegmentationNetwork
from tenth.segmentation.scenes import SCENE_CLASSES, generate_scene
from tenth.segmentation.training import TrainingOptions, train

SIZE = (65, 98)  # no multiple of anything
SPEC = NetworkSpec("icnet", len(SCENE_CLASSES), {"encoder": "resnet18", "width": 0.125})


@dataclass(frozen=True)
class Scene:
    seed: int

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return generate_scene(self.seed, SIZE[1], SIZE[0])


@pytest.fixture(scope="session")
def network() -> SegmentationNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = SPEC.build()
    options = TrainingOptions(
        iterations=20, batch_size=4, learning_rate=0.05, device="cpu", precision="f32", crop=(64, 96)
    )
    train(network, [Scene(seed) for seed in range(4)], options)
    return network


@pytest.fixture(scope="session")
def images() -> list[NDArray[np.uint8]]:
    """Scenes that were not learned; the last one is of another size than the export."""
    return [*(Scene(seed).load()[0] for seed in (10, 11)), generate_scene(12, 120, 80)[0]]


@pytest.fixture(scope="session")
def metadata(network: SegmentationNetwork) -> ExportMetadata:
    return ExportMetadata(
        "v0003-0123abcd", "0123abcd" * 8, SPEC, SCENE_CLASSES, network.mean, network.std, SIZE
    )


@dataclass(frozen=True)
class Exported:
    path: Path
    parity: Parity


@pytest.fixture(scope="session")
def onnx_file(tmp_path_factory, network, metadata, images) -> Exported:
    network.train()  # whatever it was doing
    path = tmp_path_factory.mktemp("onnx") / "new" / "model.onnx"
    return Exported(path, write_exported(network, metadata, "onnx", path, images))


@pytest.fixture(scope="session")
def openvino_file(tmp_path_factory, network, metadata, images) -> Exported:
    path = tmp_path_factory.mktemp("openvino") / "model.xml"
    return Exported(path, write_exported(network, metadata, "openvino", path, images))
