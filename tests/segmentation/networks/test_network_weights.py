from __future__ import annotations

import hashlib
import http.server
import os
import pickle
import threading

import pytest
import torch
from safetensors.torch import save_file

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.networks.weights import cache_folder, load_weights

STATE = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(7)}


def digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def same(state) -> bool:
    return state.keys() == STATE.keys() and all(
        torch.equal(state[key], value) for key, value in STATE.items()
    )


@pytest.fixture()
def server(tmp_path, monkeypatch):
    """A web server with weights.pth, its request log, and an empty cache."""
    folder = tmp_path / "served"
    folder.mkdir()
    torch.save(STATE, folder / "weights.pth")
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args):
            requests.append(self.path)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/weights.pth", folder / "weights.pth", requests
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_path_is_read(tmp_path, name):
    path = tmp_path / name
    torch.save(STATE, path) if name.endswith("pth") else save_file(STATE, path)
    assert same(load_weights(str(path)))
    assert same(load_weights(str(path), digest(path).upper()))
    with pytest.raises(DataError, match=f"SHA-256 {digest(path)}, not {'0' * 64}"):
        load_weights(str(path), "0" * 64)


def test_a_url_is_fetched_once(server):
    url, path, requests = server
    assert same(load_weights(url, digest(path)))
    assert same(load_weights(url, digest(path)))
    assert len(requests) == 1
    assert [item.name for item in cache_folder().iterdir()] == [f"{digest(path)}.pth"]


def test_a_damaged_cache_is_fetched_again(server):
    url, path, requests = server
    load_weights(url, digest(path))
    next(cache_folder().iterdir()).write_bytes(b"half a file")
    assert same(load_weights(url, digest(path)))
    assert len(requests) == 2


def test_a_url_with_another_file_leaves_nothing_behind(server):
    url, path, _ = server
    with pytest.raises(DataError, match=digest(path)):
        load_weights(url, "0" * 64)
    assert list(cache_folder().iterdir()) == []


def test_a_url_that_is_not_there(server):
    url, _, _ = server
    with pytest.raises(ConfigurationError, match=r"Cannot fetch weights from .*404"):
        load_weights(url + "x", "0" * 64)


def test_a_url_needs_a_hash(server):
    url, _, requests = server
    with pytest.raises(ConfigurationError, match="weights_sha256"):
        load_weights(url)
    assert requests == []


@pytest.mark.parametrize("sha256", ["abc", "g" * 64])
def test_a_malformed_hash_is_refused(tmp_path, sha256):
    with pytest.raises(ConfigurationError, match="no SHA-256"):
        load_weights(str(tmp_path / "weights.pth"), sha256)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"no weights file '.*gone\.pth'"):
        load_weights(str(tmp_path / "gone.pth"))


class Payload:
    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", pickle.dumps(Payload(), 2), pickle.dumps([1], 2)],
    ids=["empty", "text", "code", "list"],
)
def test_what_is_not_weights_is_refused_and_never_run(tmp_path, monkeypatch, name, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        load_weights(str(tmp_path / name))
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("saved", [{"state": STATE}, [torch.zeros(1)]])
def test_what_is_no_state_dict_is_refused(tmp_path, saved):
    torch.save(saved, tmp_path / "weights.pth")
    with pytest.raises(DataError, match="not a state dict"):
        load_weights(str(tmp_path / "weights.pth"))
