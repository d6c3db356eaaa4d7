import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.distillation import (
    MODES,
    POOL,
    TEACHERS,
    Work,
    check_settings,
    few_labels,
    lesson_of,
    loss_of,
    way_of,
)
from tenth.errors import ConfigurationError
from tenth.progress import Progress
from tenth.segmentation.classes import ClassSet, LabelClass
from tenth.segmentation.dataset import FolderDataset


@pytest.fixture
def dataset(tmp_path):
    tmp_path = tmp_path / "dataset"
    for split, count in (("train", 9), ("val", 1), ("test", 1)):
        for kind in ("images", "labels"):
            (tmp_path / split / kind).mkdir(parents=True)
        for number in range(count):
            picture = np.full((4, 5, 3), number, np.uint8)
            Image.fromarray(picture).save(tmp_path / split / "images" / f"drive_{number:03}.png")
            Image.fromarray(picture[..., 0] % 2).save(tmp_path / split / "labels" / f"drive_{number:03}.png")
    classes = ClassSet("street", (LabelClass(0, "road", (128, 64, 128)), LabelClass(1, "car", (0, 0, 142))))
    (tmp_path / "classes.json").write_text(json.dumps(classes.to_dict()))
    return tmp_path


def work_on(dataset, folder, labelled=0):
    return Work(dataset, folder, (5, 4), Path("weights.pth"), 10, dict(TEACHERS), Progress(), labelled)


def test_few_labels_are_neighbours_and_all_others_are_the_pool(dataset, tmp_path):
    linked, again = (FolderDataset(few_labels(work_on(dataset, tmp_path / "work", 3))) for _ in range(2))
    assert linked.splits == again.splits == [POOL, "test", "train", "val"]
    numbers = [int(sample.key[-3:]) for sample in linked.split("train", require_labels=True)]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    pool = linked.split(POOL)
    assert sorted(numbers + [int(sample.key[-3:]) for sample in pool]) == list(range(9))
    assert {sample.labels for sample in pool} == {None}
    image, labels = linked.split("train")[0].load()
    assert (image == numbers[0]).all()
    assert (labels == numbers[0] % 2).all()


def test_links_to_another_data_set_are_refused(dataset, tmp_path):
    few_labels(work_on(dataset, tmp_path / "work", 3))
    shutil.copytree(dataset, tmp_path / "copy")
    with pytest.raises(ConfigurationError, match="--work"):
        few_labels(work_on(tmp_path / "copy", tmp_path / "work", 3))


def test_a_folder_of_other_settings_is_refused(dataset, tmp_path):
    """Also one of before there was a choice: all labels, compared at each pixel."""
    check_settings(work_on(dataset, tmp_path / "work"))
    check_settings(work_on(dataset, tmp_path / "work"))
    with pytest.raises(ConfigurationError, match="labelled 0 there, 3 here"):
        check_settings(work_on(dataset, tmp_path / "work", 3))
    settings = tmp_path / "work" / "settings.json"
    known = json.loads(settings.read_text())
    settings.write_text(json.dumps({name: known[name] for name in known if name != "stride"}))
    with pytest.raises(ConfigurationError, match="stride 1 there, 4 here"):
        check_settings(work_on(dataset, tmp_path / "work"))


def test_each_way_of_teaching_has_a_name_of_its_own():
    taught = [mode for mode in MODES if not mode.startswith("alone")]
    assert len({lesson_of("enet", mode, unlabelled=True) for mode in taught}) == len(taught)
    losses = [loss_of("enet", mode) for mode in taught]
    assert {way_of(loss) for loss in losses} == {"dist", "cwd", "kl", "kl by pixel"}
