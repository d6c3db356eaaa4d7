"""Whole rounds through the running Label Studio: people, kills, garbage and publishing in between."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from killed_push import POINTS
from sqlalchemy import select
from streets import REPOSITORY, SETTINGS, Streets

from controller.group import GroupIncomplete, group_progress
from controller.labels import LabelMap, Source
from controller.merge import asked_images, label_map_path
from controller.oracle import Oracle
from controller.round import next_round
from controller.status import problem_rows, round_rows
from controller.steps import results
from tenth.label_studio.answers import class_result, painted_results, special_result
from tenth.label_studio.configs import MIXED
from tenth.label_studio.regions import RegionCrop
from tenth.segmentation.images import read_labels
from tenth.workspace.database import Region
from tenth.workspace.names import superpixels_name

pytestmark = pytest.mark.system


def all_once(streets: Streets, number: int = 1) -> None:
    """Every region has exactly one task, the one that is noted, with one prediction of the open version."""
    loop = streets.open()
    regions = streets.regions(number)
    assert streets.tasks(number) == {region.id: [region.task_id] for region in regions}
    assert {region.state for region in regions} == {"pushed"}
    group = loop.workspace.open_group()
    assert group is not None and group.round == number
    assert loop.client.project(loop.project)["model_version"] == group.model_version
    for region in regions:
        (prediction,) = loop.client.predictions(region.task_id or 0)
        assert prediction["model_version"] == group.model_version
        assert prediction["score"] == pytest.approx(region.confidence)
        assert prediction["result"][0]["value"]["choices"] == [loop.classes.names[region.guess or 0]]


def test_two_rounds_on_the_command_line(streets_template: Path, surroundings: None, tmp_path: Path):
    streets = Streets(tmp_path / "streets")
    dataset = streets_template.parent / "scenes"
    settings = [
        f"{section}.{key}={json.dumps(value)}"
        for section, values in SETTINGS.items()
        for key, value in values.items()
    ]
    options = [part for setting in [*settings, "data.initial_count=2"] for part in ("--set", setting)]
    made = streets.run("init", "--dataset", dataset, "--title", "Two rounds", *options)
    assert (made["initial_images"], made["pool_images"]) == (2, 6)

    first = streets.run("next-round")
    assert (first["closed"]["round"], first["opened"]["round"]) == (0, 1)
    regions = first["opened"]["regions"]
    assert 0 < regions <= SETTINGS["selection"]["max_regions"]
    all_once(streets, 1)

    before = streets.rows()
    waiting = streets.run("next-round", code=3)
    assert waiting["open_group"] == {
        "round": 1,
        "regions": regions,
        "answered": 0,
        "left": regions,
        "gone": 0,
        "annotators": {},
    }
    assert streets.rows() == before

    answered = streets.run("oracle", "--labels", streets.truth, "--annotators", 2)
    assert answered["answered"] == sum(answered["annotators"].values()) == regions
    assert len(answered["annotators"]) == 2
    progress = streets.run("status")["open_group"]
    assert (progress["left"], progress["annotators"]) == (0, answered["annotators"])

    second = streets.run("next-round")
    assert (second["closed"]["round"], second["opened"]["round"]) == (1, 2)
    all_once(streets, 2)
    streets.run("oracle", "--labels", streets.truth, "--exact")
    third = streets.run("next-round", "--no-push")
    assert (third["closed"]["round"], third["opened"]) == (2, None)

    status = streets.run("status")
    assert [row["state"] for row in status["rounds"]] == ["closed"] * 3
    assert status["problems"] == []
    for row in status["rounds"][1:]:
        assert 0 < row["pixel_share"] <= 0.10
        assert row["answered"] == row["regions"]
        assert row["regions"] <= row["keys"]
        steps = {"score", "choose", "push", "pull", "merge", "train", "evaluate", "publish"}
        assert set(row["seconds"]) == steps
        assert row["miou_val"] is not None and row["miou_test"] is not None
    versions = [row["trained_version"] for row in status["rounds"]]
    assert len(set(versions)) == 3
    assert [row["model_version"] for row in status["rounds"]] == [None, *versions[:2]]
    assert status["current_version"] == versions[-1]


def test_answers_end_in_the_label_maps_pixel_by_pixel(streets: Streets):
    streets.push()
    streets.answer(oracle=Oracle(exact=True))
    loop = streets.open()
    next_round(loop, push_next=False)
    for image in asked_images(loop, 1):
        merged = LabelMap.load(label_map_path(loop, 1, image))
        superpixels = loop.workspace.arrays.load(superpixels_name(1, image.id))["superpixels"]
        asked = [region.superpixel for region in streets.regions() if region.image_id == image.id]
        human = np.isin(superpixels, asked)
        truth = read_labels(str(image.labels), len(loop.classes))
        np.testing.assert_array_equal(merged.labels[human], truth[human])
        np.testing.assert_array_equal(merged.source == Source.HUMAN, human)
        np.testing.assert_array_equal(merged.answer > 0, human)


def test_a_push_killed_at_several_points_creates_nothing_twice(streets: Streets):
    script = REPOSITORY / "tests" / "system" / "killed_push.py"
    known: dict[str, list[int]] = {}
    for point in POINTS:
        command = [sys.executable, str(script), str(streets.folder), point]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        tasks = streets.tasks()
        assert all(len(ids) == 1 for ids in tasks.values())
        assert known.items() <= tasks.items()  # what was there stays
        known = tasks
        assert bool(known) == (point != "uploaded")
    assert next_round(streets.open()).opened == 1
    assert streets.tasks() == known
    all_once(streets)


def test_a_killed_command_is_continued_by_the_next_one(streets: Streets):
    process = streets.start("next-round")
    while not (seen := streets.tasks()):
        assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()
    total = len(streets.regions())
    assert 0 < len(seen) < total
    done = streets.run("next-round")
    assert (done["opened"]["round"], done["opened"]["regions"]) == (1, total)
    all_once(streets)


def test_an_import_that_arrives_late_leaves_no_copy(streets: Streets):
    """A server may go on with an import after its sender was killed and the next call has looked."""
    loop = streets.open()
    project = loop.project
    real = loop.client.set_model_version

    def late(*arguments: Any) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    loop.client.set_model_version = late  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        next_round(loop)
    region = streets.regions()[0]
    task = loop.client.task(region.task_id or 0)
    (copy_id,) = loop.client.import_tasks(project, [{"data": task["data"]}])
    assert sorted(streets.tasks()[region.id]) == sorted([region.task_id, copy_id])
    next_round(streets.open())
    all_once(streets)


def test_an_incomplete_group_waits_and_a_part_can_be_enough(streets: Streets):
    loop = streets.push()
    regions = streets.regions()
    answered = streets.answer(4)
    before, tasks = streets.rows(), streets.tasks()
    with pytest.raises(GroupIncomplete) as waiting:
        next_round(streets.open(), accept_partial=0.9)
    me = loop.client.whoami()["email"]
    assert f"4  {me}" in str(waiting.value)
    assert f"{len(regions) - 4}  left" in str(waiting.value)
    assert (streets.rows(), streets.tasks()) == (before, tasks)

    share = float(str(waiting.value).rsplit("--accept-partial ", 1)[1])
    outcome = next_round(streets.open(), accept_partial=share, push_next=False)
    assert outcome.closed == 1
    assert sorted(id_ for ids in streets.tasks().values() for id_ in ids) == sorted(answered)
    states = {region.task_id: region.state for region in streets.regions()}
    assert {task for task, state in states.items() if state == "answered"} == set(answered)
    assert set(states.values()) == {"answered", "unanswered"}
    queried = sum(region.area for region in regions if region.task_id in answered)
    assert round_rows(streets.open())[1]["pixel_share"] == pytest.approx(queried / (2 * 96 * 64))
    pulled = results(streets.open(), 1)["pull"]
    assert pulled == {"answers": 4, "problems": 0, "withdrawn": len(regions) - 4}


def test_a_group_whose_tasks_are_all_gone_is_only_given_up(streets: Streets):
    loop = streets.push()
    regions = streets.regions()
    loop.client.delete_tasks(loop.project, [region.task_id or 0 for region in regions[1:]])
    progress = group_progress(streets.open(), 1)
    assert (progress.answered, progress.gone) == (len(regions) - 1, len(regions) - 1)
    loop.client.delete_tasks(loop.project, [regions[0].task_id or 0])
    before = streets.rows()
    document = streets.run("next-round", code=4)
    assert document["error"] == "GroupGone"
    assert "--give-up" in document["message"]
    assert streets.rows() == before
    given_up = streets.run("next-round", "--give-up", "--no-push")
    assert (given_up["closed"]["round"], given_up["closed"]["answered"]) == (1, 0)


def test_copies_hold_nothing_up_and_their_answers_count(streets: Streets):
    loop = streets.push()
    client = loop.client
    answered, *others = streets.regions()
    answer = [class_result(loop.classes, 2, accepted=False)]
    data = [client.task(region.task_id or 0)["data"] for region in (answered, others[0])]
    client.create_annotation(answered.task_id or 0, answer)
    idle, used = client.import_tasks(loop.project, [{"data": each} for each in data])
    client.create_annotation(used, answer)
    progress = group_progress(streets.open(), 1)
    assert (progress.answered, progress.gone) == (2, 0)
    for region in others[1:]:
        client.create_annotation(region.task_id or 0, answer)

    next_round(streets.open(), push_next=False)
    regions = streets.regions()
    assert problem_rows(streets.open()) == []
    assert {region.state for region in regions} == {"answered"}
    left = {id_ for ids in streets.tasks().values() for id_ in ids}
    assert left == {region.task_id for region in regions} - {others[0].task_id} | {used}
    assert idle not in left


def test_people_at_work_are_waited_for_without_a_write_and_without_their_pictures(streets: Streets):
    streets.push()
    streets.answer(2)
    loop = streets.open()
    request, sizes = loop.client.connection.request, []

    def measured(*arguments: Any, **options: Any) -> httpx.Response:
        response = request(*arguments, **options)
        sizes.append(len(response.content))
        return response

    loop.client.connection.request = measured  # type: ignore[method-assign]
    with loop.workspace.database.session() as session, pytest.raises(GroupIncomplete):
        session.execute(select(1))  # the write lock is taken: whoever else writes waits, and fails in the end
        next_round(loop)
    assert len(sizes) == 1
    assert sizes[0] < 400 * len(streets.regions())


def brushes(streets: Streets, region: Region) -> list[dict[str, Any]]:
    """Return an answer that paints the whole region."""
    loop = streets.open()
    superpixels = loop.workspace.arrays.load(superpixels_name(1, region.image_id))["superpixels"]
    crop = RegionCrop(region.x, region.y, region.width, region.height, region.scale)
    painted = np.where(superpixels == region.superpixel, 1, 255).astype(np.uint8)
    return [special_result(MIXED), *painted_results(crop, painted, loop.classes)]


def test_garbage_is_set_aside_and_a_skip_holds_nothing_up(streets: Streets):
    loop = streets.push()
    client, project = loop.client, loop.project
    unknown, broken, sizeless, foreign, skipped, *others = streets.regions()
    client.create_annotation(unknown.task_id or 0, [special_result("dragon")])
    for region in (broken, sizeless):
        result = copy.deepcopy(brushes(streets, region))
        if region is broken:
            result[1]["value"]["rle"] = result[1]["value"]["rle"][:20]
        else:
            del result[1]["original_width"]
        client.create_annotation(region.task_id or 0, result)
    data = client.task(foreign.task_id or 0)["data"]
    client.connection.json(
        "PATCH", f"/api/tasks/{foreign.task_id}/", json={"data": data | {"region_id": "r9-000001-00001"}}
    )
    answer = [class_result(loop.classes, 2, accepted=False)]
    client.create_annotation(foreign.task_id or 0, answer)
    skip = {"result": [], "was_cancelled": True}
    client.connection.json("POST", f"/api/tasks/{skipped.task_id}/annotations/", json=skip)
    (stranger,) = client.import_tasks(project, [{"data": data | {"region_id": "r9-000001-00002"}}])
    client.create_annotation(stranger, answer)
    for region in others:
        client.create_annotation(region.task_id or 0, answer)

    outcome = next_round(streets.open(), push_next=False)
    assert outcome.closed == 1
    problems = {problem["task"]: problem["reason"] for problem in problem_rows(streets.open())}
    assert set(problems) == {unknown.task_id, broken.task_id, sizeless.task_id, foreign.task_id, stranger}
    assert "dragon" in problems[unknown.task_id]
    assert "cannot be read" in problems[broken.task_id]
    assert "of a picture of None" in problems[sizeless.task_id]
    assert "'r9-000001-00001' is none that round 1 asked" in problems[foreign.task_id]
    assert "'r9-000001-00002' is none that round 1 asked" in problems[stranger]
    row = round_rows(streets.open())[1]
    assert (row["answered"], row["problems"]) == (len(others), 5)
    states = {region.id: region.state for region in streets.regions()}
    assert states[skipped.id] == "unanswered"
    assert {states[region.id] for region in others} == {"answered"}

    human = 0
    for image in asked_images(loop, 1):
        merged = LabelMap.load(label_map_path(streets.open(), 1, image))
        human += int((merged.source == Source.HUMAN).sum())
        assert (merged.labels[merged.source == Source.HUMAN] == 2).all()
    assert human == sum(region.area for region in others)


def test_the_most_uncertain_region_comes_first(streets: Streets):
    loop = streets.push()
    left = {region.task_id: region for region in streets.regions()}
    for _ in range(3):
        shown = loop.client.next_task(loop.project)
        assert shown is not None
        region = left.pop(shown["id"])
        assert region.confidence <= min(other.confidence for other in left.values()) + 1e-6
        answer = [class_result(loop.classes, region.guess, accepted=True)]
        loop.client.create_annotation(shown["id"], answer)


def test_a_project_that_is_gone_is_4_and_changes_nothing(streets: Streets):
    loop = streets.push()
    loop.client.delete_project(loop.project)
    before = streets.rows()
    document = streets.run("next-round", code=4)
    assert document["error"] == "LabelStudioRefused"
    assert streets.rows() == before


def test_a_watch_ends_with_sigterm(streets: Streets):
    streets.push()
    process = streets.start("watch", "--poll", 1)
    assert process.stdout is not None
    assert "waiting for annotators" in json.loads(process.stdout.readline())["event"]
    os.kill(process.pid, signal.SIGTERM)
    out, error = process.communicate()
    assert (process.returncode, out) == (0, ""), error
