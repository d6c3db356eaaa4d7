"""Answers over the model's labels, for all images asked so far."""

from datetime import UTC, datetime

import numpy as np
import pytest
from rounds import open_round
from sqlalchemy import select
from test_choose import changed

from controller.labels import LabelMap, Source
from controller.loop import Loop
from controller.merge import asked_images, label_map_path, merge, merged_images
from controller.pool import as_sample
from controller.round import close
from controller.status import round_rows
from controller.steps import run_steps
from tenth.segmentation.crf import dense_crf
from tenth.workspace.database import Answer, Region
from tenth.workspace.names import superpixels_name


def regions_of_image(loop, image):
    with loop.workspace.database.reading() as session:
        query = select(Region).where(Region.image_id == image.id).order_by(Region.id)
        return list(session.scalars(query))


def say(loop, region, number, *, kind="class", label=None, painted=None):
    """Enter an answer as the step before leaves it."""
    name = None
    if painted is not None:
        name = loop.workspace.arrays.save(f"painted/{number}", painted=painted)
    row = Answer(
        region_id=region.id,
        kind=kind,
        label=label,
        painted=name,
        annotator="ann",
        annotation_id=number,
        keys=2,
        completed_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    with loop.workspace.database.session() as session:
        session.add(row)
        session.get_one(Region, region.id).state = "answered"
    return row


def mask_of(loop, region):
    superpixels = loop.workspace.arrays.load(superpixels_name(region.round, region.image_id))["superpixels"]
    return superpixels == region.superpixel


def label_map(loop, image, number=1):
    return LabelMap.load(label_map_path(loop, number, image))


def refined(loop, image, fixed=None):
    picture = as_sample(loop, image).load_image()
    probabilities = loop.predictor(str(loop.workspace.models.current())).probabilities(picture)
    return dense_crf(probabilities, picture, loop.crf_options, fixed=fixed)


def test_people_over_the_crf(asked):
    image, other = asked_images(asked, 1)
    first, second, third, *_ = regions_of_image(asked, image)
    answer = say(asked, first, 11, label=3)
    void = say(asked, second, 12, kind="void")
    painted = np.full((64, 96), 255, np.uint8)
    inside = np.argwhere(mask_of(asked, third))
    painted[tuple(inside[0])] = 5
    outside = np.argwhere(~np.logical_or.reduce([mask_of(asked, each) for each in (first, second, third)]))
    painted[tuple(outside[0])] = 6
    mixed = say(asked, third, 13, kind="mixed", painted=painted)

    result = merge(asked, 1)
    merged = label_map(asked, image)
    region = mask_of(asked, first)
    assert (merged.labels[region] == 3).all() and (merged.source[region] == Source.HUMAN).all()
    assert (merged.answer[region] == answer.id).all()
    region = mask_of(asked, second)
    assert (merged.labels[region] == 255).all() and (merged.answer[region] == void.id).all()
    region = mask_of(asked, third)
    assert merged.labels[tuple(inside[0])] == 5
    assert (merged.labels[region] == 255).sum() == region.sum() - 1
    assert merged.labels[tuple(outside[0])] == 6
    assert merged.source[tuple(outside[0])] == Source.HUMAN_EXTRA
    assert merged.answer[tuple(outside[0])] == mixed.id

    rest = merged.source == Source.PSEUDO
    maps = refined(asked, image)
    np.testing.assert_array_equal(merged.labels[rest], maps.argmax(0)[rest])
    np.testing.assert_allclose(merged.confidence[rest], maps.max(0)[rest], atol=1e-3)
    human = sum(int(mask_of(asked, each).sum()) for each in (first, second, third))
    assert rest.sum() == 64 * 96 - human - 1
    assert (label_map(asked, other).source == Source.PSEUDO).all()
    assert result == {
        "images": 2,
        "ignored_pixels": 0,
        "pseudo_pixels": 2 * 64 * 96 - human - 1,
        "human_pixels": human,
        "human_extra_pixels": 1,
    }


def test_an_unsure_model_labels_nothing(asked):
    asked = changed(asked, labels__min_confidence=1.0)
    image, _ = asked_images(asked, 1)
    region = regions_of_image(asked, image)[0]
    say(asked, region, 11, label=2)
    merge(asked, 1)
    merged = label_map(asked, image)
    assert ((merged.labels == 2) == mask_of(asked, region)).mean() > 0.99
    assert (merged.source == Source.IGNORED).any()


def test_propagate_spreads_an_answer(asked):
    image, _ = asked_images(asked, 1)
    for number, region in enumerate(regions_of_image(asked, image), 1):
        say(asked, region, number, label=7)
    merge(asked, 1)
    plain = label_map(asked, image)
    spread = changed(asked, labels__propagate=True)
    merge(spread, 1)
    merged = label_map(spread, image)
    human = plain.source == Source.HUMAN
    fixed = np.where(human, 7, 255).astype(np.uint8)
    expected = refined(asked, image, fixed)
    np.testing.assert_array_equal(merged.labels[~human], expected.argmax(0)[~human])
    np.testing.assert_array_equal(merged.source, plain.source)
    assert (merged.labels[human] == 7).all()
    np.testing.assert_array_equal(merged.confidence[~human], expected.max(0)[~human].astype(np.float16))
    # The answers pull at what is around them, however sure the model is of something else.
    without = refined(asked, image)
    assert expected[7][~human].sum(dtype=np.float64) > without[7][~human].sum(dtype=np.float64)


def test_a_killed_merge_goes_on_behind_the_last_image(asked):
    image, other = asked_images(asked, 1)
    merge(asked, 1)
    kept = label_map_path(asked, 1, image)
    before = (kept.stat().st_mtime_ns, kept.read_bytes())
    label_map_path(asked, 1, other).unlink()
    result = merge(asked, 1)
    assert (kept.stat().st_mtime_ns, kept.read_bytes()) == before
    assert label_map_path(asked, 1, other).exists()
    assert result["images"] == 2
    assert result["pseudo_pixels"] == 2 * 64 * 96


@pytest.mark.parametrize(
    "settings", [{"labels__min_confidence": 0.5}, {"labels__sieve": True}, {"crf__w1": 7.0}]
)
def test_maps_made_by_other_settings_are_made_again(asked, settings):
    """Also those of a merge that was killed."""
    image, other = asked_images(asked, 1)
    paths = [label_map_path(asked, 1, each) for each in (image, other)]
    merge(asked, 1)
    before = LabelMap.made_of(paths[0])
    paths[1].unlink()
    loop = changed(asked, **settings)
    merge(loop, 1)
    assert before not in [LabelMap.made_of(path) for path in paths]
    written = [path.stat().st_mtime_ns for path in paths]
    merge(loop, 1)
    assert [path.stat().st_mtime_ns for path in paths] == written


def test_a_map_is_made_again_when_an_answer_came_late(asked):
    image, _ = asked_images(asked, 1)
    merge(asked, 1)
    region = regions_of_image(asked, image)[0]
    say(asked, region, 11, label=3)
    merge(asked, 1)
    assert (label_map(asked, image).labels[mask_of(asked, region)] == 3).all()


def test_a_map_of_unknown_origin_is_made_again(asked):
    """As an earlier release left it, or a damaged one."""
    image, other = asked_images(asked, 1)
    merge(asked, 1)
    expected = label_map(asked, image)
    LabelMap(*(np.zeros_like(each) for each in vars(expected).values())).save(label_map_path(asked, 1, image))
    label_map_path(asked, 1, other).write_bytes(b"PK")
    merge(asked, 1)
    np.testing.assert_array_equal(label_map(asked, image).labels, expected.labels)
    assert label_map(asked, other).labels.shape == (64, 96)


def test_where_the_model_has_no_say_it_is_not_asked(asked, monkeypatch):
    loop = changed(asked, labels__pseudo=False, labels__sieve=False)
    monkeypatch.setattr(Loop, "predictor", lambda *_: 1 / 0)
    image, _ = asked_images(loop, 1)
    region = regions_of_image(loop, image)[0]
    say(loop, region, 11, label=3)
    merge(loop, 1)
    merged = label_map(loop, image)
    assert ((merged.labels == 3) == mask_of(loop, region)).all()
    with pytest.raises(ZeroDivisionError):
        merge(changed(asked, labels__sieve=True), 1)


def second_round(loop):
    """Merge round 1 with one pixel painted outside, close it, and ask round 2 with another model."""
    image = asked_images(loop, 1)[0]
    region, *others = regions_of_image(loop, image)
    painted = np.full((64, 96), 255, np.uint8)
    outside = ~np.logical_or.reduce([mask_of(loop, each) for each in (region, *others)])
    painted[tuple(np.argwhere(outside)[0])] = 6
    say(loop, region, 11, label=3, painted=painted)
    run_steps(loop, 1, [("merge", merge)])
    close(loop, 1)
    loaded = loop.workspace.models.load(str(loop.workspace.models.current()))
    for parameter in loaded.network.parameters():
        parameter.data *= -1.0
    other = loop.workspace.models.add(
        loaded.network, loaded.info.spec, loop.classes, metrics={}, parents=[], training={}
    )
    loop.workspace.models.use(other)
    open_round(loop, 2)
    return image


def test_refreshed_labels_are_the_current_models(asked):
    image = second_round(asked)
    before = label_map(asked, image, 1)
    result = merge(asked, 2)
    assert result["images"] == 4
    after = label_map(asked, image, 2)
    pseudo = after.source == Source.PSEUDO
    np.testing.assert_array_equal(after.labels[pseudo], refined(asked, image).argmax(0)[pseudo])
    assert (after.labels[pseudo] != before.labels[pseudo]).any()
    np.testing.assert_array_equal(after.labels[~pseudo], before.labels[~pseudo])
    assert len({each.labels for each in merged_images(asked, 2)}) == 4
    assert all("round-002" in str(each.labels) for each in merged_images(asked, 2))


@pytest.mark.parametrize("refresh", [True, False])
def test_what_was_painted_outside_counts_in_every_later_round(asked, refresh):
    loop = changed(asked, labels__refresh=refresh)
    second_round(loop)
    run_steps(loop, 2, [("merge", merge)])
    rows = {row["round"]: row for row in round_rows(loop)}
    assert rows[1]["extra_share"] == pytest.approx(1 / (2 * 64 * 96))
    assert rows[2]["extra_share"] == pytest.approx(1 / (4 * 64 * 96))


def test_without_refresh_the_labels_of_earlier_rounds_stay(asked):
    loop = changed(asked, labels__refresh=False)
    image = second_round(loop)
    before = label_map_path(loop, 1, image).read_bytes()
    merge(loop, 2)
    assert label_map_path(loop, 2, image).read_bytes() == before
    folders = sorted(each.labels.parent.name for each in merged_images(loop, 2))
    assert folders == ["round-001", "round-001", "round-002", "round-002"]
    pictures = [each.load() for each in merged_images(loop, 2)]
    assert all(
        picture.shape == (64, 96, 3) and labels.shape == (64, 96) and labels.dtype == np.uint8
        for picture, labels in pictures
    )


def test_without_a_model_people_alone(asked):
    (asked.workspace.models.folder / "current").unlink()
    image, _ = asked_images(asked, 1)
    region = regions_of_image(asked, image)[0]
    say(asked, region, 11, label=3)
    merge(asked, 1)
    merged = label_map(asked, image)
    np.testing.assert_array_equal(merged.labels == 3, mask_of(asked, region))
    assert (merged.labels[~mask_of(asked, region)] == 255).all()
    assert (merged.source[~mask_of(asked, region)] == Source.IGNORED).all()
