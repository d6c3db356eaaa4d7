"""Crop stores without a server: names, addresses, what is refused."""

from __future__ import annotations

from pathlib import Path

import fsspec
import httpx
import pytest

from tenth.errors import ConfigurationError, DataError, OutOfReach
from tenth.label_studio.client import LabelStudioClient
from tenth.label_studio.crops import CROP_STORES, BucketStore, LocalFilesStore, build_crop_store

FILES = [("r1-000001-0002.png", b"first"), ("r1-000001-0002-overview.jpg", b"second")]


def no_server(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"nothing may be asked of Label Studio: {request.method} {request.url}")


@pytest.fixture
def client() -> LabelStudioClient:
    return LabelStudioClient("http://label-studio", "0" * 40, transport=httpx.MockTransport(no_server))


@pytest.fixture
def bucket() -> str:
    files = fsspec.filesystem("memory")
    if files.exists("/crops"):
        files.rm("/crops", recursive=True)
    return "memory://crops/deep"


def test_a_bucket_keeps_each_content_once(client: LabelStudioClient, bucket: str) -> None:
    store = BucketStore(client, 1, bucket)
    urls = store.put(FILES)
    assert list(urls) == [name for name, _ in FILES]
    for name, content in FILES:
        assert urls[name].startswith(f"{bucket}/{name.rpartition('.')[0]}.")
        with fsspec.open(urls[name]) as file:
            assert file.read() == content
    files = fsspec.filesystem("memory")
    made = {path: files.created(path) for path in files.find("/crops")}
    assert BucketStore(client, 1, bucket).put(FILES) == urls
    assert {path: files.created(path) for path in files.find("/crops")} == made


def test_another_picture_of_the_same_name_has_another_address(client: LabelStudioClient, bucket: str) -> None:
    store = BucketStore(client, 1, bucket)
    before = store.put([("a.png", b"old")])["a.png"]
    after = store.put([("a.png", b"new")])["a.png"]
    assert before != after
    with fsspec.open(before) as old, fsspec.open(after) as new:
        assert (old.read(), new.read()) == (b"old", b"new")


def test_a_bucket_that_cannot_be_written_is_out_of_reach(client: LabelStudioClient, outage: str) -> None:
    store = BucketStore(client, 1, f"{outage}crops")
    with pytest.raises(OutOfReach, match=r"outage://crops.* token has expired"):
        store.put(FILES)


@pytest.mark.parametrize("name", ["../up.png", "a b.png", "a.gif", "ä.png", ".png", "dir/a.png"])
def test_names_that_a_store_could_change_are_refused(
    client: LabelStudioClient, bucket: str, name: str
) -> None:
    with pytest.raises(DataError, match="cannot be the name"):
        BucketStore(client, 1, bucket).put([(name, b"")])


def test_a_name_given_twice_is_refused(client: LabelStudioClient, bucket: str) -> None:
    with pytest.raises(DataError, match="Two files"):
        BucketStore(client, 1, bucket).put([("a.png", b"1"), ("a.png", b"2")])


@pytest.mark.parametrize("url", ["/srv/crops", "file:///srv/crops", "nowhere://bucket"])
def test_addresses_that_are_no_bucket_are_refused(client: LabelStudioClient, url: str) -> None:
    with pytest.raises(ConfigurationError, match=f"crop_url '{url}'"):
        build_crop_store("bucket", client=client, project=1, url=url)


def test_the_folder_has_to_be_below_the_document_root(client: LabelStudioClient, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path.parent):
        with pytest.raises(ConfigurationError, match="LOCAL_FILES_DOCUMENT_ROOT"):
            LocalFilesStore(client, 1, folder, tmp_path)


@pytest.mark.parametrize(("kind", "setting"), [("local-files", "crop_folder"), ("bucket", "crop_url")])
def test_a_missing_setting_is_named(client: LabelStudioClient, kind: str, setting: str) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        build_crop_store(kind, client=client, project=1)


def test_an_unknown_kind_lists_what_there_is(client: LabelStudioClient) -> None:
    assert {"upload", "local-files", "bucket"} <= set(CROP_STORES.names())
    with pytest.raises(ConfigurationError, match="Did you mean 'upload'"):
        build_crop_store("uplaod", client=client, project=1)
