"""`POST /predict`: region tasks and whole images against the same functions called by hand."""

import base64
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backend_world import CLASSES, PASSWORD, PROJECT, SUPERPIXELS, USER, World, picture, refined
from flask import Flask
from flask.testing import FlaskClient

from ls_backend.backend import backend
from ls_backend.versions import NO_MODEL
from tenth.label_studio.brush import decode_rle
from tenth.label_studio.configs import image_config, region_config
from tenth.label_studio.regions import crop_for, region_prediction
from tenth.segmentation.guess import region_guess
from tenth.segmentation.inference import Predictor
from tenth.workspace.database import Image, Region, Round, Step

AUTH = (USER, PASSWORD)
UID = f"{PROJECT}.1795358877"


def region_task(world: World, image: int, superpixel: int, number: int = 1) -> dict[str, Any]:
    return {
        "id": number,
        "data": {"region_id": world.region_id(image, superpixel), "crop": "/data/upload/x.png"},
    }


def ask(client: FlaskClient, tasks: list[Any], **more: Any) -> list[Any]:
    answer = client.post("/predict", json={"tasks": tasks, "project": UID, **more}, auth=AUTH)
    assert answer.status_code == 200, answer.text
    return answer.json["results"]


def test_region_tasks_get_the_guess_and_the_parts_of_their_region(
    shared_client: FlaskClient, shared_world: World
):
    tasks = [region_task(shared_world, image, sp) for sp in range(12) for image in (1, 2)]  # images alternate
    results = ask(shared_client, tasks, label_config=region_config(CLASSES), params={"context": None})
    probabilities = {image: refined(shared_world, image, shared_world.first) for image in (1, 2)}
    straddling = 0
    for result, (superpixel, image) in zip(
        results, [(sp, i) for sp in range(12) for i in (1, 2)], strict=True
    ):
        guess = region_guess(probabilities[image], superpixel == SUPERPIXELS)
        assert result["model_version"] == shared_world.first
        assert result["score"] == pytest.approx(guess.confidence, abs=1e-5)
        choice, *brushes = result["result"]
        assert choice["value"] == {"choices": [CLASSES.names[guess.label]]}
        crop = crop_for(superpixel == SUPERPIXELS, context=0.25)
        painted = np.full(SUPERPIXELS.shape, 255, np.uint8)
        for brush in brushes:
            shape = brush["original_height"], brush["original_width"]
            assert shape == crop.shape
            mask = decode_rle(brush["value"]["rle"], *shape)[:: crop.scale, :: crop.scale] > 127
            painted[crop.slices][mask] = CLASSES.id_of(brush["value"]["brushlabels"][0])
        expected = np.full_like(painted, 255) if guess.parts is None else guess.parts
        np.testing.assert_array_equal(painted, expected)
        straddling += guess.parts is not None
    assert 0 < straddling < 24  # or the test shows only half of it


def test_whole_images_get_a_mask_per_class(shared_client: FlaskClient, shared_world: World):
    address = "data:image/png;base64," + base64.b64encode(shared_world.image_path(1).read_bytes()).decode()
    tasks = [
        {"id": 1, "data": {"image": str(shared_world.image_path(2))}},
        {"id": 2, "data": {"image": address}},
    ]
    for result, image in zip(
        ask(shared_client, tasks, label_config=image_config(CLASSES)), (2, 1), strict=True
    ):
        probabilities = refined(shared_world, image, shared_world.first)
        labels = np.full(SUPERPIXELS.shape, 255)
        for brush in result["result"]:
            mask = decode_rle(brush["value"]["rle"], *SUPERPIXELS.shape) > 127
            assert (labels[mask] == 255).all()
            labels[mask] = CLASSES.id_of(brush["value"]["brushlabels"][0])
        np.testing.assert_array_equal(labels, probabilities.argmax(0))
        assert result["score"] == pytest.approx(probabilities.max(0).mean(), abs=1e-5)


def test_a_brush_of_another_name_gets_the_classes_that_it_offers(
    shared_client: FlaskClient, shared_world: World
):
    config = """<View><Image name="photo" value="$url"/><Choices name="c" toName="photo"/>
        <BrushLabels name="b" toName="photo"><Label value="road"/><Label value="tree"/></BrushLabels>
        </View>"""
    task = {"id": 1, "data": {"url": str(shared_world.image_path(1))}}
    (result,) = ask(shared_client, [task], label_config=config)
    (brush,) = result["result"]
    assert (brush["from_name"], brush["to_name"], brush["value"]["brushlabels"]) == ("b", "photo", ["road"])


def test_what_fails_is_empty_and_logged_and_the_others_go_on(
    shared_client: FlaskClient, shared_world: World, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    (tmp_path / "secret.png").write_bytes(shared_world.image_path(1).read_bytes())
    tasks = [
        {"id": 10, "data": {"image": "/etc/passwd"}},
        {"id": 11, "data": {"region_id": "r9-000001-00001"}},
        {"id": 12, "data": {"image": str(shared_world.image_path(2))}},
        {"id": 13, "data": {"image": str(tmp_path / "secret.png")}},
        {"id": 14, "data": {}},
        {"id": 15},
        {"id": 16, "data": {"image": 3}},
        region_task(shared_world, 1, 3, number=17),
        {"id": 18, "data": {"image": "/data/upload/1/x.png"}},
    ]
    with caplog.at_level(logging.WARNING):
        results = ask(shared_client, tasks)
    assert [bool(result["result"]) for result in results] == [number in (12, 17) for number in range(10, 19)]
    for number, result in enumerate(results, start=10):
        if number not in (12, 17):
            assert result == {"result": [], "score": 0.0, "model_version": shared_world.first}
            assert f"Task {number}: no prediction" in caplog.text
    assert "LABEL_STUDIO_URL is not set" in caplog.text


def test_a_broken_image_fails_its_regions_only(client: FlaskClient, world: World, tmp_path: Path, caplog):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with world.workspace.database.session() as session:
        session.get_one(Image, 1).source = str(tmp_path / "broken.png")
    tasks = [region_task(world, 1, 0, 1), region_task(world, 2, 0, 2), region_task(world, 1, 1, 3)]
    assert [bool(result["result"]) for result in ask(client, tasks)] == [False, True, False]
    assert "Task 1: no prediction" in caplog.text
    assert "Task 3: no prediction" in caplog.text


def test_the_guess_that_was_pushed_stays(client: FlaskClient, world: World):
    parts = np.where(SUPERPIXELS == 5, 1, 255).astype(np.uint8)
    parts[:40, 40:] = np.where(SUPERPIXELS == 5, 0, 255)[:40, 40:]
    with world.workspace.database.session() as session:
        region = session.get_one(Region, world.region_id(1, 5))
        region.guess, region.confidence = 0, 0.25
        region.parts = world.workspace.arrays.save("parts/5", parts=parts)
    (result,) = ask(client, [region_task(world, 1, 5)])
    crop = crop_for(SUPERPIXELS == 5, context=0.25)
    assert result == region_prediction(
        CLASSES, crop, guess=0, score=0.25, model_version=world.first, parts=parts
    )
    with world.workspace.database.session() as session:  # another version guesses anew
        session.get_one(Round, 1).state = "closed"
    world.workspace.models.use(world.second)
    (result,) = ask(client, [region_task(world, 1, 5)])
    expected = region_guess(refined(world, 1, world.second), SUPERPIXELS == 5)
    assert result["score"] == pytest.approx(expected.confidence, abs=1e-5)


@pytest.mark.parametrize("refined_when_asked", [True, False])
def test_another_version_guesses_by_what_the_strategy_that_asked_saw(
    client: FlaskClient, world: World, refined_when_asked: bool
):
    with world.workspace.database.session() as session:
        session.add(Step(round=1, name="choose", seconds=1.0, result={"refined": refined_when_asked}))
    (result,) = ask(client, [region_task(world, 1, 5)])
    network = Predictor(world.workspace.models.load(world.first).network).probabilities(picture(1))
    confidences = {
        True: region_guess(refined(world, 1, world.first), SUPERPIXELS == 5).confidence,
        False: region_guess(network, SUPERPIXELS == 5).confidence,
    }
    assert abs(confidences[True] - confidences[False]) > 1e-3  # or it does not show which
    assert result["score"] == pytest.approx(confidences[refined_when_asked], abs=1e-5)


def test_a_publish_changes_nothing_until_the_group_is_closed(client: FlaskClient, world: World):
    before = ask(client, [region_task(world, 1, 5)])
    world.workspace.models.use(world.second)
    assert ask(client, [region_task(world, 1, 5)]) == before
    with world.workspace.database.session() as session:
        session.get_one(Round, 1).state = "closed"
    (after,) = ask(client, [region_task(world, 1, 5)])
    assert after["model_version"] == world.second
    expected = region_guess(refined(world, 1, world.second), SUPERPIXELS == 5)
    assert after["score"] == pytest.approx(expected.confidence, abs=1e-5)


def test_without_a_model_all_is_empty(client: FlaskClient, world: World):
    (world.workspace.models.folder / "current").unlink()
    with world.workspace.database.session() as session:
        session.get_one(Round, 1).state = "closed"
    (result,) = ask(client, [region_task(world, 1, 5)])
    assert result == {"result": [], "score": 0.0, "model_version": NO_MODEL}


def test_damaged_weights_are_logged_and_leave_all_empty(client: FlaskClient, world: World, caplog):
    (world.workspace.models.folder / world.first / "weights.safetensors").write_bytes(b"x")
    (result,) = ask(client, [region_task(world, 1, 5, number=4)])
    assert result["result"] == []
    assert "Tasks 4" in caplog.text
    assert "altered" in caplog.text


def test_tasks_not_reached_in_time_get_no_prediction(shared_app: Flask, shared_world: World):
    tasks = [region_task(shared_world, 1, 0), region_task(shared_world, 2, 0)]
    assert backend(shared_app).predictions.predict(tasks, PROJECT, seconds=-1.0) == [[], []]


@pytest.mark.parametrize("behind", ["network", "crf"])
def test_a_batch_that_waits_behind_others_answers_what_it_has(app: Flask, world: World, behind: str):
    with world.workspace.database.session() as session:
        region = session.get_one(Region, world.region_id(1, 5))
        region.guess, region.confidence = 0, 0.25
    state = backend(app)
    state.models.get(world.first)
    tasks = [region_task(world, *place) for place in ((1, 5), (1, 6), (1, 7), (2, 0))]
    tasks.append({"id": 2, "data": {"image": str(world.image_path(2))}})
    results: list[Any] = []
    with state.predictions._turn if behind == "network" else state.predictions._crf._turn:
        batch = threading.Thread(
            target=lambda: results.extend(state.predictions.predict(tasks, PROJECT, seconds=3.0))
        )
        batch.start()
        batch.join(60)
        assert not batch.is_alive(), "it waits for ever"
    assert results[0]["score"] == 0.25
    assert results[1:] == [[], [], [], []]
    assert all(ask(app.test_client(), tasks))  # whoever asks again gets them


def test_when_all_slots_are_taken_it_says_so(
    shared_app: Flask, shared_client: FlaskClient, shared_world: World
):
    slots = backend(shared_app).slots
    taken = [slots.acquire(blocking=False) for _ in range(6)]
    try:
        answer = shared_client.post("/predict", json={"tasks": []}, auth=AUTH)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "10"
        assert shared_client.get("/health").status_code == 200
    finally:
        slots.release(len(taken))
    assert ask(shared_client, []) == []


@pytest.mark.parametrize("body", [{}, {"tasks": {}}, {"tasks": [1]}, {"tasks": [], "project": "x"}])
def test_malformed_requests_are_refused(shared_client: FlaskClient, body: dict[str, Any]):
    assert shared_client.post("/predict", json=body, auth=AUTH).status_code == 400


def test_predictions_are_counted(shared_client: FlaskClient, shared_world: World):
    def value(name: str) -> float:
        lines = shared_client.get("/metrics", auth=AUTH).text.splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])

    before = value("tenth_backend_predicted_tasks_total"), value("tenth_backend_predict_seconds_count")
    ask(shared_client, [region_task(shared_world, 1, 0), region_task(shared_world, 1, 1)])
    after = value("tenth_backend_predicted_tasks_total"), value("tenth_backend_predict_seconds_count")
    assert (after[0] - before[0], after[1] - before[1]) == (2, 1)
