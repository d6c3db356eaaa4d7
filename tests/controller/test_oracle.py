"""The simulated annotator: what people would say, given the truth."""

import numpy as np
import pytest
from sqlalchemy import select

from controller.oracle import Oracle, answer_group, prepare, truth_path
from controller.push import regions_of
from tenth.errors import ConfigurationError, DataError
from tenth.label_studio.configs import MIXED, VOID
from tenth.label_studio.regions import RegionCrop
from tenth.label_studio.results import parse_annotation
from tenth.segmentation.images import read_labels, write_png
from tenth.workspace.database import Image
from tenth.workspace.names import superpixels_name


@pytest.fixture
def region(asked):
    return regions_of(asked, 1, "pushed")[0]


@pytest.fixture
def mask(asked, region):
    superpixels = asked.workspace.arrays.load(superpixels_name(1, region.image_id))["superpixels"]
    return superpixels == region.superpixel


def truth_of(mask, *labels):
    """Return a map whose region holds the labels in turn; with two, the first covers the odd pixel more."""
    truth = np.full(mask.shape, 9, np.uint8)
    truth[mask] = np.resize(np.array(labels, np.uint8), int(mask.sum()))
    return truth


def parsed(asked, region, result):
    return parse_annotation(
        {"id": 1, "result": result},
        data={"region_id": region.id},
        region_id=region.id,
        crop=RegionCrop(region.x, region.y, region.width, region.height, region.scale),
        image_shape=(64, 96),
        classes=asked.classes,
    )


def test_the_dominant_class(asked, region, mask):
    answer = parsed(asked, region, Oracle().answer(region, mask, truth_of(mask, 3, 3, 5), asked.classes))
    assert (answer.kind, answer.label, answer.painted) == ("class", 3, None)


def test_the_guess_is_accepted_where_it_is_right(asked, region, mask):
    right = Oracle().answer(region, mask, truth_of(mask, region.guess), asked.classes)
    assert parsed(asked, region, right).guess_kept
    other = (region.guess + 1) % len(asked.classes)
    wrong = Oracle().answer(region, mask, truth_of(mask, other), asked.classes)
    assert not parsed(asked, region, wrong).guess_kept
    assert parsed(asked, region, wrong).label == other


def test_void_where_most_is_ignored(asked, region, mask):
    result = Oracle(noise=1.0).answer(region, mask, truth_of(mask, 255, 255, 4), asked.classes)
    assert result[0]["value"]["choices"] == [VOID]
    assert parsed(asked, region, result).kind == "void"


def test_exact_paints_every_pixel_of_a_straddling_region(asked, region, mask):
    truth = truth_of(mask, 3, 5, 255)
    result = Oracle(exact=True).answer(region, mask, truth, asked.classes)
    assert result[0]["value"]["choices"] == [MIXED]
    answer = parsed(asked, region, result)
    assert answer.kind == "mixed"
    np.testing.assert_array_equal(answer.painted, np.where(mask, truth, 255))


def test_exact_paints_nothing_where_there_is_one_class(asked, region, mask):
    answer = parsed(asked, region, Oracle(exact=True).answer(region, mask, truth_of(mask, 4), asked.classes))
    assert (answer.kind, answer.label, answer.painted) == ("class", 4, None)
    void = Oracle(exact=True).answer(region, mask, truth_of(mask, 255), asked.classes)
    assert parsed(asked, region, void).kind == "void"


def said(asked, oracle, regions):
    """What the oracle says about regions that are of class 2 all through."""
    labels = []
    for region in regions:
        superpixels = asked.workspace.arrays.load(superpixels_name(1, region.image_id))["superpixels"]
        region_mask = superpixels == region.superpixel
        result = oracle.answer(region, region_mask, truth_of(region_mask, 2), asked.classes)
        labels.append(parsed(asked, region, result).label)
    return labels


def test_noise_is_the_same_in_any_order(asked):
    regions = regions_of(asked, 1, "pushed")
    assert len(regions) > 8
    assert set(said(asked, Oracle(noise=0.0), regions)) == {2}
    assert 2 not in said(asked, Oracle(noise=1.0), regions)
    some = said(asked, Oracle(noise=0.5), regions)
    assert 2 in some and len(set(some)) > 2
    assert said(asked, Oracle(noise=0.5), regions[::-1])[::-1] == some
    assert said(asked, Oracle(noise=0.5, seed=1), regions) != some


def labels_folder(asked):
    return asked.dataset.root / "train" / "labels"


def test_every_region_is_answered_from_its_own_image(asked):
    regions = regions_of(asked, 1, "pushed")
    prepared = prepare(asked, regions, labels_folder(asked), Oracle())
    assert sorted(region.id for region, _ in prepared) == sorted(region.id for region in regions)
    with asked.workspace.database.reading() as session:
        images = {image.id: image for image in session.scalars(select(Image))}
    for region, result in prepared:
        truth = read_labels(str(images[region.image_id].labels), len(asked.classes))
        superpixels = asked.workspace.arrays.load(superpixels_name(1, region.image_id))["superpixels"]
        counts = np.bincount(truth[superpixels == region.superpixel], minlength=256)
        answer = parsed(asked, region, result)
        assert counts[255 if answer.label is None else answer.label] == counts.max()


def test_missing_or_foreign_truth_is_refused_before_anything_is_sent(asked, tmp_path):
    regions = regions_of(asked, 1, "pushed")
    with pytest.raises(DataError, match="has no ground truth"):
        prepare(asked, regions, tmp_path, Oracle())
    for path in labels_folder(asked).iterdir():
        write_png(tmp_path / path.name, np.zeros((10, 20), np.uint8))
    with pytest.raises(DataError, match=r"20×10, its image 96×64"):
        prepare(asked, regions, tmp_path, Oracle())


def test_truth_is_looked_for_in_the_folders_of_the_pool(tmp_path):
    def found(key, **names):
        return str(truth_path(tmp_path, key, names).relative_to(tmp_path))

    (tmp_path / "a").mkdir()
    for name in ("x.png", "a/x.png", "y.png"):
        write_png(tmp_path / name, np.zeros((2, 2), np.uint8))
    assert found("pool/a/x", x=2) == "a/x.png"
    assert found("pool/x", x=2) == "x.png"
    assert found("pool/b/y", y=1) == "y.png"
    with pytest.raises(DataError, match=r"pool/b/x is uncertain: 2 images .* at .*b/x\.png"):
        found("pool/b/x", x=2)
    with pytest.raises(DataError, match=r"pool/b/z has no ground truth: .*b/z\.png does not exist"):
        found("pool/b/z", z=1)


def test_images_of_one_name_are_answered_from_their_own_truth(asked, tmp_path, monkeypatch):
    """And the superpixels of an image are read once, however many of its regions are asked about."""
    regions = regions_of(asked, 1, "pushed")
    with asked.workspace.database.session() as session:
        first, second = session.scalars(select(Image).where(Image.role == "asked"))
        first.key, second.key = "pool/a/0001", "pool/b/0001"
    for name, label in (("0001", 1), ("a/0001", 2), ("b/0001", 3)):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        write_png(path, np.full((first.height, first.width), label, np.uint8))
    load, loaded = asked.workspace.arrays.load, []
    monkeypatch.setattr(asked.workspace.arrays, "load", lambda name: loaded.append(name) or load(name))
    said = {}
    for region, result in prepare(asked, regions, tmp_path, Oracle()):
        said.setdefault(region.image_id, set()).add(parsed(asked, region, result).label)
    assert said == {first.id: {2}, second.id: {3}}
    assert len(loaded) == 2 < len(regions)
    (tmp_path / "b" / "0001.png").unlink()
    with pytest.raises(DataError, match="pool/b/0001 is uncertain"):
        prepare(asked, regions, tmp_path, Oracle())


def test_without_an_open_group_there_is_nothing_to_answer(learned):
    with pytest.raises(ConfigurationError, match="no open group"):
        answer_group(learned, labels_folder(learned), Oracle())
