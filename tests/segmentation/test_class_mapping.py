from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.class_mapping import (
    CITYSCAPES,
    CLASS_MAPPINGS,
    ClassMapping,
    find_mapping,
    grouped_logsumexp,
)

SMALL = ClassMapping(("road", "car", "void", "bus"), {"Vehicle": ("bus", "car"), "Ground": ("road",)})


def test_mapped_logits_are_known_by_hand():
    logits = torch.tensor([1.0, 0.0, 7.0, 0.0]).view(1, 4, 1, 1)
    expected = torch.tensor([np.log(2.0), 1.0], dtype=torch.float32).view(1, 2, 1, 1)
    torch.testing.assert_close(SMALL.mapped_logits(logits), expected)


@given(st.integers(0, 2**16), st.floats(0.1, 8))
def test_softmax_of_mapped_logits_is_the_mapped_softmax(seed, spread):
    mapping = CLASS_MAPPINGS["cityscapes-camvid-wall"]
    logits = spread * torch.randn(1, 20, 3, 4, generator=torch.Generator().manual_seed(seed))
    found = mapping.mapped_logits(logits).softmax(1)[0].numpy()
    given = dict(zip(mapping.sources, logits.double().softmax(1)[0].numpy(), strict=True))
    summed = np.stack([sum(given[part] for part in parts) for parts in mapping.targets.values()])
    np.testing.assert_allclose(found, summed / summed.sum(0), atol=2e-6)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-6)


def test_the_mapped_classifier_gives_the_mapped_logits():
    mapping = CLASS_MAPPINGS["cityscapes-camvid"]
    weight, bias, x = torch.randn(20, 7, 1, 1), torch.randn(20), torch.randn(2, 7, 5, 6)
    rows, offsets = mapping.mapped_classifier(weight, bias)
    assert len(rows) == len(offsets) == 18  # without wall and void
    found = grouped_logsumexp(torch.conv2d(x, rows, offsets), mapping.sizes)
    torch.testing.assert_close(found, mapping.mapped_logits(torch.conv2d(x, weight, bias)))


def test_every_row_of_a_joined_class_learns():
    logits = torch.zeros(1, 4, 1, 1, requires_grad=True)
    SMALL.mapped_logits(logits)[0, 0].sum().backward()
    assert logits.grad.flatten().tolist() == [0, 0.5, 0, 0.5]


@pytest.mark.parametrize("name", CLASS_MAPPINGS)
def test_mappings_to_camvid_have_its_classes_in_order(name):
    assert CLASS_MAPPINGS[name].names == [
        "Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car", "Pedestrian",
        "Bicyclist",
    ]  # fmt: skip
    assert len(CITYSCAPES) == len(set(CITYSCAPES)) == 20


def test_the_two_mappings_differ_in_walls_alone():
    plain, wall = (CLASS_MAPPINGS[name] for name in ("cityscapes-camvid", "cityscapes-camvid-wall"))
    unused = [{CITYSCAPES[i] for i in range(20)} - {CITYSCAPES[i] for i in m.rows} for m in (plain, wall)]
    assert unused == [{"wall", "void"}, {"void"}]
    assert wall.targets["Building"] == ("building", "wall")


def test_a_mapping_survives_its_file(tmp_path):
    SMALL.save(tmp_path / "map.json")
    assert ClassMapping.load(tmp_path / "map.json") == SMALL


def test_a_mapping_is_found_by_name_or_read_from_a_dict():
    assert find_mapping("cityscapes-camvid") is CLASS_MAPPINGS["cityscapes-camvid"]
    assert find_mapping(SMALL.to_dict()) == SMALL
    with pytest.raises(ConfigurationError, match=r"'camvid'.*cityscapes-camvid"):
        find_mapping("camvid")


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        (("a", "b", "a"), {"A": ("a",), "B": ("b",)}, "'a' is listed twice"),
        (("a", "b"), {"A": ("a",), "B": ("a",)}, "'a' stands for two"),
        (("a", "b"), {"A": ("a",), "B": ("c",)}, "no source class 'c'"),
        (("a", "b"), {"A": ("a",), "B": ()}, "stands for 'B'"),
        (("a", "b"), {"A": ("a", "b")}, "at least 2"),
    ],
)
def test_a_broken_mapping_is_refused(sources, targets, message):
    with pytest.raises(DataError, match=message):
        ClassMapping(sources, targets)


@pytest.mark.parametrize("text", ["[]", "{", '{"sources": ["a"], "targets": {"A": "a"}}', '{"sources": []}'])
def test_a_file_that_is_no_mapping_is_named(tmp_path, text):
    path = tmp_path / "map.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"map\.json"):
        ClassMapping.load(path)


def test_other_numbers_of_classes_are_refused():
    with pytest.raises(DataError, match="3 classes does not fit a mapping from 4"):
        SMALL.mapped_classifier(torch.ones(3, 2, 1, 1), torch.ones(3))
