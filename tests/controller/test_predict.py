"""`controller predict` leaves the pictures that it labels alone."""

import shutil

import numpy as np
import pytest
from test_cli import run

from controller.predict import check_results, find_images
from tenth.errors import ConfigurationError
from tenth.segmentation.images import write_png


@pytest.fixture
def pictures(learned, tmp_path):
    """A folder of one's own with a picture to label."""
    sample = learned.dataset.split("test")[0]
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(sample.image, folder / "a.png")
    return folder


@pytest.mark.parametrize("form", ["{}", "{}/a.png", "file://{}"])
def test_pictures_are_not_overwritten(capsys, learned, pictures, tmp_path, form):
    before = (pictures / "a.png").read_bytes()
    link = tmp_path / "link"
    link.symlink_to(pictures)
    source = form.format(pictures)
    for out in (pictures, link):
        code, _, error = run(capsys, "predict", "-w", learned.workspace.folder, "--out", out, source)
        assert code == 2
        assert "would overwrite the picture" in error and str(out) in error
    assert [path.name for path in pictures.iterdir()] == ["a.png"]
    assert (pictures / "a.png").read_bytes() == before


def test_a_picture_is_not_overwritten_by_the_colours_of_another(tmp_path):
    grey = np.zeros((32, 48), np.uint8)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "a.color.png"):
        write_png(folder / name, grey)
    with pytest.raises(ConfigurationError, match="would overwrite the picture"):
        check_results(find_images([str(folder)]), folder)
    with pytest.raises(ConfigurationError, match="would both be written to"):
        check_results(find_images([str(folder)]), tmp_path / "out")
    check_results(find_images(["memory://a.jpg"]), folder)
