from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenth.errors import DataError
from tenth.segmentation.classes import IGNORE, ClassSet, LabelClass


def entry(i: int, **changes: Any) -> dict[str, Any]:
    return {"id": i, "name": f"class {i}", "color": [i, 2 * i % 256, 7]} | changes


def document(*classes: dict[str, Any]) -> dict[str, Any]:
    return {"name": "set", "ignore": 255, "classes": list(classes)}


def test_missing_hotkeys_are_handed_out_in_order_around_the_taken_ones() -> None:
    classes = ClassSet.from_dict(
        document(entry(0), entry(1, hotkey="1"), entry(2), entry(3, hotkey="3"), entry(4))
    )
    assert [each.hotkey for each in classes.classes] == ["2", "1", "4", "3", "5"]


def test_hotkeys_run_out_after_nineteen() -> None:
    classes = ClassSet.from_dict(document(*(entry(i) for i in range(21))))
    assert "".join(each.hotkey or "-" for each in classes.classes) == "1234567890qwrtyiopa--"


def test_a_class_set_survives_the_way_through_a_file(tmp_path: Path) -> None:
    classes = ClassSet.from_dict(document(*(entry(i) for i in range(25))))
    (tmp_path / "classes.json").write_text(json.dumps(classes.to_dict()))
    assert ClassSet.load(tmp_path / "classes.json") == classes


def test_colours_follow_the_ids_and_ignore_is_black() -> None:
    classes = ClassSet("two", (LabelClass(0, "a", (1, 2, 3)), LabelClass(1, "b", (4, 5, 6))))
    painted = classes.colorize(np.array([[0, 1], [IGNORE, 0]], np.uint8))
    assert painted.dtype == np.uint8
    assert painted.tolist() == [[[1, 2, 3], [4, 5, 6]], [[0, 0, 0], [1, 2, 3]]]
    assert classes.palette.shape == (256, 3)


def test_names_lead_to_ids_and_back() -> None:
    classes = ClassSet.from_dict(document(entry(0, name="sky"), entry(1, name="road")))
    assert len(classes) == 2
    assert [classes.id_of(name) for name in classes.names] == [0, 1]
    with pytest.raises(DataError, match=r"no class 'raod'.*sky, road"):
        classes.id_of("raod")


def test_the_largest_class_set_has_255_classes() -> None:
    assert len(ClassSet.from_dict(document(*(entry(i) for i in range(255))))) == 255


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([entry(0)], "1 classes"),
        ([entry(0), entry(2)], r"\[0, 2\]"),
        ([entry(1), entry(0)], r"\[1, 0\]"),
        ([entry(0), entry(255)], "255"),
        ([entry(0), entry(True)], "True"),
        ([entry(0), entry(1, name="class 0")], "name 'class 0'"),
        ([entry(0), entry(1, name=" ")], "name ' '"),
        ([entry(0, hotkey="a"), entry(1, hotkey="a")], "hotkey 'a'"),
        ([entry(0, hotkey=5), entry(1)], "hotkey 5"),
        ([entry(0), entry(1, color=[0, 0, 256])], "256"),
        ([entry(0), entry(1, color=[0, 0])], r"\[0, 0\]"),
        ([entry(0), entry(1, color="red")], "red"),
        ([entry(0), {"id": 1, "name": "x"}], "no color"),
        ([entry(0), "road"], "'road'"),
    ],
)
def test_wrong_classes_are_refused_by_name(classes: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        ClassSet.from_dict(document(*classes))


def test_another_ignore_value_is_refused() -> None:
    with pytest.raises(DataError, match="0, but only 255"):
        ClassSet.from_dict(document(entry(0), entry(1)) | {"ignore": 0})


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '{"classes": 3}', '{"classes": []}', "\xff"])
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "classes.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=r"classes\.json"):
        ClassSet.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"classes\.json does not exist"):
        ClassSet.load(tmp_path / "classes.json")
