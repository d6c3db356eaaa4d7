"""The doctor without Label Studio: what is wrong on this machine and in the workspace, and how it is told."""

import json
import re
import shutil
import socket
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rounds import make_workspace, run_rounds
from sqlalchemy import select, update

from controller.commands.doctor import command
from controller.doctor import Check, examine, exit_code
from controller.doctor.local import folder_bytes, round_bytes
from controller.loop import Loop
from tenth.workspace import runtimes
from tenth.workspace.config_text import set_value
from tenth.workspace.database import Image
from tenth.workspace.exports import exported_predictor

KEY, PASSWORD = "0123456789abcdef0123456789abcdef01234567", "a-password-of-ours"
VARIABLES = ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "TENTH_BACKEND_USER", "TENTH_BACKEND_PASSWORD")
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A workspace with a trained initial model, never changed."""
    folder = tmp_path_factory.mktemp("doctor")
    run_rounds(make_workspace(folder), 0)
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    """A copy of it, and an environment without any of our variables."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(made, tmp_path / "copy")
    folder = tmp_path / "copy" / "workspace"
    set_value(folder / "controller.toml", "data", "dataset", str(tmp_path / "copy" / "scenes"))
    with Loop.open(folder).workspace.database.session() as session:
        for image in session.scalars(select(Image)):
            image.source = image.source.replace(str(made), str(tmp_path / "copy"))
    return folder


def found(folder: Path) -> dict[str, Check]:
    checks = {check.name: check for check in examine(folder)}
    for check in checks.values():
        assert check.message
        assert (check.exit_code in (2, 4, 5)) == (check.state == "failed")
        if check.state == "failed":
            assert check.remedy
    return checks


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def pretender():
    """A server that is neither Label Studio nor our backend: JSON for everybody, on every path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(self.server.answer).encode()
            known = self.server.only in ("", self.path)
            self.send_response(self.server.status if known else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.answer, server.status, server.only = {"hello": 1}, 200, ""
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_sound_workspace_lacks_label_studio_alone(folder):
    checks = found(folder)
    states = {name: check.state for name, check in checks.items()}
    assert states["Label Studio login"] == "failed"
    assert checks["Label Studio login"].exit_code == 2
    assert "LABEL_STUDIO_URL" in checks["Label Studio login"].message
    for name in (
        "cv2",
        "computing",
        "workspace",
        "data set",
        "image access from here",
        "model",
        "strategy",
        "student",
        "runtime",
        "disk space",
    ):
        assert states[name] == "ok", checks[name]
    for name in ("Label Studio", "token", "project", "labelling config", "image access from Label Studio"):
        assert checks[name].cause == "Label Studio login"
        assert states[name] == "warning"
    assert exit_code(checks.values()) == 2


def test_without_a_workspace_the_machine_is_looked_at_all_the_same(tmp_path):
    checks = found(tmp_path / "none")
    assert checks["cv2"].state == "ok"
    assert checks["workspace"].exit_code == 2
    assert "controller init" in checks["workspace"].remedy
    assert checks["webhook"].cause == "workspace"


def test_two_packages_that_own_cv2(folder, tmp_path, monkeypatch):
    information = tmp_path / "packages" / "opencv_python-4.5.1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: opencv-python\nVersion: 4.5.1\n")
    monkeypatch.syspath_prepend(information.parent)
    check = found(folder)["cv2"]
    assert (check.state, check.exit_code) == ("failed", 2)
    assert "opencv-python 4.5.1" in check.message
    assert "uninstall -y opencv-python-headless opencv-python" in check.remedy
    assert "install opencv-python-headless==" in check.remedy


def test_a_data_set_that_is_gone(folder):
    shutil.rmtree(folder.parent / "scenes")
    checks = found(folder)
    assert (checks["data set"].state, checks["data set"].exit_code) == ("failed", 5)
    assert str(folder.parent / "scenes") in checks["data set"].message
    assert checks["image access from here"].cause == "data set"
    assert exit_code(checks.values()) == 5


def test_an_image_of_the_pool_that_does_not_open(folder):
    images = folder.parent / "scenes" / "train" / "images"
    for path in images.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    check = found(folder)["image access from here"]
    assert (check.state, check.exit_code) == ("failed", 5)
    assert str(images) in check.message


def test_a_pool_that_has_been_asked_about_needs_no_image(folder):
    with Loop.open(folder).workspace.database.session() as session:
        session.execute(update(Image).values(role="asked", height=48, width=64))
    assert found(folder)["image access from here"].message == "every image of the pool has been asked"


def test_altered_weights(folder):
    (weights,) = (folder / "models").glob("v*/weights.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    check = found(folder)["model"]
    assert (check.state, check.exit_code) == ("failed", 5)
    assert "digest" in check.message


def test_no_model_yet_is_a_warning(folder):
    (folder / "models" / "current").unlink()
    check = found(folder)["model"]
    assert check.state == "warning"
    assert check.remedy == f"controller train --workspace {folder}"


@pytest.mark.parametrize(("free", "state"), [(0.9, "failed"), (2.9, "warning"), (3.1, "ok")])
def test_disk_space(folder, monkeypatch, free, state):
    needed = round_bytes(Loop.open(folder))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1e15, 0, free * needed))
    check = found(folder)["disk space"]
    assert check.state == state
    assert "free, a round needs about" in check.message


def test_what_a_round_needs_grows_with_the_weights_and_the_group(folder):
    loop = Loop.open(folder)
    before, version = round_bytes(loop), loop.workspace.models.folder / str(loop.workspace.models.current())
    (version / "more").write_bytes(bytes(10_000_000))
    assert folder_bytes(version) > 10_000_000
    assert round_bytes(loop) == before + 5 * 10_000_000
    set_value(folder / "controller.toml", "selection", "group_size", 1002)
    assert round_bytes(Loop.open(folder)) > before + 1000 * 2048 * 1024


def test_soft_labels_need_room_too(folder):
    before = round_bytes(Loop.open(folder))
    set_value(folder / "controller.toml", "distill", "student", "enet")
    assert round_bytes(Loop.open(folder)) == before + 5 * 2048 * 1024


class TestStudent:
    def check(self, folder: Path, **settings) -> Check:
        for key, value in settings.items():
            set_value(folder / "controller.toml", "distill", key, value)
        return found(folder)["student"]

    def test_what_would_be_taught(self, folder):
        (version,) = (path.name for path in (folder / "models").glob("v*"))
        check = self.check(folder, student="enet", teachers=["new", version])
        assert (check.state, check.message) == ("ok", f"enet, taught by new and {version}")

    def test_no_such_network(self, folder):
        check = self.check(folder, student="enett")
        assert (check.state, check.exit_code) == ("failed", 2)
        assert "Did you mean 'enet'?" in check.message
        assert "--set distill.student=" in check.remedy

    def test_no_such_teacher(self, folder):
        check = self.check(folder, student="enet", teachers=["new", "../nowhere"])
        assert (check.state, check.exit_code) == ("failed", 2)
        assert str(folder.parent / "nowhere") in check.message.replace("workspace/../", "")

    def test_a_teacher_of_other_classes(self, folder, tmp_path):
        version = shutil.copytree(next((folder / "models").glob("v*")), tmp_path / "other" / "v0001-00000000")
        description = version / "model.json"
        description.write_text(description.read_text().replace('"sky"', '"heaven"'))
        check = self.check(folder, student="enet", teachers=["new", str(version)])
        assert (check.state, check.exit_code) == ("failed", 2)
        assert "heaven" in check.message

    def test_a_damaged_teacher(self, folder, tmp_path):
        """The weights of a teacher that rounds do not use otherwise."""
        version = next((folder / "models").glob("v*"))
        shutil.copytree(version, tmp_path / "other" / version.name)
        with (tmp_path / "other" / version.name / "weights.safetensors").open("ab") as file:
            file.write(b"x")
        check = self.check(folder, student="enet", teachers=[f"a={tmp_path / 'other' / version.name}"])
        assert (check.state, check.exit_code) == ("failed", 5)


class TestStrategy:
    def check(self, folder: Path, strategy: str, *, propagate: bool) -> Check:
        set_value(folder / "controller.toml", "selection", "strategy", strategy)
        set_value(folder / "controller.toml", "labels", "propagate", propagate)
        return found(folder)["strategy"]

    @pytest.mark.parametrize(
        ("strategy", "propagate", "said"),
        [
            ("sp", True, "'sp' in .*: labels.propagate spreads answers through the CRF"),
            ("margin", False, "'margin' asks about single pixels"),
            ("spcrf", False, "Did you mean 'sp-crf'"),
        ],
    )
    def test_one_that_rounds_would_refuse(self, folder, strategy, propagate, said):
        check = self.check(folder, strategy, propagate=propagate)
        assert (check.state, check.exit_code) == ("failed", 2)
        assert re.search(said, check.message)
        assert "--set selection.strategy=sp-crf" in check.remedy

    @pytest.mark.parametrize(("strategy", "propagate"), [("sp-crf", True), ("sp", False)])
    def test_one_that_rounds_can_take(self, folder, strategy, propagate):
        assert self.check(folder, strategy, propagate=propagate).state == "ok"


class TestRuntime:
    def check(self, folder: Path) -> Check:
        set_value(folder / "controller.toml", "backend", "runtime", "onnxruntime")
        return found(folder)["runtime"]

    def test_one_that_is_not_installed(self, folder, monkeypatch):
        monkeypatch.setattr(runtimes, "find_spec", lambda name: None if name == "onnxruntime" else name)
        check = self.check(folder)
        assert (check.state, check.exit_code) == ("failed", 2)
        assert "onnxruntime cannot be imported" in check.message
        assert check.remedy.startswith("pip install 'tenth[onnx]'")

    def test_before_and_after_the_export_and_when_it_is_damaged(self, folder):
        check = self.check(folder)
        assert (check.state, "not exported yet" in check.message) == ("ok", True)
        models = Loop.open(folder).workspace.models
        version = str(models.current())
        images = [np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)]
        exported_predictor(models, version, "onnxruntime", lambda: images)
        check = self.check(folder)
        assert (check.state, check.message) == ("ok", f"{version} is exported for onnxruntime, 64×48 pixels")
        with (models.folder / version / "onnxruntime" / "model.onnx").open("ab") as file:
            file.write(b"x")
        check = self.check(folder)
        assert (check.state, check.exit_code) == ("warning", 0)
        assert "damaged" in check.message

    def test_without_a_model(self, folder):
        (folder / "models" / "current").unlink()
        assert "no model to export yet" in self.check(folder).message


def test_a_device_that_is_not_there(folder):
    set_value(folder / "controller.toml", "training", "device", "cuda:99")
    check = found(folder)["workspace"]
    assert (check.state, check.exit_code) == ("failed", 2)
    assert "cuda:99" in check.message


def test_a_server_that_does_not_answer(folder, monkeypatch):
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("LABEL_STUDIO_URL", url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", KEY)
    checks = found(folder)
    assert checks["Label Studio login"].state == "ok"
    assert (checks["Label Studio"].state, checks["Label Studio"].exit_code) == ("failed", 4)
    assert url in checks["Label Studio"].message
    assert checks["token"].cause == "Label Studio"
    assert exit_code(checks.values()) == 4


def test_another_server_is_not_taken_for_label_studio(folder, monkeypatch, pretender):
    monkeypatch.setenv("LABEL_STUDIO_URL", pretender.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", KEY)
    check = found(folder)["Label Studio"]
    assert (check.state, check.exit_code) == ("failed", 4)
    assert "not as Label Studio does" in check.message


def test_another_version_is_a_warning(folder, monkeypatch, pretender):
    pretender.answer, pretender.only = {"release": "1.9.0"}, "/api/version"
    monkeypatch.setenv("LABEL_STUDIO_URL", pretender.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", KEY)
    check = found(folder)["Label Studio"]
    assert check.state == "warning"
    assert "1.9.0" in check.message
    assert "1.23.2" in check.remedy


class TestBackend:
    @pytest.fixture(autouse=True)
    def login(self, monkeypatch, folder):
        monkeypatch.setenv("TENTH_BACKEND_USER", "tenth")
        monkeypatch.setenv("TENTH_BACKEND_PASSWORD", PASSWORD)

    def check(self, folder: Path, url: str) -> Check:
        set_value(folder / "controller.toml", "backend", "url", url)
        return found(folder)["backend"]

    def test_none_is_a_warning(self, folder):
        check = found(folder)["backend"]
        assert check.state == "warning"
        assert "ls-backend" in check.remedy

    def test_one_that_is_down(self, folder):
        port = free_port()
        check = self.check(folder, f"http://127.0.0.1:{port}")
        assert (check.state, check.exit_code) == ("failed", 2)
        assert f"--port {port}" in check.remedy

    def test_one_that_lets_anybody_in(self, folder, pretender):
        pretender.answer = {"versions": [path.name for path in (folder / "models").glob("v*")]}
        assert "lets anybody in" in self.check(folder, pretender.url).message

    def test_one_that_refuses_our_login(self, folder, pretender):
        pretender.status = 401
        assert "refuses the login" in self.check(folder, pretender.url).message

    def test_one_that_is_something_else(self, folder, pretender):
        assert "not as our backend does" in self.check(folder, pretender.url).message

    def test_without_a_login_it_is_not_asked(self, folder, monkeypatch):
        monkeypatch.delenv("TENTH_BACKEND_PASSWORD")
        set_value(folder / "controller.toml", "backend", "url", "http://127.0.0.1:1")
        checks = found(folder)
        assert "TENTH_BACKEND_PASSWORD" in checks["backend login"].message
        assert checks["backend"].cause == "backend login"


def test_secrets_are_never_told(folder, monkeypatch):
    # Both stand where messages would repeat them.
    monkeypatch.setenv("LABEL_STUDIO_URL", f"http://admin:{KEY}@127.0.0.1:{free_port()}")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", KEY)
    monkeypatch.setenv("TENTH_BACKEND_USER", "tenth")
    monkeypatch.setenv("TENTH_BACKEND_PASSWORD", PASSWORD)
    set_value(folder / "controller.toml", "backend", "url", f"http://127.0.0.1:1/{PASSWORD}")
    for options in ([], ["--json"]):
        printed = CliRunner().invoke(command, ["--workspace", str(folder), *options]).output
        assert "***" in printed
        assert KEY not in printed
        assert PASSWORD not in printed


def test_the_command_shows_remedies_and_exits_with_the_code(folder):
    result = CliRunner().invoke(command, ["--workspace", str(folder)])
    assert result.exit_code == 2
    assert "✓ cv2: opencv-python-headless" in result.output
    assert "✗ Label Studio login: " in result.output
    assert "    → export LABEL_STUDIO_URL=" in result.output
    assert "Not looked at for that: Label Studio, token, project" in result.output
    assert result.output.rstrip().endswith("1 failed")
    quiet = CliRunner().invoke(command, ["--workspace", str(folder), "--quiet"])
    assert "✓" not in quiet.output
    assert "✗" in quiet.output


def test_the_command_as_json(folder):
    result = CliRunner().invoke(command, ["--workspace", str(folder), "--json"])
    document = json.loads(result.output)
    assert document["exit_code"] == result.exit_code == 2
    assert document["failed"] == 1
    assert [check["name"] for check in document["checks"]] == [check.name for check in examine(folder)]
    assert document["ok"] + document["warning"] + document["failed"] == len(document["checks"])


def test_the_highest_code_wins_and_warnings_do_not_count():
    def check(code):
        return Check("x", "failed" if code else "warning", "y", exit_code=code)

    assert exit_code([]) == 0
    assert exit_code([check(0), check(0)]) == 0
    assert exit_code([check(2), check(5), check(4), check(0)]) == 5
