"""`controller export-model` on a tiny workspace."""

import json

import numpy as np
import pytest
from test_cli import run

from controller.export import samples_to_compare
from tenth.segmentation.export import load_exported
from tenth.segmentation.inference import Predictor


def export(capsys, loop, *more):
    return run(capsys, "export-model", "-w", loop.workspace.folder, "--format", "onnx", *more)


def test_a_version_is_exported_and_reported(capsys, learned, tmp_path):
    out = tmp_path / "models" / "model.onnx"
    code, text, error = export(capsys, learned, "--out", out, "--images", "2", "--json")
    assert code == 0, error
    report = json.loads(text)
    version = learned.workspace.models.current()
    assert report["version"] == version
    assert report["file"] == str(out)
    assert (report["format"], report["size"], report["images"]) == ("onnx", "96x64", 1)
    assert report["agreement"] > 0.999
    assert report["max_difference"] < report["tolerance"] == 1e-3
    predictor = load_exported(out)
    info = learned.workspace.models.info(version)
    assert (predictor.metadata.version, predictor.metadata.digest) == (version, info.digest)
    assert predictor.metadata.input_size == (64, 96)
    assert predictor.metadata.classes == learned.classes
    image = learned.dataset.split("test")[0].load_image()
    expected = Predictor(learned.workspace.models.load(version).network, "cpu").probabilities(image)
    np.testing.assert_allclose(predictor.probabilities(image), expected, atol=1e-3)


def test_above_the_tolerance_nothing_is_kept(capsys, learned, tmp_path):
    out = tmp_path / "model.onnx"
    code, text, _ = export(capsys, learned, "--out", out, "--size", "50x33", "--tolerance", "0", "--json")
    assert code == 5
    message = json.loads(text)["message"]
    assert "is not what torch computes" in message
    assert "on 1 images; 0 is tolerated" in message
    assert not out.exists()


@pytest.mark.parametrize("size", ["480", "0x10", "axb", "480x", "-3x4"])
def test_sizes_that_are_none_are_refused(capsys, learned, tmp_path, size):
    code, _, error = export(capsys, learned, "--out", tmp_path / "m.onnx", "--size", size)
    assert code == 2
    assert "WIDTHxHEIGHT" in error


def test_other_endings_and_versions_are_refused(capsys, learned, tmp_path):
    code, _, error = export(capsys, learned, "--out", tmp_path / "model.xml")
    assert (code, "let it end in .onnx" in error) == (2, True)
    code, _, error = export(capsys, learned, "--out", tmp_path / "m.onnx", "--version", "v0009-00000000")
    assert (code, "no model version" in error) == (5, True)
    assert not list(tmp_path.glob("m*.*"))


def test_the_images_are_of_the_first_split_there_is(learned):
    assert [sample.key for sample in samples_to_compare(learned, 5)] == ["val/00000"]
    learned.dataset.__dict__["splits"] = ["train", "test"]
    assert [sample.key for sample in samples_to_compare(learned, 5)] == ["test/00000"]
    learned.dataset.__dict__["splits"] = ["train"]
    pool = samples_to_compare(learned, 2)
    assert len(pool) == 2
    assert all(sample.key.startswith("train/") for sample in pool)
