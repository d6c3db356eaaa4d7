"""A person in a real browser: keys, submit, and the answer in the merged label map, pixel by pixel."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from browser import Editor, browser
from sqlalchemy import select
from streets import Streets

from controller.labels import LabelMap, Source
from controller.merge import asked_images, label_map_path
from tenth.label_studio.server import EmbeddedLabelStudio
from tenth.workspace.database import Answer, Region
from tenth.workspace.names import superpixels_name

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def _programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chromium as Debian and Ubuntu install it, unless the environment names another; never a skip."""
    for variable, path in (
        ("TENTH_CHROMIUM", "/usr/bin/chromium"),
        ("TENTH_CHROMEDRIVER", "/usr/bin/chromedriver"),
    ):
        program = Path(os.environ.get(variable, path))
        if not os.access(program, os.X_OK):
            pytest.fail(
                f"There is no {program}. Install it (Debian, Ubuntu: apt-get install chromium "
                f"chromium-driver) or name the program in {variable}."
            )
        monkeypatch.setenv(variable, str(program))


def answers_by_region(streets: Streets) -> dict[str, Answer]:
    with streets.open().workspace.database.reading() as session:
        return {answer.region_id: answer for answer in session.scalars(select(Answer))}


def test_keys_end_in_the_label_map(streets: Streets, label_studio: EmbeddedLabelStudio):
    loop = streets.push()
    names = loop.classes.names
    # One region of each image, one class all through: the model sees no parts in it.
    plain = {region.image_id: region for region in streets.regions() if region.parts is None}
    changed, accepted = list(plain.values())[:2]
    guess = changed.guess or 0
    other = loop.classes.classes[(guess + 3) % len(names)]

    with browser() as driver:
        editor = Editor(driver, label_studio.url)
        editor.log_in(label_studio.username, label_studio.password)
        editor.open(loop.project, changed.task_id or 0, guess=names[guess])
        editor.choose(str(other.hotkey), other.name)
        editor.submit()
        editor.open(loop.project, accepted.task_id or 0, guess=names[accepted.guess or 0])
        editor.submit()

    done = streets.run("next-round", "--accept-partial", "0.01", "--no-push")
    assert (done["closed"]["round"], done["closed"]["answered"], done["closed"]["keys"]) == (1, 2, 3)
    answers = answers_by_region(streets)
    assert set(answers) == {changed.id, accepted.id}
    assert (answers[changed.id].label, answers[changed.id].keys) == (other.id, 2)
    assert (answers[accepted.id].label, answers[accepted.id].keys) == (accepted.guess, 1)
    assert {answer.annotator for answer in answers.values()} == {label_studio.username}
    assert all((answer.lead_time or 0) > 0 for answer in answers.values())
    for region in (changed, accepted):
        check_pixels(streets, region, answers)


def check_pixels(streets: Streets, region: Region, answers: dict[str, Answer]) -> None:
    """The region's pixels have the answer's class and id; no other pixel claims it or any person's word."""
    loop = streets.open()
    answer = answers[region.id]
    (image,) = [image for image in asked_images(loop, 1) if image.id == region.image_id]
    merged = LabelMap.load(label_map_path(loop, 1, image))
    mask = loop.workspace.arrays.load(superpixels_name(1, image.id))["superpixels"] == region.superpixel
    assert mask.sum() == region.area
    assert (merged.labels[mask] == answer.label).all()
    assert (merged.source[mask] == Source.HUMAN).all()
    assert merged.confidence[mask].max() == pytest.approx(1, abs=1e-3)  # elsewhere the sieve may doubt
    np.testing.assert_array_equal(merged.answer == answer.id, mask)
    np.testing.assert_array_equal(merged.source == Source.HUMAN, mask)  # one answer an image
    np.testing.assert_array_equal(merged.source == Source.IGNORED, ~mask)  # answers alone teach
