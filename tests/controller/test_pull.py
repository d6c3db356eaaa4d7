"""What is pulled is checked: the task, the region, the answer; the rest goes on."""

import copy

import numpy as np
import pytest
from sqlalchemy import select

from controller.pull import read_task
from controller.push import region_id_of
from tenth.label_studio.answers import class_result, painted_results, special_result
from tenth.label_studio.configs import MIXED, VOID
from tenth.label_studio.regions import RegionCrop
from tenth.workspace.database import Answer, Image, Problem, Region
from tenth.workspace.names import superpixels_name


class Asked:
    """The first region of the open group and its task, as Label Studio would send it."""

    def __init__(self, loop):
        self.loop = loop
        with loop.workspace.database.reading() as session:
            self.regions = {region.id: region for region in session.scalars(select(Region))}
            self.images = {image.id: image for image in session.scalars(select(Image))}
        self.region = next(iter(self.regions.values()))
        self.other = list(self.regions.values())[1]
        superpixels = loop.workspace.arrays.load(superpixels_name(1, self.region.image_id))["superpixels"]
        self.mask = superpixels == self.region.superpixel

    @property
    def crop(self):
        region = self.region
        return RegionCrop(region.x, region.y, region.width, region.height, region.scale)

    def task(self, *results, **changes):
        annotations = [
            {
                "id": 100 + number,
                "result": result,
                "completed_by": {"id": 1, "email": "ann@example.org"},
                "lead_time": 1.5,
                "was_cancelled": False,
                "created_at": "2026-01-02T03:04:05.6Z",
                "updated_at": "2026-01-02T03:05:05.6Z",
            }
            for number, result in enumerate(results)
        ]
        data = {"region_id": self.region.id, "round": 1}
        return {"id": self.region.task_id, "data": data, "annotations": annotations} | changes

    def read(self, task):
        return list(read_task(self.loop, 1, task, self.regions, self.images))

    def copy(self, *results, **changes):
        """A task that was made of what the region's own task holds."""
        with self.loop.workspace.database.reading() as session:
            image = session.get_one(Image, self.region.image_id)
        place = {name: getattr(self.crop, name) for name in ("x", "y", "width", "height", "scale")}
        data = {"region_id": self.region.id, "round": 1, "image": image.key, "place": place}
        return self.task(*results, id=4711, data=data | changes)

    def choose(self, label, accepted=False):
        return class_result(self.loop.classes, label, accepted=accepted)

    def paint(self):
        """The classes 1 and 2, half of the region each."""
        painted = np.where(self.mask, 1, 255).astype(np.uint8)
        painted[tuple(np.argwhere(self.mask)[::2].T)] = 2
        return painted


@pytest.fixture
def group(asked):
    return Asked(asked)


def test_a_class_with_who_when_and_what_it_cost(group):
    (row,) = group.read(group.task([group.choose(4)]))
    assert isinstance(row, Answer)
    assert (row.region_id, row.kind, row.label, row.painted) == (group.region.id, "class", 4, None)
    assert (row.annotator, row.annotation_id, row.lead_time, row.keys) == ("ann@example.org", 100, 1.5, 2)
    assert row.completed_at.isoformat() == "2026-01-02T03:05:05.600000+00:00"


def test_the_guess_costs_the_submit_alone(group):
    (row,) = group.read(group.task([group.choose(4, accepted=True)]))
    assert row.keys == 1


def test_painting_costs_a_key_and_a_stroke_a_part_and_esc_between(group):
    painted = group.paint()
    result = [special_result(MIXED), *painted_results(group.crop, painted, group.loop.classes)]
    (row,) = group.read(group.task(result))
    assert (row.kind, row.label, row.keys) == ("mixed", None, 7)
    stored = group.loop.workspace.arrays.load(row.painted)["painted"]
    np.testing.assert_array_equal(stored, painted)


def test_void(group):
    (row,) = group.read(group.task([special_result(VOID)]))
    assert (row.kind, row.label, row.keys) == ("void", None, 2)


def test_a_skip_is_neither_an_answer_nor_a_problem(group):
    task = group.task([], [group.choose(3)])
    task["annotations"][0]["was_cancelled"] = True
    (row,) = group.read(task)
    assert row.annotation_id == 101


@pytest.mark.parametrize("region_id", ["r9-000001-00001", "", None, 7, ["r1"], {"a": 1}])
def test_a_region_that_was_not_asked(group, region_id):
    task = group.task([group.choose(3)], data={"region_id": region_id, "round": 1})
    (row,) = group.read(task)
    assert isinstance(row, Problem)
    assert (row.task_id, row.round, row.region_id) == (group.region.task_id, 1, None)
    assert repr(region_id) in row.reason
    assert region_id_of(task) == str(region_id)


def test_a_region_asked_with_another_task(group):
    for changes in ({"id": 4711}, {"data": {"region_id": group.other.id}}):
        (row,) = group.read(group.task([group.choose(3)], **changes))
        assert isinstance(row, Problem)
        assert "none that round 1 asked with this task" in row.reason


def test_an_answer_on_a_copy_of_the_task_is_an_answer(group):
    (row,) = group.read(group.copy([group.choose(3)]))
    assert isinstance(row, Answer)
    assert (row.region_id, row.label) == (group.region.id, 3)


def test_a_copy_that_shows_something_else_is_none(group):
    place = group.copy()["data"]["place"]
    for changes in ({"image": "train/other"}, {"place": place | {"x": place["x"] + 1}}, {"place": None}):
        (row,) = group.read(group.copy([group.choose(3)], **changes))
        assert isinstance(row, Problem)


def unknown_label(group, task):
    task["annotations"][0]["result"][0]["value"]["choices"] = ["dragon"]


def broken_rle(group, task):
    task["annotations"][0]["result"][1]["value"]["rle"] = [1, 2, 3]


def rle_of_text(group, task):
    task["annotations"][0]["result"][1]["value"]["rle"] = "abc"


def missing_size(group, task):
    del task["annotations"][0]["result"][1]["original_width"]


def other_size(group, task):
    task["annotations"][0]["result"][1]["original_height"] += 1


def foreign_control(group, task):
    task["annotations"][0]["result"][0]["from_name"] = "mood"


def nothing(group, task):
    task["annotations"][0]["result"] = []


def no_list(group, task):
    task["annotations"][0]["result"] = None


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (unknown_label, "'dragon' is no class"),
        (broken_rle, "cannot be read"),
        (rle_of_text, "holds no mask"),
        (missing_size, "is of a picture of None x"),
        (other_size, "but the crop has"),
        (foreign_control, "'mood'"),
        (nothing, "empty"),
        (no_list, "not a list"),
    ],
)
def test_garbage_is_set_aside_and_the_next_answer_read(group, spoil, reason):
    result = [special_result(MIXED), *painted_results(group.crop, group.paint(), group.loop.classes)]
    task = group.task(copy.deepcopy(result), copy.deepcopy(result))
    spoil(group, task)
    problem, answer = group.read(task)
    assert isinstance(problem, Problem)
    assert (problem.task_id, problem.annotation_id) == (group.region.task_id, 100)
    assert problem.region_id == group.region.id
    assert reason in problem.reason
    assert isinstance(answer, Answer) and answer.annotation_id == 101
