"""The real backend under gunicorn, connected to the real Label Studio."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "ls_backend"))  # its workspace and process

from backend_process import running
from backend_world import CLASSES, PASSWORD, SUPERPIXELS, USER, World, make_world, refined

from tenth.errors import LabelStudioRefused
from tenth.label_studio.brush import decode_rle
from tenth.label_studio.client import LabelStudioClient
from tenth.label_studio.configs import image_config, region_config
from tenth.label_studio.regions import crop_for, region_prediction, region_task
from tenth.label_studio.render import render_crop
from tenth.label_studio.server import EmbeddedLabelStudio
from tenth.segmentation.guess import region_guess
from tenth.segmentation.images import read_image
from tenth.workspace.database import Round

pytestmark = pytest.mark.system


@dataclass(frozen=True)
class Connected:
    """A workspace, its backend's address, and the project that the backend is connected to."""

    world: World
    url: str
    client: LabelStudioClient
    project: int
    backend: int


@pytest.fixture(scope="module")
def connected(
    label_studio: EmbeddedLabelStudio, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connected]:
    client = LabelStudioClient(label_studio.url, label_studio.token)
    project = int(client.create_project("Backend test", region_config(CLASSES))["id"])
    world = make_world(tmp_path_factory.mktemp("backend"), project)
    environment = {
        "TENTH_BACKEND_USER": USER,
        "TENTH_BACKEND_PASSWORD": PASSWORD,
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.personal_access_token(),
    }
    with client, running(world.workspace.folder, **environment) as (_, http):
        url = str(http.base_url).rstrip("/")
        yield Connected(world, url, client, project, connect(client, project, url))


def connect(client: LabelStudioClient, project: int, url: str) -> int:
    backend = client.add_backend(project, url, title="Tenth", user=USER, password=PASSWORD)
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert client.set_webhook_headers(project, url, {"Authorization": f"Basic {login}"}) == 1
    return int(backend["id"])


def take_events(world: World) -> list[tuple[str, int | None, dict[str, Any]]]:
    events = world.workspace.inbox.pending()
    world.workspace.inbox.handled([event.id for event in events])
    return [(event.action, event.project, event.payload) for event in events]


def push(connected: Connected, superpixels: list[int], with_guess: bool) -> list[int]:
    """Import regions of image 1 as the controller does."""
    world, client = connected.world, connected.client
    image = read_image(world.image_path(1))
    maps = refined(world, 1, world.first)
    tasks = []
    for superpixel in superpixels:
        mask = superpixel == SUPERPIXELS
        crop = crop_for(mask, context=0.25)
        name = f"{world.region_id(1, superpixel)}.png"
        urls = client.upload_files(connected.project, [(name, render_crop(image, mask, crop))])
        task = region_task(
            region_id=world.region_id(1, superpixel),
            round_number=1,
            image_key="train/1",
            crop_url=urls[name],
            overview_url=urls[name],
            crop=crop,
        )
        if with_guess:
            guess = region_guess(maps, mask)
            task["predictions"] = [
                region_prediction(
                    CLASSES,
                    crop,
                    guess=guess.label,
                    score=guess.confidence,
                    model_version=world.first,
                    parts=guess.parts,
                )
            ]
        tasks.append(task)
    return client.import_tasks(connected.project, tasks)


def test_a_wrong_password_is_refused(connected: Connected):
    other = int(connected.client.create_project("Refused", region_config(CLASSES))["id"])
    with pytest.raises(LabelStudioRefused):
        connected.client.add_backend(other, connected.url, title="Tenth", user=USER, password="wrong")
    assert connected.client.backends(other) == []


def test_a_group_keeps_one_prediction_a_task_through_a_publish(connected: Connected):
    world, client, project = connected.world, connected.client, connected.project
    pushed = push(connected, [0, 1, 4], with_guess=True)
    bare = push(connected, [5, 6], with_guess=False)
    client.set_model_version(project, world.first)

    world.workspace.models.use(world.second)
    for _ in range(2):
        client.retrieve_predictions(project, [*pushed, *bare])
        for task, superpixel in zip([*pushed, *bare], [0, 1, 4, 5, 6], strict=True):
            (prediction,) = client.predictions(task)
            assert prediction["model_version"] == world.first
            guess = region_guess(refined(world, 1, world.first), superpixel == SUPERPIXELS)
            assert prediction["result"][0]["value"] == {"choices": [CLASSES.names[guess.label]]}
            assert prediction["score"] == pytest.approx(guess.confidence, abs=1e-5)

    shown = client.next_task(project)
    assert shown is not None
    assert [prediction["model_version"] for prediction in shown["predictions"]] == [world.first]

    with world.workspace.database.session() as session:
        session.get_one(Round, 1).state = "closed"
    try:
        client.retrieve_predictions(project, pushed)
        versions = {prediction["model_version"] for prediction in client.predictions(pushed[0])}
        assert versions == {world.first, world.second}
    finally:
        with world.workspace.database.session() as session:
            session.get_one(Round, 1).state = "open"
        world.workspace.models.use(world.first)


def test_webhooks_arrive_in_the_inbox(connected: Connected):
    world, client, project = connected.world, connected.client, connected.project
    (task,) = push(connected, [9], with_guess=False)
    take_events(world)
    answer = [
        {
            "id": "a",
            "type": "choices",
            "from_name": "answer",
            "to_name": "crop",
            "value": {"choices": ["road"]},
        }
    ]
    annotation = client.create_annotation(task, answer)
    client.train_backend(connected.backend)
    events = take_events(world)
    payload = {"project": project, "tasks": [task], "annotations": [int(annotation["id"])]}
    assert ("ANNOTATION_CREATED", project, payload) in events
    assert ("START_TRAINING", project, {"project": project, "tasks": [], "annotations": []}) in events


def test_label_studio_lists_our_versions(connected: Connected):
    found = connected.client.connection.json("GET", f"/api/ml/{connected.backend}/versions")
    assert found["versions"] == [connected.world.second, connected.world.first]


def test_whole_images_of_label_studio_get_their_masks(connected: Connected):
    world, client = connected.world, connected.client
    project = int(client.create_project("Whole images", image_config(CLASSES))["id"])
    connect(client, project, connected.url)
    files = [(f"{number}.png", world.image_path(number).read_bytes()) for number in (1, 2)]
    urls = client.upload_files(project, files)
    tasks = client.import_tasks(
        project,
        [
            {"data": {"image": urls["1.png"]}},
            {"data": {"image": "/etc/passwd"}},
            {"data": {"image": urls["2.png"]}},
        ],
    )
    client.retrieve_predictions(project, tasks)
    for task, image in ((tasks[0], 1), (tasks[2], 2)):
        (prediction,) = client.predictions(task)
        assert prediction["model_version"] == world.first
        labels = np.full(SUPERPIXELS.shape, 255)
        for brush in prediction["result"]:
            mask = decode_rle(brush["value"]["rle"], *SUPERPIXELS.shape) > 127
            labels[mask] = CLASSES.id_of(brush["value"]["brushlabels"][0])
        np.testing.assert_array_equal(labels, refined(world, image, world.first).argmax(0))
    (refused,) = client.predictions(tasks[1])
    assert refused["result"] == []
