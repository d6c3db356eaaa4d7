"""Exported models against torch, on a small trained ICNet."""

import copy
import re

import numpy as np
import pytest
import torch

from tenth.errors import ConfigurationError, DataError, ExportDiffers
from tenth.segmentation.export import Parity, common_size, compare, load_exported, write_exported
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec, ScaledLogits, SegmentationNetwork

FILES = ("onnx_file", "openvino_file")


@pytest.fixture(params=FILES)
def exported(request):
    return request.getfixturevalue(request.param)


def test_what_is_kept_agrees_with_torch(exported, network, images):
    sees = {int(label) for image in images for label in np.unique(Predictor(network, "cpu").labels(image))}
    assert len(sees) >= 3  # it has learned something to agree on
    assert exported.parity.images == 3
    assert exported.parity.pixels == 3 * 65 * 98
    assert exported.parity.agreement > 0.9999
    assert 0 < exported.parity.max_difference < 1e-4


def test_images_of_the_input_size_are_predicted_as_by_torch(exported, network, images):
    predictor = load_exported(exported.path)
    expected = Predictor(network, "cpu", "f32").probabilities(images[0])
    found = predictor.probabilities(images[0])
    assert (found.shape, found.dtype) == (expected.shape, np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_array_equal(predictor.labels(images[0]), found.argmax(0))


def test_nothing_else_lies_beside_the_files(onnx_file, openvino_file):
    assert [path.name for path in onnx_file.path.parent.iterdir()] == ["model.onnx"]
    assert sorted(path.name for path in openvino_file.path.parent.iterdir()) == ["model.bin", "model.xml"]


def test_the_network_stays_as_it_was(network, metadata, images, onnx_file):
    """Its modes are those of predicting, its weights and numbers the same."""
    again = compare(Predictor(network, "cpu", "f32"), load_exported(onnx_file.path), images)
    assert again == onnx_file.parity


def test_no_path_of_this_machine_is_in_the_files(onnx_file, openvino_file):
    for exported in (onnx_file, openvino_file):
        content = exported.path.read_bytes()
        assert b"icnet.py" not in content
        assert b"class_hierarchy" not in content


def test_weights_changed_in_between_are_found(network, images, onnx_file):
    altered = copy.deepcopy(network)
    with torch.no_grad():
        altered.classifier.bias[0] += 1.0
    parity = compare(Predictor(altered, "cpu", "f32"), load_exported(onnx_file.path), images)
    assert parity.max_difference > 0.01
    with pytest.raises(
        ExportDiffers, match=r"The export is not what torch computes: .* differ by up to \d.*Do without"
    ):
        parity.check(1e-3, "The export", "Do without.")


@pytest.mark.parametrize(
    ("agreement", "difference", "kept"),
    [(1.0, 1e-3, True), (0.999, 0.0, True), (1.0, 2e-3, False), (0.99, 0.0, False), (1.0, np.nan, False)],
)
def test_both_figures_have_to_be_within_the_tolerance(agreement, difference, kept):
    parity = Parity(1, 1000, agreement, difference)
    if kept:
        parity.check(1.001e-3, "It", "")
    else:
        with pytest.raises(ExportDiffers, match=re.escape("0.001001 is tolerated")):
            parity.check(1.001e-3, "It", "")


class Known:
    """Says what it is told to."""

    def __init__(self, probabilities, metadata):
        self.told, self.metadata = probabilities, metadata

    def probabilities(self, image):
        return self.told


def test_agreement_and_difference_are_known(metadata):
    image = np.zeros((*metadata.input_size, 3), np.uint8)
    first = np.zeros((2, 2, 2), np.float32)
    first[0], first[1] = 0.75, 0.25
    second = first.copy()
    second[:, 1, 1] = 0.25, 0.75
    parity = compare(Known(first, metadata), Known(second, metadata), [image])
    assert parity == Parity(1, 4, 0.75, 0.5)
    second[0, 0, 0] = np.nan
    assert np.isnan(compare(Known(first, metadata), Known(second, metadata), [image, image]).max_difference)


class Tiny(SegmentationNetwork):
    def __init__(self, broken=False):
        super().__init__(2)
        self.layer = torch.nn.Conv2d(3, 2, 3, padding=1)
        self.broken = broken

    def forward(self, x):
        logits = self.layer(x)
        if self.broken and float(logits.sum()) > 0:  # a decision that no graph can hold
            return logits
        return logits * 2

    def training_outputs(self, x):
        return [ScaledLogits(1.0, self(x))]


@pytest.fixture
def tiny_metadata(metadata):
    from dataclasses import replace

    from tenth.segmentation.classes import ClassSet

    classes = ClassSet.from_dict(
        {"classes": [{"id": i, "name": f"c{i}", "color": [i, 0, 0]} for i in range(2)]}
    )
    return replace(metadata, network=NetworkSpec("tiny", 2), classes=classes, input_size=(20, 30))


def test_what_does_not_agree_is_not_kept_and_the_older_file_stays(tmp_path, images, tiny_metadata):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"older")
    with pytest.raises(DataError, match="0 is tolerated"):
        write_exported(Tiny(), tiny_metadata, "onnx", path, images, tolerance=0)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("model.onnx", b"older")]
    with pytest.raises(DataError, match="no image"):
        write_exported(Tiny(), tiny_metadata, "onnx", path, [])
    assert path.read_bytes() == b"older"


def test_what_cannot_be_exported_is_said(tmp_path, images, tiny_metadata):
    with pytest.raises(ConfigurationError, match="Network 'tiny' cannot be exported"):
        write_exported(Tiny(broken=True), tiny_metadata, "onnx", tmp_path / "model.onnx", images)
    assert list(tmp_path.iterdir()) == []


def test_names_and_places_that_cannot_be_are_refused(tmp_path, images, tiny_metadata):
    with pytest.raises(ConfigurationError, match=re.escape("let it end in .xml")):
        write_exported(Tiny(), tiny_metadata, "openvino", tmp_path / "model.onnx", images)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_exported(Tiny(), tiny_metadata, "onnx", tmp_path / "file" / "model.onnx", images)


def test_the_common_size_is_the_largest_of_the_most_frequent():
    sizes = [(10, 20), (30, 20), (10, 20), (30, 20), (90, 90)]
    assert common_size([np.zeros((*size, 3), np.uint8) for size in sizes]) == (30, 20)
    with pytest.raises(DataError, match="no image"):
        common_size([])
