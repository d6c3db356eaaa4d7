"""The client against the running server: every call, more than one page and chunk of everything."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tenth.errors import DataError, LabelStudioRefused, LabelStudioUnreachable
from tenth.label_studio.auth import PersonalAccessToken
from tenth.label_studio.client import LabelStudioClient
from tenth.label_studio.server import EmbeddedLabelStudio

pytestmark = pytest.mark.system

CONFIG = (
    '<View><Image name="image" value="$image"/><Choices name="class" toName="image">'
    '<Choice value="road"/><Choice value="car"/></Choices></View>'
)
GARBAGE_LEGACY = "0123456789abcdef0123456789abcdef01234567"


def choice(value: str) -> list[dict[str, Any]]:
    return [
        {
            "id": "answer",
            "type": "choices",
            "from_name": "class",
            "to_name": "image",
            "value": {"choices": [value]},
        }
    ]


def region_task(number: int, score: float = 0.5, version: str = "v0001", group: int = 1) -> dict[str, Any]:
    return {
        "data": {"image": "/data/none.png", "region_id": f"r{group}-{number:04d}", "round": group},
        "predictions": [{"model_version": version, "score": score, "result": choice("road")}],
    }


def picture(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((2, 3, 3), number % 256, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def client(label_studio: EmbeddedLabelStudio) -> Iterator[LabelStudioClient]:
    with LabelStudioClient(label_studio.url, label_studio.token) as client:
        yield client


@pytest.fixture
def project(client: LabelStudioClient) -> Iterator[int]:
    number = int(client.create_project("Client test", CONFIG, sampling="Uncertainty sampling")["id"])
    yield number
    client.delete_project(number)


class Recorder(ThreadingHTTPServer):
    """Answers the backend protocol and remembers what the server sent."""

    daemon_threads = True

    def __init__(self) -> None:
        self.requests: list[tuple[str, str | None, dict[str, Any]]] = []
        super().__init__(("127.0.0.1", 0), _RecorderHandler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _RecorderHandler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        assert isinstance(self.server, Recorder)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        self.server.requests.append((self.path, self.headers.get("Authorization"), body))
        answers: dict[str, Any] = {
            "/setup": {"model_version": "live-1"},
            "/predict": {
                "results": [
                    {"result": choice("car"), "score": 0.25, "model_version": "live-1"}
                    for _ in body.get("tasks", [])
                ]
            },
        }
        content = json.dumps(answers.get(self.path, {"status": "UP"})).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def backend() -> Iterator[Recorder]:
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# --- server, users, projects ---


def test_names_itself_and_the_user(client: LabelStudioClient, label_studio: EmbeddedLabelStudio) -> None:
    assert client.version() == "1.23.2"
    assert client.whoami()["email"] == label_studio.username


def test_annotators_are_made_once_and_answers_given_in_their_name(
    client: LabelStudioClient, project: int
) -> None:
    first = client.ensure_user("annotator-1@example.com")
    second = client.ensure_user("annotator-2@example.com")
    assert client.ensure_user("Annotator-1@example.com")["id"] == first["id"] != second["id"]
    assert {first["id"], second["id"]} <= {user["id"] for user in client.users()}
    one, two = client.import_tasks(project, [region_task(1), region_task(2)])
    client.create_annotation(one, choice("car"), lead_time=1.25, completed_by=first["id"])
    client.create_annotation(two, choice("road"), completed_by=second["id"])
    emails = {
        task["id"]: task["annotations"][0]["completed_by"]["email"]
        for task in client.annotated_tasks(project)
    }
    assert emails == {one: "annotator-1@example.com", two: "annotator-2@example.com"}


def test_a_project_lives_changes_and_goes(client: LabelStudioClient) -> None:
    number = int(client.create_project("Short-lived", CONFIG)["id"])
    client.update_project(number, title="Renamed", sampling="Uncertainty sampling")
    assert client.project(number)["title"] == "Renamed"
    assert client.project(number)["sampling"] == "Uncertainty sampling"
    assert number in {project["id"] for project in client.projects()}
    client.delete_project(number)
    with pytest.raises(LabelStudioRefused, match=r"project id in controller\.toml") as error:
        client.project(number)
    assert error.value.status == 404
    client.delete_project(number)


# --- tokens and failures ---


def test_a_wrong_legacy_token_is_refused_with_advice(label_studio: EmbeddedLabelStudio) -> None:
    with (
        LabelStudioClient(label_studio.url, GARBAGE_LEGACY) as stranger,
        pytest.raises(LabelStudioRefused, match="personal access token under Account") as error,
    ):
        stranger.whoami()
    assert error.value.status == 401
    assert GARBAGE_LEGACY not in str(error.value)


def test_a_wrong_personal_access_token_is_refused_with_advice(label_studio: EmbeddedLabelStudio) -> None:
    head, body, signature = label_studio.personal_access_token().split(".")
    forged = ".".join([head, body, signature[::-1]])
    with (
        LabelStudioClient(label_studio.url, forged) as stranger,
        pytest.raises(LabelStudioRefused, match="Create a new one under Account") as error,
    ):
        stranger.whoami()
    assert error.value.status == 401
    assert signature[::-1] not in str(error.value)


def test_a_personal_access_token_is_the_same_user(label_studio: EmbeddedLabelStudio) -> None:
    token = label_studio.personal_access_token()
    assert label_studio.personal_access_token() == token
    with LabelStudioClient(label_studio.url, token) as client:
        assert client.whoami()["email"] == label_studio.username


def aged(access: str, seconds: int, label_studio: EmbeddedLabelStudio) -> str:
    """Return the access token as if given `seconds` ago: signed with the server's own key."""
    line = (label_studio.data_dir / ".env").read_text().partition("SECRET_KEY=")[2].splitlines()[0]
    head, body, _ = access.split(".")
    payload = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    payload |= {"iat": payload["iat"] - seconds, "exp": payload["exp"] - seconds}
    text = json.dumps(payload, separators=(",", ":")).encode()
    signed = f"{head}.{base64.urlsafe_b64encode(text).rstrip(b'=').decode()}"
    digest = hmac.new(line.strip("'\"").encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def test_an_expired_access_token_is_renewed(label_studio: EmbeddedLabelStudio) -> None:
    auth = PersonalAccessToken(label_studio.url, label_studio.personal_access_token())
    with httpx.Client(base_url=label_studio.url, auth=auth, trust_env=False) as client:
        assert client.get("/api/current-user/whoami").status_code == 200
        valid = auth._access
        young, old = aged(valid, 1, label_studio), aged(valid, 3600, label_studio)
        for access, status in ((young, 200), (old, 401)):
            headers = {"Authorization": f"Bearer {access}"}
            bare = httpx.get(f"{label_studio.url}/api/current-user/whoami", headers=headers)
            assert bare.status_code == status
        auth._access = old
        assert client.get("/api/current-user/whoami").status_code == 200
        assert auth._access not in (valid, old)


def test_threads_share_a_client(label_studio: EmbeddedLabelStudio) -> None:
    with (
        LabelStudioClient(label_studio.url, label_studio.personal_access_token()) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        emails = list(pool.map(lambda _: client.whoami()["email"], range(8)))
    assert emails == [label_studio.username] * 8


def test_a_dead_server_is_unreachable_by_name() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        pauses: list[float] = []
        with (
            LabelStudioClient(url, GARBAGE_LEGACY, sleep=pauses.append) as client,
            pytest.raises(LabelStudioUnreachable) as error,
        ):
            client.import_tasks(1, [region_task(1)])
    assert url in str(error.value)
    assert "LABEL_STUDIO_URL" in str(error.value)
    assert pauses == [0.5, 1.0, 2.0]


# --- tasks ---


def test_tasks_come_back_whole_over_chunks_and_pages(client: LabelStudioClient, project: int) -> None:
    tasks = [region_task(number, group=1 + number % 2) for number in range(250)]
    ids = client.import_tasks(project, tasks, chunk=100)
    assert len(set(ids)) == 250
    listed = client.tasks(project, page_size=60)
    assert [task["id"] for task in listed] == ids
    assert [task["data"]["region_id"] for task in listed] == [task["data"]["region_id"] for task in tasks]
    second = client.tasks(project, data={"round": 2}, fields=["data"], page_size=60)
    assert [task["data"]["region_id"] for task in second] == [f"r2-{n:04d}" for n in range(1, 250, 2)]
    assert set(second[0]) == {"id", "data"}
    assert client.tasks(project, data={"round": 2, "region_id": "r2-0007"})[0]["id"] == ids[7]
    assert client.tasks(project, data={"round": "2"}) == []
    prediction = client.predictions(ids[249])[0]
    assert (prediction["model_version"], prediction["score"]) == ("v0001", 0.5)
    assert prediction["result"][0]["value"] == {"choices": ["road"]}


def test_pages_that_change_under_the_reader_lose_no_task(client: LabelStudioClient, project: int) -> None:
    ids = client.import_tasks(project, [region_task(number) for number in range(9)])
    request, seen = client.connection.request, 0

    def delete_while_reading(method: str, path: str, **options: Any) -> httpx.Response:
        nonlocal seen
        answer = request(method, path, **options)
        if path == "/api/tasks/":
            seen += 1
            if seen == 1:
                client.delete_tasks(project, ids[:3])
        return answer

    client.connection.request = delete_while_reading  # type: ignore[method-assign]
    assert [task["id"] for task in client.tasks(project, page_size=3)] == ids
    assert seen == 3


def test_tasks_are_deleted_in_bulk(client: LabelStudioClient, project: int) -> None:
    ids = client.import_tasks(project, [region_task(number) for number in range(30)])
    client.delete_tasks(project, ids[:25], chunk=10)
    client.delete_tasks(project, ids[:5])
    assert [task["id"] for task in client.tasks(project)] == ids[25:]
    with pytest.raises(LabelStudioRefused):
        client.task(ids[0])


def test_answers_are_pulled_with_who_and_how_long(client: LabelStudioClient, project: int) -> None:
    ids = client.import_tasks(project, [region_task(number, group=1 + number % 2) for number in range(12)])
    for task in ids[:9]:
        client.create_annotation(task, choice("car"), lead_time=2.5)
    client.connection.json(
        "POST", f"/api/tasks/{ids[10]}/annotations/", json={"result": [], "was_cancelled": True}
    )
    answered = client.annotated_tasks(project, page_size=4)
    assert [task["id"] for task in answered] == ids[:9]
    annotation = answered[0]["annotations"][0]
    assert annotation["result"][0]["value"] == {"choices": ["car"]}
    assert annotation["lead_time"] == 2.5
    assert annotation["completed_by"]["email"] == client.whoami()["email"]
    assert annotation["was_cancelled"] is False
    assert annotation["updated_at"] >= annotation["created_at"]
    assert [t["id"] for t in client.annotated_tasks(project, data={"round": 2})] == ids[1:9:2]
    assert [task["id"] for task in client.tasks(project, annotated=True)] == ids[:9]
    assert [task["id"] for task in client.tasks(project, annotated=False)] == ids[9:]
    assert [task["cancelled_annotations"] for task in client.tasks(project)][10] == 1
    assert [task["id"] for task in client.tasks(project, annotated=False, after=ids[10])] == [ids[11]]
    seen = client.who_answered(project, data={"round": 1}, page_size=4)
    assert [task["id"] for task in seen] == ids[::2]
    assert set(seen[0]) == {"id", "annotations"}
    (first,), (skip,), last = seen[0]["annotations"], seen[5]["annotations"], seen[-2]["annotations"]
    assert (first["completed_by"]["email"], first["was_cancelled"]) == (client.whoami()["email"], False)
    assert "result" not in first
    assert skip["was_cancelled"] is True
    assert len(last) == 1
    assert client.annotations(ids[0])[0]["completed_by"]["id"] == client.whoami()["id"]
    assert client.task(ids[0])["data"]["region_id"] == "r1-0000"


def test_an_import_with_an_unknown_label_creates_nothing(client: LabelStudioClient, project: int) -> None:
    bad = region_task(2)
    bad["predictions"][0]["result"] = choice("giraffe")
    with pytest.raises(LabelStudioRefused, match="giraffe") as error:
        client.import_tasks(project, [region_task(1), bad])
    assert error.value.status == 400
    assert client.tasks(project) == []


def test_the_stream_shows_the_least_sure_first_once_the_version_matches(
    client: LabelStudioClient, project: int
) -> None:
    scores = [0.9, 0.2, 0.7]
    ids = client.import_tasks(project, [region_task(n, score) for n, score in enumerate(scores)])
    with pytest.raises(LabelStudioRefused, match="Model version") as error:
        client.set_model_version(project, "v9999")
    assert error.value.status == 400
    client.set_model_version(project, "v0001")
    order = []
    while (task := client.next_task(project)) is not None:
        assert task["predictions"][0]["model_version"] == "v0001"
        order.append(task["id"])
        client.create_annotation(task["id"], choice("road"))
    assert order == [ids[1], ids[2], ids[0]]


# --- files ---


def test_more_files_than_one_request_takes_are_uploaded(client: LabelStudioClient, project: int) -> None:
    files = [(f"crop-{number:03d}.png", picture(number)) for number in range(105)]
    urls = client.upload_files(project, files)
    assert list(urls) == [name for name, _ in files]
    assert client.tasks(project) == []
    assert client.uploaded_files(project) == urls
    for number in (0, 57, 104):
        assert client.download(urls[f"crop-{number:03d}.png"]) == picture(number)
    (task,) = client.import_tasks(project, [{"data": {"image": urls["crop-104.png"], "region_id": "r1"}}])
    image = client.task(task)["data"]["image"]
    assert image == urls["crop-104.png"]
    assert client.download(client.url + image) == picture(104)


def test_files_need_names_that_no_server_changes(client: LabelStudioClient, project: int) -> None:
    with pytest.raises(DataError, match=r"'a b\.png'"):
        client.upload_files(project, [("a b.png", picture(0))])
    with pytest.raises(DataError, match="Two files"):
        client.upload_files(project, [("a.png", picture(0)), ("a.png", picture(1))])
    assert client.uploaded_files(project) == {}


def test_images_elsewhere_are_fetched_without_the_key(client: LabelStudioClient, backend: Recorder) -> None:
    assert json.loads(client.download(f"{backend.url}/picture")) == {"status": "UP"}
    assert [authorization for _, authorization, _ in backend.requests] == [None]
    with pytest.raises(DataError, match="neither a path"):
        client.download("s3://bucket/crop.png")


# --- backend ---


def test_a_backend_and_its_webhook_carry_their_credentials(
    client: LabelStudioClient, project: int, backend: Recorder
) -> None:
    connected = client.add_backend(project, backend.url, title="Tenth", user="me", password="secret")
    assert connected["model_version"] == "live-1"
    assert {(path, who) for path, who, _ in backend.requests} == {
        ("/health", basic("me", "secret")),
        ("/setup", basic("me", "secret")),
    }
    again = client.add_backend(project, f"{backend.url}/", title="Tenth 2", user="me", password="other")
    assert (again["id"], again["title"]) == (connected["id"], "Tenth 2")
    assert [known["id"] for known in client.backends(project)] == [connected["id"]]

    (task,) = client.import_tasks(project, [{"data": {"image": "/data/x.png"}}])
    client.retrieve_predictions(project, [task])
    assert client.predictions(task)[0]["model_version"] == "live-1"
    assert ("/predict", basic("me", "other")) in {(path, who) for path, who, _ in backend.requests}

    backend.requests.clear()
    assert client.set_webhook_headers(project, backend.url, {"Authorization": basic("me", "other")}) == 1
    client.create_annotation(task, choice("car"))
    path, who, event = backend.requests[-1]
    assert (path, who, event["action"]) == ("/webhook", basic("me", "other"), "ANNOTATION_CREATED")
    client.train_backend(connected["id"])
    assert backend.requests[-1][2]["action"] == "START_TRAINING"

    client.delete_backend(connected["id"])
    assert client.backends(project) == []
    assert client.webhooks(project) == []


def test_a_backend_that_does_not_answer_is_refused(client: LabelStudioClient, project: int) -> None:
    with pytest.raises(LabelStudioRefused, match="health check failed") as error:
        client.add_backend(project, "http://127.0.0.1:9", title="Tenth")
    assert error.value.status == 400
