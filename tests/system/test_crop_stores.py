"""Crop stores with the running server: what a task shows is what was stored."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tenth.errors import ConfigurationError, LabelStudioRefused
from tenth.label_studio.client import LabelStudioClient
from tenth.label_studio.crops import CropStore, build_crop_store
from tenth.label_studio.server import EmbeddedLabelStudio

pytestmark = pytest.mark.system

CONFIG = (
    '<View><Image name="image" value="$image"/><Choices name="class" toName="image">'
    '<Choice value="road"/><Choice value="car"/></Choices></View>'
)


def picture(value: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 5, 3), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def client(label_studio: EmbeddedLabelStudio) -> Iterator[LabelStudioClient]:
    with LabelStudioClient(label_studio.url, label_studio.token) as client:
        yield client


@pytest.fixture
def project(client: LabelStudioClient) -> Iterator[int]:
    number = int(client.create_project("Crop test", CONFIG)["id"])
    yield number
    client.delete_project(number)


def assert_tasks_show(
    client: LabelStudioClient, project: int, store: CropStore, files: list[tuple[str, bytes]]
) -> None:
    urls = store.put(files)
    ids = client.import_tasks(project, [{"data": {"image": urls[name]}} for name, _ in files])
    for task, (_, content) in zip(ids, files, strict=True):
        assert client.download(client.task(task)["data"]["image"]) == content


def test_uploaded_crops_are_stored_once(client: LabelStudioClient, project: int) -> None:
    files = [(f"r1-{number}.png", picture(number)) for number in range(3)]
    store = build_crop_store("upload", client=client, project=project)
    assert_tasks_show(client, project, store, files)
    before = client.uploaded_files(project)
    assert len(before) == 3
    more = [*files, ("r1-3.png", picture(3)), ("r1-0-again.png", picture(0))]
    assert len(store.put(more)) == 5
    assert before.items() < client.uploaded_files(project).items()
    assert len(client.uploaded_files(project)) == 5
    changed = store.put([("r1-0.png", picture(200))])["r1-0.png"]
    assert client.download(changed) == picture(200)


def test_the_server_serves_the_crops_of_a_folder(
    client: LabelStudioClient, project: int, label_studio: EmbeddedLabelStudio
) -> None:
    assert label_studio.local_files_root is not None
    folder = label_studio.local_files_root / "crops"
    store = build_crop_store("local-files", client=client, project=project, folder=str(folder))
    files = [(f"r2-{number}.png", picture(number)) for number in range(2)]
    assert_tasks_show(client, project, store, files)
    written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(written) == 2
    store.put(files)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == written


def test_a_deeper_folder_needs_the_document_root(
    client: LabelStudioClient,
    project: int,
    label_studio: EmbeddedLabelStudio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert label_studio.local_files_root is not None
    folder = label_studio.local_files_root / "deep" / "er"
    files = [("r3-1.png", picture(1))]
    without = build_crop_store("local-files", client=client, project=project, folder=str(folder))
    with pytest.raises(ConfigurationError, match="LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"):
        without.put(files)
    monkeypatch.setenv("LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT", str(label_studio.local_files_root))
    with_root = build_crop_store("local-files", client=client, project=project, folder=str(folder))
    assert_tasks_show(client, project, with_root, files)


def test_a_folder_that_the_server_does_not_serve_is_refused(
    client: LabelStudioClient, project: int, tmp_path: Path
) -> None:
    store = build_crop_store("local-files", client=client, project=project, folder=str(tmp_path / "crops"))
    with pytest.raises(ConfigurationError, match="must be a subdirectory of LOCAL_FILES_DOCUMENT_ROOT"):
        store.put([("r4-1.png", picture(1))])


def test_a_bucket_that_the_server_cannot_read_is_refused(client: LabelStudioClient, project: int) -> None:
    with pytest.raises(LabelStudioRefused, match="/api/storages/s3/"):
        client.create_s3_storage(
            project,
            "crops",
            access_key="k",
            secret_key="s",
            region="us-east-1",
            endpoint="http://127.0.0.1:9",
        )
