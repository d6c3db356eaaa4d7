"""Labelling configs: valid XML with every class, and problems found in changed ones."""

from xml.etree import ElementTree

import pytest

from tenth.errors import ConfigurationError
from tenth.label_studio.configs import check_config, image_config, region_config, special_answers
from tenth.segmentation.classes import ClassSet, LabelClass

ODD = ClassSet(
    "odd",
    (
        LabelClass(0, 'kerb & "step" <low>', (255, 0, 16), None),
        LabelClass(1, "it's a {{ sign }}", (0, 128, 0), "ctrl+b"),
        LabelClass(2, "Straße", (1, 2, 3), "m"),
    ),
)


def many(count: int) -> ClassSet:
    return ClassSet("many", tuple(LabelClass(i, f"class {i}", (i, 0, 0)) for i in range(count)))


def entries(config: str, control: str, child: str) -> list[dict[str, str]]:
    root = ElementTree.fromstring(config)
    return [tag.attrib for tag in root.find(f".//{control}").iter(child)]


def test_names_with_special_characters_colours_and_keys_survive():
    config = region_config(ODD)
    choices = entries(config, "Choices", "Choice")
    assert [choice["value"] for choice in choices] == [*ODD.names, "mixed", "void"]
    assert [choice.get("hotkey") for choice in choices] == ["1", "ctrl+b", "m", "n", "j"]
    labels = entries(config, "BrushLabels", "Label")
    assert [label["value"] for label in labels] == ODD.names
    assert [label["background"] for label in labels] == ["#ff0010", "#008000", "#010203"]
    assert [label.get("hotkey") for label in labels] == ["alt+1", None, "alt+m"]
    assert [label["value"] for label in entries(image_config(ODD), "BrushLabels", "Label")] == ODD.names


@pytest.mark.parametrize("count", [2, 11, 14, 19, 24, 255])
def test_no_key_is_given_twice_and_every_answer_has_a_place(count):
    config = region_config(many(count))
    keys = [
        entry["hotkey"]
        for control, child in (("Choices", "Choice"), ("BrushLabels", "Label"))
        for entry in entries(config, control, child)
        if "hotkey" in entry
    ]
    assert len(set(keys)) == len(keys) == 2 * min(count, 19) + 2
    assert len(entries(config, "Choices", "Choice")) == count + 2


def test_direct_upload_needs_a_single_data_key():
    # Label Studio counts the tags with a name and a value that begins with a dollar, and refuses to take
    # pictures into a project with more than one; the overview therefore comes by valueList.
    root = ElementTree.fromstring(region_config(ODD))
    keys = [tag.get("value") for tag in root.iter() if tag.get("name") and "$" in tag.get("value", "")]
    assert keys == ["$crop"]


@pytest.mark.parametrize("name", ["mixed", "void"])
def test_a_class_named_like_another_answer_is_refused(name):
    classes = ClassSet("c", (LabelClass(0, name, (0, 0, 0)), LabelClass(1, "b", (0, 0, 0))))
    with pytest.raises(ConfigurationError, match=f"'{name}'"):
        region_config(classes)


def test_the_other_answers_take_free_keys_only():
    keys = "mnjklxzcfgdsapoiytrwq0987654321"
    classes = tuple(LabelClass(i, str(i), (0, 0, 0), key.upper()) for i, key in enumerate(keys[:-2]))
    assert [answer.hotkey for answer in special_answers(ClassSet("c", classes))] == ["2", "1"]
    classes = tuple(LabelClass(i, str(i), (0, 0, 0), key) for i, key in enumerate(keys[:-1]))
    with pytest.raises(ConfigurationError, match="keys"):
        special_answers(ClassSet("c", classes))


def test_our_own_config_has_no_problem():
    assert check_config(region_config(ODD), ODD) == []
    assert check_config(region_config(many(30)), many(30)) == []


def test_missing_and_renamed_classes_are_found_in_both_controls():
    renamed = ClassSet("c", (*ODD.classes[:2], LabelClass(2, "Strasse", (1, 2, 3))))
    problems = check_config(region_config(ODD), renamed)
    assert len(problems) == 4
    assert sum("lacks 'Strasse'" in problem for problem in problems) == 2
    assert sum("offers 'Straße'" in problem for problem in problems) == 2


@pytest.mark.parametrize(
    ("change", "to", "word"),
    [
        ('value="$crop"', 'value="$image"', "crop"),
        ('<Choice value="void"', '<Choice value="void" alias="nothing"', "'void'"),
        ('choice="single-radio"', 'choice="multiple"', "several"),
        ('name="answer"', 'name="class"', "<Choices"),
        ('name="paint" toName="crop"', 'name="paint" toName="overview"', "'overview'"),
        ("</View>", "", "XML"),
    ],
)
def test_a_changed_config_is_found(change, to, word):
    config = region_config(ODD)
    assert change in config
    (problem,) = {*check_config(config.replace(change, to), ODD)} - {
        problem for problem in check_config(config.replace(change, to), ODD) if "'nothing'" in problem
    }
    assert word in problem
