"""What a task may make the backend read, and what not."""

import base64
import io
import threading
from collections.abc import Collection, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import httpx
import numpy as np
import pytest
from PIL import Image

from ls_backend import foreign, images
from ls_backend.foreign import shown
from ls_backend.images import TaskImages
from tenth.errors import ConfigurationError, DataError
from tenth.workspace.config import Config

PIXELS = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


def png() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "PNG")
    return stream.getvalue()


def reader(
    folder: Path, pool: str = "", url: str = "", dataset: str = "dataset", hosts: Collection[str] = ()
) -> TaskImages:
    (folder / "dataset").mkdir(exist_ok=True)
    return TaskImages(
        Config.parse(
            f"[data]\ndataset = '{dataset}'\npool = '{pool}'\n[label_studio]\nurl = '{url}'\n"
            f"[backend]\nimage_hosts = {list(hosts)}\n",
            folder / "controller.toml",
        )
    )


class Server(ThreadingHTTPServer):
    """Serves one picture at every path, or redirects, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        kind, _, target = self.path.partition("?to=")
        self.send_response({"/missing.png": 404, "/redirect": 302}.get(kind, 200))
        if target:
            self.send_header("Location", target)
        self.end_headers()
        self.wfile.write(png())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_inline_pictures(tmp_path: Path):
    address = "data:image/png;base64," + base64.b64encode(png()).decode()
    np.testing.assert_array_equal(reader(tmp_path).load(address), PIXELS)
    with pytest.raises(DataError, match="not base64"):
        reader(tmp_path).load("data:image/png;base64,a*b")
    with pytest.raises(DataError, match="cannot be read as a picture"):
        reader(tmp_path).load("data:text/plain,hello")


def test_files_of_the_data_set_by_absolute_and_relative_path(tmp_path: Path):
    task_images = reader(tmp_path)
    file = tmp_path / "dataset" / "a b.png"
    file.write_bytes(png())
    for address in (str(file), "a b.png", file.as_uri()):
        np.testing.assert_array_equal(task_images.load(address), PIXELS)


def test_files_of_a_local_pool(tmp_path: Path):
    (tmp_path / "drive").mkdir()
    (tmp_path / "drive" / "1.png").write_bytes(png())
    loaded = reader(tmp_path, pool="drive").load(str(tmp_path / "drive" / "1.png"))
    np.testing.assert_array_equal(loaded, PIXELS)


@pytest.mark.parametrize(
    "address",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "../secret.png",
        "{dataset}/../secret.png",
        "file://{dataset}/%2e%2e/secret.png",
        "{dataset}/link.png",
        "{dataset}-other/secret.png",
        "local://{folder}/secret.png",
        "simplecache::file://{folder}/secret.png",
        "zip://secret.png::file://{folder}/secret.zip",
        "memory://secret.png",
        "sftp://localhost/etc/passwd",
        "ftp://localhost/x.png",
        "\0",
        "/data/../api/users/",
        "/data/%2e%2e/api/users/",
        "/api/users/",
        "",
    ],
)
def test_nothing_else_is_read(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    task_images = reader(tmp_path)
    dataset = tmp_path / "dataset"
    for folder in (tmp_path, tmp_path / "dataset-other"):
        folder.mkdir(exist_ok=True)
        (folder / "secret.png").write_bytes(png())
    (dataset / "link.png").symlink_to(tmp_path / "secret.png")
    with fsspec.open("memory://secret.png", "wb") as stream:
        stream.write(png())
    with pytest.raises(DataError):
        task_images.load(address.format(folder=tmp_path, dataset=dataset))


def test_the_workspaces_own_pool_is_read_wherever_it_is(tmp_path: Path):
    for name in ("pool/a/1.png", "secret.png"):
        with fsspec.open(f"memory://{name}", "wb") as stream:
            stream.write(png())
    task_images = reader(tmp_path, pool="memory://pool")
    np.testing.assert_array_equal(task_images.load("memory://pool/a/1.png"), PIXELS)
    for outside in (
        "memory://secret.png",
        "memory://pool/../secret.png",
        "memory://pool/x::memory://secret.png",
    ):
        with pytest.raises(DataError, match="not read"):
            task_images.load(outside)


def test_foreign_servers_get_no_key(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "secret-key")
    task_images = reader(tmp_path, hosts=[server.host])
    np.testing.assert_array_equal(task_images.load(f"{server.url}/data/x.png?a=b"), PIXELS)
    assert server.asked == [("/data/x.png?a=b", None)]
    with pytest.raises(DataError, match="404"):
        task_images.load(f"{server.url}/missing.png")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_this_machines_own_servers_are_not_asked_unless_named(tmp_path: Path, server: Server, host: str):
    url = f"http://{host}:{server.server_address[1]}/x.png"
    with pytest.raises(DataError, match=r"tasks may not make it be asked.*image_hosts"):
        reader(tmp_path).load(url)
    with pytest.raises(DataError, match="image_hosts"):
        reader(tmp_path, hosts=[f"{host}:1"]).load(url)
    assert server.asked == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[::ffff:a9fe:a9fe]"])
def test_link_local_servers_are_not_asked_not_even_by_a_redirect(tmp_path: Path, server: Server, host: str):
    task_images = reader(tmp_path, hosts=["127.0.0.1"])
    for url in (f"http://{host}/x.png", f"{server.url}/redirect?to=http://{host}/x.png"):
        with pytest.raises(DataError, match="link-local"):
            task_images.load(url)
    np.testing.assert_array_equal(task_images.load(f"{server.url}/redirect?to=/x.png"), PIXELS)


def test_what_the_configuration_names_is_asked_wherever_it_is(tmp_path: Path, server: Server):
    redirected = f"{server.url}/redirect?to={server.url}/x.png"
    np.testing.assert_array_equal(reader(tmp_path, pool=f"{server.url}/a").load(redirected), PIXELS)


def test_private_networks_are_asked():
    for host in ("10.0.0.1", "172.17.0.2:9000", "192.168.1.2", "[fd00::1]"):
        foreign._require_open(httpx.URL(f"http://{host}/x.png"), ())


def test_label_studio_gets_the_backends_own_key(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "secret-key")
    task_images = reader(tmp_path, url=server.url)
    for address in ("/data/upload/7/x.png", f"{server.url}/data/local-files/?d=x.png"):
        np.testing.assert_array_equal(task_images.load(address), PIXELS)
    assert server.asked == [
        ("/data/upload/7/x.png", "Token secret-key"),
        ("/data/local-files/?d=x.png", "Token secret-key"),
    ]
    for other in (f"{server.url}/api/users/", f"{server.url}/data/../api/users/"):
        with pytest.raises(DataError, match="no address of a picture"):
            task_images.load(other)
    assert len(server.asked) == 2


@pytest.mark.parametrize("path", ["upload/7/x.png", "local-files/?d=x.png", "local-files/?d=" + 300 * "x"])
def test_a_data_set_in_data_does_not_hide_label_studio(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, path: str
):
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "secret-key")
    task_images = reader(tmp_path, url=server.url, dataset="/data")  # as in docker/compose.yaml
    np.testing.assert_array_equal(task_images.load(f"/data/{path}"), PIXELS)
    assert server.asked == [(f"/data/{path}", "Token secret-key")]


def test_what_lies_in_a_data_set_in_data_is_read_there(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "secret-key")
    monkeypatch.setattr(images, "_LABEL_STUDIO_PATHS", (f"{tmp_path}/dataset/",))  # nobody may write to /data
    task_images = reader(tmp_path, url=server.url)
    (tmp_path / "dataset" / "x.png").write_bytes(png())
    np.testing.assert_array_equal(task_images.load(f"{tmp_path}/dataset/x.png"), PIXELS)
    assert server.asked == []
    task_images.load(f"{tmp_path}/dataset/y.png")
    assert [path for path, _ in server.asked] == [f"{tmp_path}/dataset/y.png"]


def test_without_a_key_the_error_names_the_variable(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="LABEL_STUDIO_API_KEY"):
        reader(tmp_path, url="http://127.0.0.1:9").load("/data/upload/7/x.png")


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 34)
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "x.png").write_bytes(png()[:60])  # the header alone
    with pytest.raises(DataError, match="7 × 5 pixels; 34 are the limit"):
        reader(tmp_path).load("x.png")


@pytest.mark.parametrize("kind", ["file", "http", "pool"])
def test_too_many_bytes_are_refused(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, kind: str
):
    monkeypatch.setattr(images, "MAX_BYTES", len(png()) - 1)
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "x.png").write_bytes(png())
    with fsspec.open("memory://pool/x.png", "wb") as stream:
        stream.write(png())
    address = {"file": "x.png", "http": f"{server.url}/x.png", "pool": "memory://pool/x.png"}[kind]
    with pytest.raises(DataError, match="larger than"):
        reader(tmp_path, pool="memory://pool", hosts=[server.host]).load(address)


def test_messages_show_no_signature_and_no_content():
    assert shown("https://bucket/x.png?X-Amz-Signature=abc") == "https://bucket/x.png"
    assert len(shown("data:image/png;base64," + "A" * 10_000)) < 210
