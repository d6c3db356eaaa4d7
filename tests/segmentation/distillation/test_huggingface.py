"""Teachers from Hugging Face: a tiny SegFormer of random weights, saved to disk; nothing is fetched."""

import json
import sys

import numpy as np
import pytest
import torch
import transformers
from torch.nn import functional as F  # noqa: N812

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.class_mapping import CITYSCAPES, CLASS_MAPPINGS
from tenth.segmentation.distillation.huggingface import find_model, match_classes, normalisation
from tenth.segmentation.inference import Predictor

LABELS = ("sky", "Road", "car", "tree", "grass")


@pytest.fixture(scope="module")
def saved(tmp_path_factory, save_segformer):
    folder = tmp_path_factory.mktemp("segformer")
    model = save_segformer(folder, LABELS)
    processor = {
        "do_rescale": True,
        "rescale_factor": 1 / 127.5,
        "image_mean": [1, 1.1, 1.2],
        "image_std": [2, 3, 4],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder, model


def test_logits_are_those_of_the_library(saved):
    folder, model = saved
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    pixels = (image / 127.5 - np.array([1, 1.1, 1.2])) / np.array([2, 3, 4])
    with torch.inference_mode():
        small = model(torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32))).logits
        large = F.interpolate(small, (32, 48), mode="bilinear", align_corners=False)[0].numpy()
    found = find_model(str(folder), ["ROAD", "Sky", "Tree"])
    predictor = Predictor(found.load(), "cpu")
    np.testing.assert_allclose(predictor.logits(image), large[[1, 0, 3]], atol=1e-3)
    assert large.std() > 0.1
    # Several classes of the model may stand for one: their probabilities add up.
    mapping = folder.parent / "mapping.json"
    targets = {"Plants": ["tree", "GRASS"], "Rest": ["sky", "road", "car"]}
    mapping.write_text(json.dumps({"sources": ["tree", "GRASS", "sky", "road", "car"], "targets": targets}))
    both = Predictor(find_model(f"{folder}#{mapping}", ["Rest", "Plants"]).load(), "cpu").probabilities(image)
    chances = torch.from_numpy(large).softmax(0).numpy()
    np.testing.assert_allclose(both[1], chances[3] + chances[4], atol=1e-3)
    np.testing.assert_allclose(both.sum(0), 1, atol=1e-5)


def test_digest_changes_with_weights_settings_and_mapping(saved, tmp_path, save_segformer):
    folder, _ = saved
    same = find_model(str(folder), ["road", "sky"]).digest()
    assert find_model(str(folder), ["road", "sky"]).digest() == same
    others = [find_model(str(folder), ["sky", "road"]).digest()]
    save_segformer(tmp_path, LABELS, seed=1)
    others.append(find_model(str(tmp_path), ["road", "sky"]).digest())
    (tmp_path / "preprocessor_config.json").write_text('{"do_normalize": false}')
    others.append(find_model(str(tmp_path), ["road", "sky"]).digest())
    assert len({same, *others}) == 4


def test_normalisation_is_of_rgb_in_0_to_1(tmp_path):
    assert normalisation(tmp_path) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    for name, settings, mean, std in (
        (
            "processor_config.json",
            {"image_processor": {"image_mean": [0.5] * 3, "image_std": [0.25] * 3}},
            0.5,
            0.25,
        ),
        ("preprocessor_config.json", {"do_normalize": False}, 0.0, 1.0),
        (
            "preprocessor_config.json",
            {"do_rescale": False, "image_mean": [51] * 3, "image_std": [255] * 3},
            0.2,
            1.0,
        ),
    ):
        (tmp_path / name).write_text(json.dumps(settings))
        assert np.allclose(normalisation(tmp_path), [[mean] * 3, [std] * 3])


def test_classes_are_matched_or_the_missing_ones_named():
    mapping = match_classes(LABELS, ["Car", "road"], "it")
    assert mapping.targets == {"Car": ("car",), "road": ("Road",)}
    with pytest.raises(
        ConfigurationError, match=r"'it' has no class for Pole, Fence; it knows sky, Road.*hf:it#"
    ):
        match_classes(LABELS, ["car", "Pole", "Fence"], "it")
    camvid = CLASS_MAPPINGS["cityscapes-camvid"].names
    # Without the void class that the mapping's own model has.
    mapping = match_classes(CITYSCAPES[:19], camvid, "it", "cityscapes-camvid")
    assert mapping.targets == CLASS_MAPPINGS["cityscapes-camvid"].targets
    with pytest.raises(DataError, match="nowhere"):
        match_classes(LABELS, ["car", "road"], "it", "nowhere.json")


def test_what_is_no_model_is_refused(saved, tmp_path):
    folder, model = saved
    with pytest.raises(ConfigurationError, match="'nobody/nothing' is no folder"):
        find_model("nobody/nothing", ["road", "sky"])
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read as JSON"):
        find_model(str(tmp_path), ["road", "sky"])
    (tmp_path / "config.json").write_text('{"model_type": "segformer"}')
    with pytest.raises(ConfigurationError, match="does not name the classes"):
        find_model(str(tmp_path), ["road", "sky"])
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(DataError, match="no weights"):
        find_model(str(tmp_path), ["road", "sky"])
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(DataError, match="cannot be read"):
        find_model(str(tmp_path), ["road", "sky"]).load()
    # A backbone alone: its head would be random.
    model.segformer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(DataError, match=r"decode_head.* among them; they would be random"):
        find_model(str(tmp_path), ["road", "sky"]).load()


def test_a_model_of_another_task_is_refused(tmp_path):
    transformers.BertConfig(id2label={0: "road", 1: "sky"}).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="cannot be loaded as a model for semantic segmentation"):
        find_model(str(tmp_path), ["road", "sky"]).load()


def test_a_missing_package_names_its_extra(monkeypatch, saved):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'tenth\[huggingface\]'"):
        find_model(str(saved[0]), ["road", "sky"])
