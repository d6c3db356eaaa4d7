"""A group that is open while the model moves on, with the real backend connected, and the watch over it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streets import Streets

sys.path.append(str(Path(__file__).resolve().parents[1] / "ls_backend"))  # its process

from backend_process import running

from controller.initialize import initialize
from controller.retrain import retrain
from controller.watch import WatchOptions, watch
from tenth.label_studio.server import EmbeddedLabelStudio

pytestmark = pytest.mark.system


@pytest.fixture
def connected(streets: Streets, label_studio: EmbeddedLabelStudio) -> Iterator[Streets]:
    """The workspace, its backend under gunicorn, and the project connected to it."""
    with running(streets.folder) as (_, http):
        initialize(streets.folder, backend_url=str(http.base_url).rstrip("/"))
        yield streets
        # A backend that is gone would cost each later request of this project a second.
        loop = streets.open()
        for backend in loop.client.backends(loop.project):
            loop.client.delete_backend(backend["id"])


def eventually(what: str, holds: Callable[[], object]) -> None:
    """Wait until something holds; two minutes are too long."""
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.05)


def test_a_publish_hides_no_guess_and_adds_no_prediction(connected: Streets):
    loop = connected.push()
    client, project = loop.client, loop.project
    asking = loop.workspace.models.current()
    published = retrain(connected.open())["version"]
    assert connected.open().workspace.models.current() == published != asking

    tasks = [region.task_id or 0 for region in connected.regions()]
    client.retrieve_predictions(project, tasks)
    shown = client.next_task(project)
    assert shown is not None
    assert client.project(project)["model_version"] == asking
    for task in tasks:
        client.task(task)  # opening one makes Label Studio ask the backend for what it lacks
        (prediction,) = client.predictions(task)
        assert prediction["model_version"] == asking
    by_task = {region.task_id: region for region in connected.regions()}
    (guess,) = shown["predictions"]
    assert guess["model_version"] == asking
    assert guess["result"][0]["value"]["choices"] == [loop.classes.names[by_task[shown["id"]].guess or 0]]
    least = min(region.confidence or 0 for region in by_task.values())
    assert guess["score"] == pytest.approx(least)

    # The next group is asked by the version that was published meanwhile and trained once more.
    connected.answer()
    second = connected.push()
    asks = second.workspace.open_group()
    assert asks is not None and asks.round == 2
    assert asks.model_version == second.workspace.models.current() not in (asking, published)
    assert client.project(project)["model_version"] == asks.model_version
    client.retrieve_predictions(project, [region.task_id or 0 for region in connected.regions(2)])
    for region in connected.regions(2):
        (prediction,) = client.predictions(region.task_id or 0)
        assert prediction["model_version"] == asks.model_version


def test_the_watch_acts_on_what_label_studio_sends(connected: Streets):
    """Its own looks are an hour apart: whatever happens here, a webhook led to it."""
    loop = connected.push()
    first = loop.workspace.models.current()
    said: list[str] = []
    stop = threading.Event()
    options = WatchOptions(poll=3600.0, look=0.1, rounds=1)

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise SystemExit  # ends the thread

    thread = threading.Thread(target=watch, args=(connected.open(), options, said.append, sleep))
    thread.start()
    try:
        eventually("the first look", lambda: said)
        assert "0 of" in said[0]
        connected.answer(1)
        eventually("the webhook of an answer", lambda: "1 of" in said[-1])
        (backend,) = loop.client.backends(loop.project)
        loop.client.train_backend(backend["id"])
        eventually("the training", lambda: any("Trained further on request" in text for text in said))
        assert loop.workspace.models.current() != first
        group = loop.workspace.open_group()
        assert group is not None and (group.round, group.model_version) == (1, first)
        connected.answer()
        thread.join(120)
        assert not thread.is_alive()
    finally:
        stop.set()
        thread.join()
    assert said[-1] == "Round 1 is closed; round 2 is pushed."
    assert len(connected.regions(2)) == len(connected.tasks(2)) > 0
