"""Retries, errors and tokens: what a running server cannot be made to do on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tenth.errors import ConfigurationError, LabelStudioRefused, LabelStudioUnreachable
from tenth.label_studio.auth import PersonalAccessToken, authentication
from tenth.label_studio.client import LabelStudioClient

URL = "http://label-studio:8080"
LEGACY = "0123456789abcdef0123456789abcdef01234567"
PERSONAL = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjEwMDB9.c2lnbmF0dXJl"
Answer = httpx.Response | Exception


class Script:
    """Gives prepared answers in order and keeps the requests and pauses."""

    def __init__(self, *answers: Answer) -> None:
        self.answers: Iterator[Answer] = iter(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, key: str = LEGACY) -> LabelStudioClient:
        transport = httpx.MockTransport(self)
        return LabelStudioClient(URL, key, transport=transport, sleep=self.pauses.append)


def ok(**body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


def test_server_errors_of_a_repeatable_call_are_tried_again() -> None:
    script = Script(httpx.Response(502), httpx.Response(500), ok(email="me@example.com"))
    assert script.client().whoami() == {"email": "me@example.com"}
    assert script.pauses == [0.5, 1.0]


def test_a_lasting_server_error_is_refused_after_four_attempts() -> None:
    script = Script(*[httpx.Response(503, json={"detail": "maintenance"}) for _ in range(4)])
    with pytest.raises(LabelStudioRefused, match="503: maintenance") as error:
        script.client().whoami()
    assert error.value.status == 503
    assert len(script.requests) == 4


@pytest.mark.parametrize(
    "failure", [httpx.Response(500), httpx.ReadTimeout("slow"), httpx.ReadError("reset")]
)
def test_an_import_that_may_have_happened_is_not_repeated(failure: Answer) -> None:
    script = Script(failure)
    with pytest.raises((LabelStudioRefused, LabelStudioUnreachable)):
        script.client().import_tasks(7, [{"data": {}}])
    assert len(script.requests) == 1


def test_an_import_that_never_left_is_repeated() -> None:
    script = Script(httpx.ConnectError("refused"), ok(task_ids=[5]))
    assert script.client().import_tasks(7, [{"data": {}}]) == [5]


def test_a_busy_server_is_given_the_time_it_asks_for() -> None:
    busy = httpx.Response(429, headers={"Retry-After": "7"})
    script = Script(busy, httpx.Response(429), ok(task_ids=[5]))
    assert script.client().import_tasks(7, [{"data": {}}]) == [5]
    assert script.pauses == [7.0, 14.0]


def test_no_answer_names_the_address_and_the_reason() -> None:
    script = Script(*[httpx.ConnectError("Connection refused") for _ in range(4)])
    with pytest.raises(LabelStudioUnreachable) as error:
        script.client().whoami()
    for part in (URL, "4 attempts", "Connection refused", "LABEL_STUDIO_URL"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(401, json={"detail": "Invalid token."}), ["401", "Invalid token.", "API_KEY"]),
        (httpx.Response(403, json={"detail": "No."}), ["403", "a user who may"]),
        (httpx.Response(404, text="<html><title>Gone | LS</title>" + "x" * 9000), ["404: Gone | LS"]),
        (httpx.Response(301, headers={"Location": "https://ls/"}), ["redirects to https://ls/"]),
        (
            httpx.Response(
                400, json={"detail": "Validation error", "validation_errors": {"title": ["short"]}}
            ),
            ["Validation error: {'title': ['short']}"],
        ),
        (httpx.Response(400, text="y" * 9000), ["y" * 500]),
    ],
)
def test_a_refusal_says_what_the_server_said_and_what_to_do(
    answer: httpx.Response, expected: list[str]
) -> None:
    with pytest.raises(LabelStudioRefused) as error:
        Script(answer).client().whoami()
    message = str(error.value)
    assert error.value.status == answer.status_code
    assert "GET /api/current-user/whoami" in message
    assert all(part in message for part in expected)
    assert len(message) < 900
    assert LEGACY not in message


def test_another_kind_of_server_is_recognised() -> None:
    with pytest.raises(LabelStudioRefused, match="address of Label Studio itself"):
        Script(httpx.Response(200, text="<title>Welcome</title>")).client().whoami()


@pytest.mark.parametrize("url", ["label-studio:8080", "ftp://x", "http://", "", "http://a:b:c"])
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="LABEL_STUDIO_URL"):
        LabelStudioClient(url, LEGACY)


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "schlüssel"])
def test_keys_that_no_header_carries_are_refused(key: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        LabelStudioClient(URL, key)
    assert "LABEL_STUDIO_API_KEY" in str(error.value)
    assert not key.strip() or key not in str(error.value)


def test_a_server_below_a_path_is_asked_there() -> None:
    script = Script(ok(email="me"), httpx.Response(200, content=b"picture"))
    transport = httpx.MockTransport(script)
    client = LabelStudioClient("https://example.org/studio/", LEGACY, transport=transport)
    client.whoami()
    client.download("https://example.org/studio/data/upload/1/a.png?x=%2Fb")
    assert [str(request.url) for request in script.requests] == [
        "https://example.org/studio/api/current-user/whoami",
        "https://example.org/studio/data/upload/1/a.png?x=%2Fb",
    ]


def test_a_signed_address_elsewhere_does_not_get_the_key() -> None:
    there = "https://bucket.example.com/a.png?signature=1"
    script = Script(httpx.Response(303, headers={"Location": there}), httpx.Response(200, content=b"picture"))
    assert script.client().download("/tasks/1/resolve/?fileuri=czM6") == b"picture"
    assert [request.headers.get("Authorization") for request in script.requests] == [f"Token {LEGACY}", None]


def test_what_lies_in_a_bucket_is_asked_of_the_server_we_reach() -> None:
    script = Script(httpx.Response(200, content=b"picture"))
    assert script.client().download("http://localhost:1/tasks/12/resolve/?fileuri=czM6Ly9h") == b"picture"
    assert str(script.requests[0].url) == f"{URL}/tasks/12/resolve/?fileuri=czM6Ly9h"


# --- personal access tokens ---


def test_tokens_are_told_apart() -> None:
    assert isinstance(authentication(URL, f" {PERSONAL}\n"), PersonalAccessToken)
    request = httpx.Request("GET", URL)
    next(authentication(URL, LEGACY).sync_auth_flow(request))
    assert request.headers["Authorization"] == f"Token {LEGACY}"


def token_server(log: list[str]) -> Callable[[httpx.Request], httpx.Response]:
    """A server whose access tokens are numbered and end when told."""
    issued = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal issued
        if request.url.path == "/api/token/refresh/":
            assert json.loads(request.content) == {"refresh": PERSONAL}
            issued += 1
            log.append("refresh")
            return ok(access=f"access-{issued}")
        log.append(request.headers["Authorization"])
        return ok()

    return answer


def test_an_access_token_is_used_until_shortly_before_its_end() -> None:
    log: list[str] = []
    now = 1000.0
    auth = PersonalAccessToken(URL, PERSONAL, clock=lambda: now)
    with httpx.Client(base_url=URL, auth=auth, transport=httpx.MockTransport(token_server(log))) as client:
        for now in (1000.0, 1239.0, 1241.0, 1242.0):  # noqa: B007
            client.get("/x")
    first, second = "Bearer access-1", "Bearer access-2"
    assert log == ["refresh", first, first, "refresh", second, second]


def test_a_refused_access_token_is_renewed_once() -> None:
    refused = httpx.Response(401, json={"detail": "no"})
    script = Script(ok(access="a"), refused, ok(access="b"), ok(email="me"), refused, ok(access="c"), refused)
    client = script.client(PERSONAL)
    assert client.whoami() == {"email": "me"}
    with pytest.raises(LabelStudioRefused) as error:
        client.whoami()
    assert error.value.status == 401
    assert len(script.requests) == 7


def test_a_token_that_cannot_be_renewed_now_is_tried_again() -> None:
    script = Script(httpx.Response(503), ok(access="a"), ok(task_ids=[5]))
    assert script.client(PERSONAL).import_tasks(7, [{"data": {}}]) == [5]
    assert script.pauses == [0.5]


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), ok(other=1), httpx.Response(404)])
def test_a_server_without_such_tokens_is_refused(answer: httpx.Response) -> None:
    with pytest.raises(LabelStudioRefused, match=URL) as error:
        Script(answer).client(PERSONAL).whoami()
    assert PERSONAL not in str(error.value)


# --- storages ---


def test_a_bucket_is_made_known_to_the_server_once() -> None:
    script = Script(
        httpx.Response(200, json=[{"bucket": "crops", "prefix": "old"}, {"bucket": "else", "prefix": "new"}]),
        ok(id=3),
        httpx.Response(200, json=[{"id": 3, "bucket": "crops", "prefix": "new"}]),
        httpx.Response(200, json=[{"id": 4, "bucket": "crops", "prefix": None}]),
    )
    client = script.client()
    created = client.create_s3_storage(7, "crops", prefix="new", access_key="k", secret_key="s")
    assert created == {"id": 3}
    payload = json.loads(script.requests[1].content)
    assert payload == {
        "project": 7,
        "bucket": "crops",
        "prefix": "new",
        "title": "Tenth crops",
        "use_blob_urls": True,
        "presign": True,
        "presign_ttl": 60,
        "aws_access_key_id": "k",
        "aws_secret_access_key": "s",
    }
    assert client.create_s3_storage(7, "crops", prefix="new")["id"] == 3
    assert client.create_s3_storage(7, "crops")["id"] == 4
    assert [request.method for request in script.requests] == ["GET", "POST", "GET", "GET"]
