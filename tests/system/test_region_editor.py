"""Region tasks in the real editor: what is pre-selected, what each key does, what painting comes back as."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser import Editor, browser

from tenth.label_studio.client import LabelStudioClient
from tenth.label_studio.configs import region_config, special_answers
from tenth.label_studio.regions import RegionCrop, crop_for, region_prediction, region_task
from tenth.label_studio.render import render_crop, render_overview
from tenth.label_studio.results import ParsedAnswer, parse_annotation
from tenth.label_studio.server import EmbeddedLabelStudio
from tenth.segmentation.classes import ClassSet, LabelClass

pytestmark = pytest.mark.system

CLASSES = ClassSet(
    "odd",
    tuple(
        LabelClass(number, name, (40 * number, 200 - 40 * number, 128))
        for number, name in enumerate(["road", 'kerb & "step" <low>', "sky", "tree"])
    ),
)
SHAPE = (120, 160)
GUESS = 2


class Tasks:
    """A project with region tasks of one picture, each guessed to be sky, one of them with parts."""

    def __init__(self, client: LabelStudioClient) -> None:
        self.client = client
        image = np.random.default_rng(5).integers(60, 190, (*SHAPE, 3), dtype=np.uint8)
        self.region = np.zeros(SHAPE, np.bool_)
        self.region[40:70, 50:90] = True
        self.crop: RegionCrop = crop_for(self.region)
        self.parts = np.full(SHAPE, 255, np.uint8)
        self.parts[40:50, 50:90], self.parts[50:70, 50:90] = 3, GUESS
        project = client.create_project("editor", region_config(CLASSES))
        self.project: int = project["id"]
        files = [
            ("crop.png", render_crop(image, self.region, self.crop)),
            ("overview.jpg", render_overview(image, self.region, self.crop)),
        ]
        urls = client.upload_files(self.project, files)
        tasks = []
        for name, parts in (
            ("plain", None),
            ("changed", self.parts),
            ("parts", self.parts),
            ("painted", None),
        ):
            task = region_task(
                region_id=name,
                round_number=1,
                image_key="train/a",
                crop_url=urls["crop.png"],
                overview_url=urls["overview.jpg"],
                crop=self.crop,
            )
            task["predictions"] = [
                region_prediction(CLASSES, self.crop, guess=GUESS, score=0.5, model_version="v1", parts=parts)
            ]
            tasks.append(task)
        ids = client.import_tasks(self.project, tasks)
        client.set_model_version(self.project, "v1")
        self.ids: dict[str, int] = {task["data"]["region_id"]: i for task, i in zip(tasks, ids, strict=True)}

    def answer(self, name: str) -> ParsedAnswer:
        task: dict[str, Any] = self.client.task(self.ids[name])
        (annotation,) = self.client.annotations(self.ids[name])
        return parse_annotation(
            annotation,
            data=task["data"],
            region_id=name,
            crop=self.crop,
            image_shape=SHAPE,
            classes=CLASSES,
        )


@pytest.fixture(scope="module")
def tasks(label_studio: EmbeddedLabelStudio) -> Iterator[Tasks]:
    with LabelStudioClient(label_studio.url, label_studio.token) as client:
        yield Tasks(client)


@pytest.fixture(scope="module")
def editor(label_studio: EmbeddedLabelStudio) -> Iterator[Editor]:
    with browser() as driver:
        editor = Editor(driver, label_studio.url)
        editor.log_in(label_studio.username, label_studio.password)
        yield editor


def opened(editor: Editor, tasks: Tasks, name: str) -> None:
    editor.open(tasks.project, tasks.ids[name], CLASSES.names[GUESS])


def test_a_right_guess_costs_the_submit_alone(editor: Editor, tasks: Tasks) -> None:
    opened(editor, tasks, "plain")
    editor.submit()
    answer = tasks.answer("plain")
    assert (answer.kind, answer.label, answer.painted, answer.guess_kept) == ("class", GUESS, None, True)
    assert answer.annotator == tasks.client.whoami()["email"]
    assert answer.lead_time is not None and answer.completed_at is not None


def test_parts_of_the_model_come_back_pixel_by_pixel(editor: Editor, tasks: Tasks) -> None:
    opened(editor, tasks, "parts")
    editor.submit()
    answer = tasks.answer("parts")
    assert (answer.kind, answer.label, answer.guess_kept) == ("class", GUESS, True)
    np.testing.assert_array_equal(answer.painted, tasks.parts)


def test_a_key_replaces_the_guess_and_its_parts(editor: Editor, tasks: Tasks) -> None:
    opened(editor, tasks, "changed")
    for entry in CLASSES.classes[::-1]:
        editor.choose(str(entry.hotkey), entry.name)
    for special in special_answers(CLASSES):
        editor.choose(special.hotkey, special.value)
    editor.choose("2", CLASSES.names[1])
    editor.submit()
    answer = tasks.answer("changed")
    assert (answer.kind, answer.label, answer.painted, answer.guess_kept) == ("class", 1, None, False)


def test_painted_strokes_of_two_classes_lie_where_they_were_drawn(editor: Editor, tasks: Tasks) -> None:
    opened(editor, tasks, "painted")
    editor.choose(special_answers(CLASSES)[0].hotkey, "mixed")
    editor.paint("1", [(0.2, 0.25), (0.8, 0.25)])
    editor.paint("4", [(0.5, 0.4), (0.5, 0.9)])
    editor.submit()
    answer = tasks.answer("painted")
    assert (answer.kind, answer.label) == ("mixed", None)
    assert answer.painted is not None
    assert set(np.unique(answer.painted)) == {0, 3, 255}
    crop = tasks.crop
    for label, (left, right, top, bottom) in {0: (0.2, 0.8, 0.25, 0.25), 3: (0.5, 0.5, 0.4, 0.9)}.items():
        rows, columns = np.nonzero(answer.painted == label)
        # The brush is 15 pixels of the crop wide on the screen, which may show it somewhat larger or smaller.
        reach = 12 / crop.scale
        assert columns.min() == pytest.approx(crop.x + left * crop.width, abs=reach)
        assert columns.max() == pytest.approx(crop.x + right * crop.width, abs=reach)
        assert rows.min() == pytest.approx(crop.y + top * crop.height, abs=reach)
        assert rows.max() == pytest.approx(crop.y + bottom * crop.height, abs=reach)
