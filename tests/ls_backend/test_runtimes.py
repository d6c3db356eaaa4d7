"""The backend in other runtimes than torch: same answers, and each version with its own export."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from backend_world import PASSWORD, PROJECT, USER, World, picture
from flask.testing import FlaskClient

from ls_backend.app import build_predictions, create_app
from ls_backend.backend import backend
from ls_backend.cli import check
from ls_backend.runtimes import sample_images
from tenth.errors import ConfigurationError, DataError, ExportDiffers
from tenth.segmentation.export import OnnxPredictor, OpenVinoPredictor
from tenth.segmentation.inference import Predictor
from tenth.workspace import exports, runtimes
from tenth.workspace.database import Image, Round
from tenth.workspace.runtimes import check_runtime
from tenth.workspace.workspace import Workspace

TYPES = {"torch": Predictor, "onnxruntime": OnnxPredictor, "openvino": OpenVinoPredictor}


def with_runtime(world: World, runtime: str) -> Path:
    file = world.workspace.config.file
    file.write_text(file.read_text() + f'[backend]\nruntime = "{runtime}"\n')
    return world.workspace.folder


def ask(client: FlaskClient, world: World) -> list[dict[str, object]]:
    tasks = [{"id": n, "data": {"region_id": world.region_id(1, n)}} for n in range(12)]
    answer = client.post("/predict", json={"tasks": tasks, "project": PROJECT}, auth=(USER, PASSWORD))
    assert answer.status_code == 200, answer.text
    return answer.json["results"]


def choices(results: list[dict[str, object]]) -> list[object]:
    return [result["result"][0]["value"] for result in results]


def test_onnx_runtime_answers_as_torch_does_and_follows_the_pointer(world: World, client: FlaskClient):
    app = create_app(with_runtime(world, "onnxruntime"))
    exported = app.test_client()
    answers = {}
    for version in (world.first, world.second):
        backend(app).models.get(version)  # on a busy machine the export may take all of a request's seconds
        expected, found = ask(client, world), ask(exported, world)
        answers[version] = found
        assert {result["model_version"] for result in found} == {version}
        assert choices(found) == choices(expected)
        for ours, torchs in zip(found, expected, strict=True):
            assert ours["score"] == pytest.approx(torchs["score"], abs=1e-3)
        world.workspace.models.use(world.second)
        with world.workspace.database.session() as session:
            session.get_one(Round, 1).state = "closed"
    scores = [[result["score"] for result in answers[version]] for version in answers]
    assert scores[0] != scores[1]  # or the flip shows nothing
    for version in (world.first, world.second):
        assert (world.workspace.models.folder / version / "onnxruntime" / "model.onnx").is_file()


@pytest.mark.parametrize("runtime", TYPES)
def test_the_configuration_says_which_runtime_predicts(world: World, runtime: str):
    models, _ = build_predictions(Workspace.open(with_runtime(world, runtime)))
    model = models.get(world.first)
    assert type(model.predictor) is TYPES[runtime]
    expected = Predictor(world.workspace.models.load(world.first).network, "cpu").probabilities(picture(1))
    np.testing.assert_allclose(model.predictor.probabilities(picture(1)), expected, atol=1e-3)
    assert model.classes == world.workspace.models.info(world.first).classes


def test_an_export_that_differs_is_not_made_again(world: World, monkeypatch):
    monkeypatch.setattr(exports, "TOLERANCE", -1.0)  # nothing agrees so well
    models, _ = build_predictions(Workspace.open(with_runtime(world, "onnxruntime")))
    with pytest.raises(ExportDiffers, match=r"not what torch computes.*runtime = \"torch\"") as first:
        models.get(world.first)
    monkeypatch.setattr(exports, "to_onnx", lambda *_: pytest.fail("exported again"))
    with pytest.raises(ExportDiffers) as second:
        models.get(world.first)
    assert str(second.value) == str(first.value)
    assert not (world.workspace.models.folder / world.first / "onnxruntime").exists()


def test_a_network_that_cannot_be_exported_is_traced_once(world: World, monkeypatch):
    traced: list[str] = []

    def refuses(*arguments: object, **options: object) -> None:
        traced.append("once")
        raise RuntimeError("no such operation")

    monkeypatch.setattr(torch.onnx, "export", refuses)
    models, _ = build_predictions(Workspace.open(with_runtime(world, "onnxruntime")))
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="cannot be exported: no such operation"):
            models.get(world.first)
    assert traced == ["once"]
    with pytest.raises(ConfigurationError, match="cannot be exported"):
        models.get(world.second)  # another version may be another network
    assert traced == ["once", "once"]


def test_an_unknown_runtime_is_refused(world: World):
    with pytest.raises(ConfigurationError, match="runtime"):
        Workspace.open(with_runtime(world, "tensorflow"))


def test_a_runtime_that_is_not_installed_is_said_before_anything_starts(world: World, monkeypatch):
    check_runtime("torch")
    check_runtime("onnxruntime")
    monkeypatch.setattr(
        runtimes, "find_spec", lambda name: None if name in ("onnxruntime", "openvino") else name
    )
    with pytest.raises(ConfigurationError, match=r"onnxruntime cannot be imported.*'tenth\[onnx\]'"):
        check(with_runtime(world, "onnxruntime"))
    with pytest.raises(ConfigurationError, match=r"openvino cannot be imported.*'tenth\[openvino\]'"):
        check_runtime("openvino")


def test_images_that_cannot_be_read_are_passed_over(world: World, caplog):
    with world.workspace.database.session() as session:
        session.get_one(Image, 1).source = "/nowhere/1.png"
    with caplog.at_level(logging.WARNING):
        (image,) = sample_images(world.workspace)
    np.testing.assert_array_equal(image, picture(2))
    assert "/nowhere/1.png" in caplog.text
    with world.workspace.database.session() as session:
        session.get_one(Image, 2).source = "/nowhere/2.png"
    with pytest.raises(DataError, match="no image that can be read"):
        sample_images(world.workspace)
