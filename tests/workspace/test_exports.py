"""Exports beside the versions: made once, whole, never of another version, made again when damaged."""

import json
import logging
import multiprocessing
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tenth.errors import DataError
from tenth.segmentation.classes import ClassSet, LabelClass
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec
from tenth.workspace.exports import exported_predictor
from tenth.workspace.models import ModelStore

CLASSES = ClassSet("tiny", tuple(LabelClass(n, f"c{n}", (n, 2 * n, 90)) for n in range(3)))
SPEC = NetworkSpec("icnet", 3, {"encoder": "resnet18", "width": 0.125, "weights": None})
SPAWN = multiprocessing.get_context("spawn")


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((40, 60), (30, 30), (40, 60))]


def never() -> list[np.ndarray]:
    raise AssertionError("exported again")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> ModelStore:
    """A store with two versions, the first of them exported."""
    store = ModelStore(tmp_path_factory.mktemp("made") / "models")
    with torch.random.fork_rng():
        for seed in (0, 1):
            torch.manual_seed(seed)
            store.add(SPEC.build(), SPEC, CLASSES, metrics={}, parents=[], training={})
    first = exported_predictor(store, store.names()[0], "onnxruntime", pictures)
    assert first.metadata.input_size == (40, 60)
    return store


@pytest.fixture
def store(made: ModelStore, tmp_path: Path) -> ModelStore:
    """A copy to change."""
    return ModelStore(shutil.copytree(made.folder, tmp_path / "models"))


def test_an_export_is_made_once_and_says_which_version_it_is(store: ModelStore):
    version = store.names()[0]
    predictor = exported_predictor(store, version, "onnxruntime", never)
    info = store.info(version)
    assert (predictor.metadata.version, predictor.metadata.digest) == (version, info.digest)
    assert predictor.metadata.classes == CLASSES
    image = pictures()[0]
    expected = Predictor(store.load(version).network, "cpu").probabilities(image)
    np.testing.assert_allclose(predictor.probabilities(image), expected, atol=1e-4)
    folder = store.folder / version / "onnxruntime"
    assert sorted(path.name for path in folder.iterdir()) == ["export.json", "model.onnx"]
    description = json.loads((folder / "export.json").read_text())
    assert description["input_size"] == [40, 60]
    assert description["parity"]["images"] == 3
    assert description["parity"]["agreement"] > 0.999
    assert list((store.folder / ".tmp").iterdir()) == []
    assert store.names() == [entry.version for entry in store.readable()]


def cut(folder: Path) -> None:
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content[:-100])


def flip(folder: Path) -> None:
    content = bytearray((folder / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.onnx").write_bytes(bytes(content))


def tear(folder: Path) -> None:
    (folder / "export.json").write_text('{"format": 1, "dig')


def age(folder: Path) -> None:
    description = json.loads((folder / "export.json").read_text())
    (folder / "export.json").write_text(json.dumps({**description, "format": 0}))


def remove(folder: Path) -> None:
    (folder / "model.onnx").unlink()


@pytest.mark.parametrize("damage", [cut, flip, tear, age, remove])
def test_what_is_not_whole_or_of_another_release_is_not_loaded(store: ModelStore, damage, caplog):
    version = store.names()[0]
    damage(store.folder / version / "onnxruntime")
    with caplog.at_level(logging.WARNING), pytest.raises(AssertionError, match="exported again"):
        exported_predictor(store, version, "onnxruntime", never)
    assert "it is made again" in caplog.text


def test_an_export_of_another_version_is_replaced(store: ModelStore):
    first, second = store.names()
    shutil.copytree(store.folder / first / "onnxruntime", store.folder / second / "onnxruntime")
    predictor = exported_predictor(store, second, "onnxruntime", pictures)
    assert predictor.metadata.version == second
    image = pictures()[0]
    expected = Predictor(store.load(second).network, "cpu").probabilities(image)
    np.testing.assert_allclose(predictor.probabilities(image), expected, atol=1e-4)
    again = exported_predictor(store, second, "onnxruntime", never)
    assert again.metadata == predictor.metadata


def test_each_runtime_has_its_own(store: ModelStore):
    version = store.names()[0]
    with pytest.raises(AssertionError, match="exported again"):
        exported_predictor(store, version, "openvino", never)


def test_without_images_or_weights_nothing_is_exported(store: ModelStore):
    second = store.names()[1]
    with pytest.raises(DataError, match="no image"):
        exported_predictor(store, second, "onnxruntime", list)
    weights = store.folder / second / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(DataError, match="altered"):
        exported_predictor(store, second, "onnxruntime", pictures)
    assert not (store.folder / second / "onnxruntime").exists()
    with pytest.raises(DataError, match="no model version"):
        exported_predictor(store, "v0009-00000000", "onnxruntime", never)


def export(folder: Path, version: str, times: str) -> None:
    def once() -> list[np.ndarray]:
        with Path(times).open("a") as file:
            file.write("export\n")
        return pictures()

    exported_predictor(ModelStore(folder), version, "onnxruntime", once)


@pytest.mark.slow
def test_processes_that_ask_together_export_once(store: ModelStore, tmp_path: Path):
    times = tmp_path / "times"
    arguments = (store.folder, store.names()[1], str(times))
    processes = [SPAWN.Process(target=export, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert times.read_text() == "export\n"
