"""The plugin inside the real `label-studio-ml` server; runs wherever that package (2.x) is importable."""

from __future__ import annotations

import os
import tempfile

import pytest
from backend_world import CLASSES, PROJECT, SUPERPIXELS, World, refined
from flask.testing import FlaskClient

pytest.importorskip("label_studio_ml")
# Its modules open a cache on import, in the current folder unless told otherwise.
os.environ.setdefault("MODEL_DIR", tempfile.mkdtemp(prefix="label-studio-ml-"))

from label_studio_ml import api

from ls_backend.plugin import TenthModel
from tenth.label_studio.configs import image_config, region_config
from tenth.segmentation.guess import region_guess
from tenth.workspace.database import Round

AUTH = ("tenth", "password")
UID = f"{PROJECT}.1795358877"


@pytest.fixture
def server(world: World, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setenv("TENTH_WORKSPACE", str(world.workspace.folder))
    return api.init_app(TenthModel, basic_auth_user=AUTH[0], basic_auth_pass=AUTH[1]).test_client()


def version(server: FlaskClient) -> str:
    body = {"project": UID, "schema": region_config(CLASSES), "hostname": "", "access_token": ""}
    answer = server.post("/setup", json=body, auth=AUTH)
    assert answer.status_code == 200, answer.text
    return answer.json["model_version"]


def test_setup_tells_the_version_of_the_open_group_and_then_the_one_in_use(server: FlaskClient, world: World):
    world.workspace.models.use(world.second)
    assert version(server) == world.first
    with world.workspace.database.session() as session:
        session.get_one(Round, 1).state = "closed"
    assert version(server) == world.second


def test_it_predicts_as_the_backend_does(server: FlaskClient, world: World):
    tasks = [
        {"id": 1, "data": {"region_id": world.region_id(1, 5)}},
        {"id": 2, "data": {"region_id": "unknown"}},
        {"id": 3, "data": {"region_id": world.region_id(1, 0)}},
    ]
    body = {
        "tasks": tasks,
        "project": UID,
        "label_config": region_config(CLASSES),
        "params": {"context": None},
    }
    answer = server.post("/predict", json=body, auth=AUTH)
    assert answer.status_code == 200, answer.text
    results = answer.json["results"]
    probabilities = refined(world, 1, world.first)
    for result, superpixel in ((results[0], 5), (results[2], 0)):
        guess = region_guess(probabilities, superpixel == SUPERPIXELS)
        assert result["result"][0]["value"]["choices"] == [CLASSES.names[guess.label]]
        assert result["score"] == pytest.approx(guess.confidence, abs=1e-5)
    assert results[1]["result"] == []
    assert {result["model_version"] for result in results} == {world.first}


def test_whole_images(server: FlaskClient, world: World):
    task = {"id": 1, "data": {"image": str(world.image_path(2))}}
    body = {"tasks": [task], "project": UID, "label_config": image_config(CLASSES), "params": {}}
    (result,) = server.post("/predict", json=body, auth=AUTH).json["results"]
    assert result["result"]
    for entry in result["result"]:
        assert entry["type"] == "brushlabels"
        assert entry["value"]["brushlabels"][0] in CLASSES.names


@pytest.mark.parametrize("action", ["START_TRAINING", "ANNOTATION_CREATED"])
def test_fit_only_enqueues(server: FlaskClient, world: World, action: str):
    body = {
        "action": action,
        "project": {"id": PROJECT, "label_config": region_config(CLASSES)},
        "task": {"id": 4},
        "annotation": {"id": 9, "result": []},
    }
    answer = server.post("/webhook", json=body, auth=AUTH)
    assert answer.status_code == 201, answer.text
    (event,) = world.workspace.inbox.pending()
    assert answer.json["result"] == {"event": event.id}
    assert (event.action, event.project) == (action, PROJECT)
    assert event.payload == {"project": PROJECT, "tasks": [4], "annotations": [9]}
    assert world.workspace.models.names() == [world.first, world.second]
