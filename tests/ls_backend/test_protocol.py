"""Every route but /predict, as Label Studio calls it."""

import base64
import shutil

import pytest
from backend_world import PASSWORD, PROJECT, USER, World, add_version
from flask import Flask
from flask.testing import FlaskClient

from ls_backend.app import create_app
from ls_backend.backend import backend
from tenth.errors import ConfigurationError
from tenth.workspace.database import Round

AUTH = (USER, PASSWORD)
UID = f"{PROJECT}.1795358877"


def close_group(world: World) -> None:
    with world.workspace.database.session() as session:
        session.get_one(Round, 1).state = "closed"


def test_health_needs_no_login_and_no_weights(client: FlaskClient, world: World, app: Flask):
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json == {
        "status": "UP",
        "model_class": "Tenth",
        "model_version": world.first,
        "loaded": [],
    }
    backend(app).models.warm_up()
    assert client.get("/health").json["loaded"] == [world.first]


def test_health_is_answered_while_weights_load(app: Flask, client: FlaskClient, world: World):
    with backend(app).models._loading:  # as long as a version is being read
        assert client.get("/health").json["loaded"] == []
        assert client.post("/setup", json={"project": UID}, auth=AUTH).json["model_version"] == world.first


def test_health_tells_everybody_that_the_version_in_use_is_gone_and_the_log_which(
    client: FlaskClient, world: World, caplog: pytest.LogCaptureFixture
):
    shutil.rmtree(world.workspace.models.folder / world.first)
    answer = client.get("/health")
    assert answer.json["status"] == "UP"
    assert "cannot be found" in answer.json["problem"]
    assert str(world.workspace.folder) not in answer.text
    assert f"{world.first!r} in {world.workspace.models.folder}" in caplog.text


@pytest.mark.parametrize("route", ["/setup", "/predict", "/webhook", "/versions", "/metrics", "/nothing"])
@pytest.mark.parametrize(
    "auth", [None, (USER, "wrong"), ("wrong", PASSWORD), (USER, ""), (USER + PASSWORD, ""), ("", "")]
)
def test_everything_else_needs_the_login(shared_client: FlaskClient, route: str, auth):
    for method in (shared_client.get, shared_client.post):
        answer = method(route, auth=auth)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_the_login_may_come_in_either_encoding(shared_client: FlaskClient, encoding: str):
    header = base64.b64encode(f"{USER}:{PASSWORD}".encode(encoding)).decode()
    assert shared_client.get("/versions", headers={"Authorization": f"Basic {header}"}).status_code == 200


def test_other_kinds_of_login_are_refused(shared_client: FlaskClient):
    assert shared_client.get("/versions", headers={"Authorization": "Bearer x"}).status_code == 401
    assert shared_client.get("/versions", headers={"Authorization": "Basic ???"}).status_code == 401


@pytest.mark.parametrize("name", ["TENTH_BACKEND_USER", "TENTH_BACKEND_PASSWORD"])
def test_it_does_not_start_without_a_login(world: World, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError, match=f"{name}.*export"):
        create_app(world.workspace.folder)


def test_it_does_not_start_without_a_workspace(tmp_path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigurationError, match="TENTH_WORKSPACE"):
        create_app()
    monkeypatch.setenv("TENTH_WORKSPACE", str(tmp_path))
    with pytest.raises(ConfigurationError, match=str(tmp_path)):
        create_app()


def test_setup_keeps_the_open_groups_version_and_follows_the_pointer_afterwards(
    client: FlaskClient, world: World
):
    def version(project: object) -> str:
        return client.post("/setup", json={"project": project, "schema": "<View/>"}, auth=AUTH).json[
            "model_version"
        ]

    world.workspace.models.use(world.second)
    assert version(UID) == world.first
    assert version(None) == world.first
    assert version("8.1") == world.second  # another project has no open group
    close_group(world)
    assert version(UID) == world.second


def test_setup_before_the_first_model(client: FlaskClient, world: World):
    (world.workspace.models.folder / "current").unlink()
    close_group(world)
    assert client.post("/setup", json={"project": UID}, auth=AUTH).json == {"model_version": "no-model"}


def test_a_cold_starts_group_stays_without_a_model(client: FlaskClient, world: World):
    with world.workspace.database.session() as session:
        session.get_one(Round, 1).model_version = None
    assert client.post("/setup", json={"project": UID}, auth=AUTH).json == {"model_version": "no-model"}


def test_versions_are_listed_the_newest_first(client: FlaskClient, world: World):
    third = add_version(world.workspace, 2)
    answer = client.get("/versions", json={"project": UID}, auth=AUTH)
    assert answer.json == {"versions": [third, world.second, world.first]}


def test_start_training_is_enqueued(client: FlaskClient, world: World):
    answer = client.post("/webhook", json={"action": "START_TRAINING", "project": {"id": PROJECT}}, auth=AUTH)
    assert answer.status_code == 201
    (event,) = world.workspace.inbox.pending()
    assert (event.id, event.action, event.project) == (answer.json["event"], "START_TRAINING", PROJECT)
    assert "job" not in answer.json  # Label Studio would poll for it


def test_an_annotation_event_keeps_ids_and_drops_masks(client: FlaskClient, world: World):
    body = {
        "action": "ANNOTATION_CREATED",
        "project": {"id": PROJECT, "label_config": "<View/>"},
        "task": {"id": 5, "data": {}},
        "annotation": {"id": 9, "result": [{"value": {"rle": [0] * 1000}}]},
    }
    assert client.post("/webhook", json=body, auth=AUTH).status_code == 201
    (event,) = world.workspace.inbox.pending()
    assert event.payload == {"project": PROJECT, "tasks": [5], "annotations": [9]}


def test_events_about_several_tasks_keep_all_ids(client: FlaskClient, world: World):
    for body in (
        {"action": "TASKS_CREATED", "project": {"id": PROJECT}, "tasks": [{"id": 2}, {"id": 1}]},
        {"action": "ANNOTATIONS_DELETED", "project": {"id": PROJECT}, "annotations": [{"id": 3}]},
    ):
        assert client.post("/webhook", json=body, auth=AUTH).status_code == 201
    created, deleted = world.workspace.inbox.pending()
    assert created.payload["tasks"] == [1, 2]
    assert deleted.payload["annotations"] == [3]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"action": 3}',
        b'{"action": "drop table"}',
        b'{"action": "START_TRAINING", "project": "x"}',
        b'{"action": "START_TRAINING", "project": {"id": "x"}}',
        b'{"action": "START_TRAINING", "project": true}',
        b'{"action": "START_TRAINING", "project": -1}',
        b'{"action": "START_TRAINING", "project": 2147483648}',
        b'{"action": "START_TRAINING", "project": {"id": 18446744073709551616}}',
        b'{"action": "START_TRAINING", "project": "99999999999.1"}',
    ],
)
def test_malformed_webhooks_are_refused_and_not_kept(client: FlaskClient, world: World, body: bytes):
    answer = client.post("/webhook", data=body, content_type="application/json", auth=AUTH)
    assert answer.status_code == 400
    assert answer.json["error"]
    assert world.workspace.inbox.pending() == []


def test_unknown_addresses_and_methods_are_json_errors(shared_client: FlaskClient):
    assert shared_client.get("/nothing", auth=AUTH).json["status"] == 404
    answer = shared_client.get("/predict", auth=AUTH)
    assert answer.json["status"] == 405
    assert "POST" in answer.headers["Allow"]


def test_too_large_requests_are_refused(app: Flask, client: FlaskClient):
    app.config["MAX_CONTENT_LENGTH"] = 10
    assert client.post("/webhook", data=b"x" * 11, auth=AUTH).status_code == 413


def test_metrics_count_requests_and_tell_versions_and_inbox(client: FlaskClient, world: World):
    client.post("/webhook", json={"action": "START_TRAINING"}, auth=AUTH)
    client.get("/versions")
    client.get("/never/seen", auth=AUTH)
    world.workspace.models.use(world.second)
    answer = client.get("/metrics", auth=AUTH)
    assert answer.content_type.startswith("text/plain")
    lines = answer.text.splitlines()
    assert 'tenth_backend_requests_total{method="POST",route="/webhook",status="201"} 1.0' in lines
    assert 'tenth_backend_requests_total{method="GET",route="/versions",status="401"} 1.0' in lines
    assert 'tenth_backend_requests_total{method="GET",route="unknown",status="404"} 1.0' in lines
    assert f'tenth_backend_model_info{{answers="{world.first}",current="{world.second}"}} 1.0' in lines
    assert "tenth_backend_inbox_pending 1.0" in lines
    assert "tenth_backend_predict_seconds_count 0.0" in lines


def test_invented_methods_share_one_series(client: FlaskClient):
    for method, route in (("X1", "/health"), ("X2", "/health"), ("X3", "/predict")):
        client.open(route, method=method)
    lines = client.get("/metrics", auth=AUTH).text.splitlines()
    assert not any('method="X' in line for line in lines)
    assert 'tenth_backend_requests_total{method="other",route="unknown",status="401"} 3.0' in lines
