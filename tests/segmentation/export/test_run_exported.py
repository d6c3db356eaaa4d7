"""The example of docs/export.md, in a process that has neither our package nor torch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tenth.segmentation.export import load_exported
from tenth.segmentation.scenes import SCENE_CLASSES

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "run_exported.py"
ALONE = (
    "import runpy, sys\n"
    "for name in ('tenth', 'torch', 'cv2', 'onnx'):\n"
    "    sys.modules[name] = None\n"  # importing it raises ImportError
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)


@pytest.mark.parametrize("number", [0, 2], ids=["input size", "another size"])
def test_the_example_labels_as_we_do(tmp_path, onnx_file, images, number):
    Image.fromarray(images[number]).save(tmp_path / "picture.png")
    done = subprocess.run(
        [sys.executable, "-c", ALONE, EXAMPLE, onnx_file.path, "picture.png", "labels.png"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = load_exported(onnx_file.path).labels(images[number])
    with Image.open(tmp_path / "labels.png") as picture:
        labels, colours = np.asarray(picture), np.asarray(picture.convert("RGB"))
    assert labels.shape == expected.shape
    assert (labels == expected).mean() > 0.999  # ties may fall either way
    np.testing.assert_array_equal(colours, SCENE_CLASSES.colorize(labels))
    shares = dict(line.rsplit(": ", 1) for line in done.stdout.splitlines())
    assert list(shares) == SCENE_CLASSES.names
    assert shares[SCENE_CLASSES.names[1]] == f"{(labels == 1).mean():.1%}"


def test_the_example_is_short():
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 30
