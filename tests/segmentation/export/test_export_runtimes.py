"""What an exported file says about itself, what becomes of other sizes, and files that are none."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.export import ExportMetadata, OnnxPredictor, OpenVinoPredictor, load_exported
from tenth.segmentation.export.extras import need
from tenth.segmentation.networks import NetworkSpec
from tenth.segmentation.scenes import SCENE_CLASSES

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_description_comes_back_from_both_formats(onnx_file, openvino_file, metadata):
    assert load_exported(onnx_file.path).metadata == metadata
    assert load_exported(openvino_file.path).metadata == metadata
    assert OpenVinoPredictor(onnx_file.path.read_bytes()).metadata == metadata


def test_the_description_can_be_read_without_us(onnx_file):
    import onnx

    model = onnx.load(onnx_file.path)
    onnx.checker.check_model(model)
    texts = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert texts["mean"] == [0.485, 0.456, 0.406]
    assert texts["std"] == [0.229, 0.224, 0.225]
    assert texts["input_size"] == [65, 98]
    assert texts["version"] == "v0003-0123abcd"
    assert [entry["name"] for entry in texts["classes"]] == SCENE_CLASSES.names
    assert texts["classes"][0]["color"] == list(SCENE_CLASSES.classes[0].color)
    (image,), (probabilities,) = model.graph.input, model.graph.output
    shapes = [[d.dim_value for d in value.type.tensor_type.shape.dim] for value in (image, probabilities)]
    assert shapes == [[1, 3, 65, 98], [1, len(SCENE_CLASSES), 65, 98]]
    assert (image.name, probabilities.name) == ("image", "probabilities")


def test_where_the_first_weights_came_from_is_left_out(metadata):
    spec = NetworkSpec("icnet", 3, {"width": 0.5, "weights": "/home/me/secret.pth", "weights_sha256": "0"})
    texts = ExportMetadata(**{**vars(metadata), "network": spec}).to_texts()
    assert json.loads(texts["network"])["options"] == {"width": 0.5}
    assert "secret" not in "".join(texts.values())


@pytest.mark.parametrize("key", ["classes", "mean", "input_size", "format", "network"])
def test_descriptions_with_holes_are_refused(metadata, key):
    texts = metadata.to_texts()
    for value in (None, "null", "[1]", "{"):
        broken = {**texts, key: value} if value else {k: v for k, v in texts.items() if k != key}
        with pytest.raises(DataError, match=r"photo\.onnx"):
            ExportMetadata.from_texts(broken, "photo.onnx")
    with pytest.raises(DataError, match="format 99"):
        ExportMetadata.from_texts({**texts, "format": "99"}, "photo.onnx")


@pytest.mark.parametrize("fixture", ["onnx_file", "openvino_file"])
@pytest.mark.parametrize("size", [(130, 196), (31, 47), (200, 20), (1, 1)])
def test_other_sizes_are_resized_there_and_back(request, fixture, size, images):
    predictor = load_exported(request.getfixturevalue(fixture).path)
    image = np.asarray(Image.fromarray(images[0]).resize(size[::-1], Image.Resampling.BILINEAR))
    found = predictor.probabilities(image)
    assert found.shape == (len(SCENE_CLASSES), *size)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    small = np.asarray(Image.fromarray(image).resize((98, 65), Image.Resampling.BILINEAR))
    expected = [
        np.asarray(Image.fromarray(channel).resize(size[::-1], Image.Resampling.BILINEAR))
        for channel in predictor.probabilities(small)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(predictor.labels(image), found.argmax(0))


@pytest.mark.parametrize("fixture", ["onnx_file", "openvino_file"])
def test_threads_may_share_a_predictor(request, fixture, images):
    predictor = load_exported(request.getfixturevalue(fixture).path)
    expected = [predictor.probabilities(image) for image in images]
    same = []

    def work(number):
        for _ in range(8):
            same.append(np.array_equal(predictor.probabilities(images[number]), expected[number]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same == [True] * 24


def test_what_is_no_image_is_refused(onnx_file):
    with pytest.raises(DataError, match="uint8 RGB"):
        load_exported(onnx_file.path).labels(np.zeros((4, 5), np.uint8))


def test_damaged_foreign_and_missing_files_are_refused(tmp_path, onnx_file, openvino_file):
    with pytest.raises(DataError, match=r"missing\.onnx cannot be read"):
        load_exported(tmp_path / "missing.onnx")
    content = onnx_file.path.read_bytes()
    for predictor in (OnnxPredictor, OpenVinoPredictor):
        with pytest.raises(DataError, match=r"it cannot be loaded: .* Export the model again"):
            predictor(content[: len(content) // 2], "it")
    (tmp_path / "model.xml").write_bytes(openvino_file.path.read_bytes())  # its .bin stays behind
    with pytest.raises(DataError, match=r"model\.xml cannot be loaded"):
        load_exported(tmp_path / "model.xml")


def test_models_of_others_are_refused():
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "ab"]
    graph = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    for predictor in (OnnxPredictor, OpenVinoPredictor):
        with pytest.raises(DataError, match="does not say what its model is"):
            predictor(model.SerializeToString(), "it")


def test_a_missing_package_names_its_extra(monkeypatch, onnx_file):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'tenth\[onnx\]'"):
        OnnxPredictor(onnx_file.path.read_bytes())
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'tenth\[openvino\]'"):
        OpenVinoPredictor(onnx_file.path.read_bytes())
    assert need("json", "onnx") is json


def test_nothing_is_imported_before_it_is_needed_and_openvino_reports_nothing(tmp_path):
    program = (
        "import sys\n"
        "import tenth.segmentation.export\n"
        "from tenth.segmentation.export.extras import need_openvino\n"
        "print([name for name in ('onnx', 'onnxruntime', 'onnxscript', 'openvino') if name in sys.modules])\n"
        "need_openvino()\n"
        "print([name for name, module in sys.modules.items() if 'openvino_telemetry' in name and module])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={"HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[]\n[]\n", done.stderr
    assert list(tmp_path.iterdir()) == []
