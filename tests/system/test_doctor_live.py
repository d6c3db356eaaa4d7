"""The doctor with the real Label Studio and our backend: it finds each fault, and its remedy mends it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "controller"))  # a workspace
sys.path.append(str(Path(__file__).resolve().parents[1] / "ls_backend"))  # a backend's process

from backend_process import running, wait_until_healthy
from rounds import make_workspace, run_rounds

from controller.doctor import Check, examine, exit_code
from controller.initialize import initialize
from controller.loop import Loop
from controller.round import next_round
from tenth.label_studio.server import EmbeddedLabelStudio
from tenth.workspace.config_text import set_value

pytestmark = pytest.mark.system

TESTS = Path(__file__).resolve().parents[1]
PASSWORD = "a-password-of-ours"


@dataclass(frozen=True)
class World:
    """A workspace whose project and backend are connected; nobody has been asked yet."""

    folder: Path
    backend: str

    @property
    def loop(self) -> Loop:
        return Loop.open(self.folder)

    def found(self) -> dict[str, Check]:
        return {check.name: check for check in examine(self.folder)}


@pytest.fixture(scope="module")
def environment(label_studio: EmbeddedLabelStudio) -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABEL_STUDIO_URL", label_studio.url)
        patch.setenv("LABEL_STUDIO_API_KEY", label_studio.token)
        patch.setenv("TENTH_BACKEND_USER", "tenth")
        patch.setenv("TENTH_BACKEND_PASSWORD", PASSWORD)
        yield patch


@pytest.fixture(scope="module")
def world(environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("doctor")
    run_rounds(make_workspace(place), 0)
    folder = place / "workspace"
    initialize(folder)
    with running(folder) as (_, http):
        url = str(http.base_url).rstrip("/")
        initialize(folder, backend_url=url)
        yield World(folder, url)
        loop = Loop.open(folder)
        loop.client.delete_project(loop.project)


def mend(remedy: str) -> None:
    """Run the command that a check names, as a user's shell would."""
    python = shlex.quote(sys.executable)
    names = f'controller() {{ {python} -m controller.cli "$@"; }}; python() {{ {python} "$@"; }}; '
    done = subprocess.run(
        ["bash", "-c", names + remedy],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def assert_failed(check: Check, code: int, *words: str) -> None:
    assert (check.state, check.exit_code) == ("failed", code), check
    assert check.remedy
    for word in words:
        assert word in check.message


def test_all_is_well(world: World):
    checks = world.found()
    assert [check for check in checks.values() if check.state != "ok"] == []
    assert exit_code(checks.values()) == 0
    assert "version 1.23.2" in checks["Label Studio"].message
    assert checks["token"].message.startswith("legacy token of ")
    assert "'connected'" in checks["backend in Label Studio"].message
    assert "1 model versions" in checks["backend"].message
    assert "1×1 pixels" in checks["image access from Label Studio"].message


def test_a_second_look_stores_no_second_picture(world: World):
    loop = world.loop
    world.found()
    before = loop.client.uploaded_files(loop.project)
    assert before
    world.found()
    assert loop.client.uploaded_files(loop.project) == before


def test_the_command_says_so(world: World):
    call = [sys.executable, "-m", "controller.cli", "doctor", "--workspace", str(world.folder)]
    done = subprocess.run(call, cwd=TESTS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith(" ok, 0 warnings, 0 failed")
    for secret in (os.environ["LABEL_STUDIO_API_KEY"], PASSWORD):
        assert secret not in done.stdout + done.stderr


def test_a_personal_access_token(
    world: World, label_studio: EmbeddedLabelStudio, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.personal_access_token())
    checks = world.found()
    assert checks["token"].message.startswith("personal access token of ")
    assert exit_code(checks.values()) == 0


@pytest.mark.parametrize("key", ["0123456789abcdef0123456789abcdef01234567", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"])
def test_a_token_that_is_refused(world: World, monkeypatch: pytest.MonkeyPatch, key: str):
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", key)
    checks = world.found()
    assert checks["Label Studio"].state == "ok"
    assert_failed(checks["token"], 4)
    assert "export LABEL_STUDIO_API_KEY=" in checks["token"].remedy
    assert checks["project"].cause == checks["webhook"].cause == "token"
    assert not [check for check in checks.values() if key in check.message + check.remedy]
    assert exit_code(checks.values()) == 4


def test_another_labelling_config(world: World):
    loop = world.loop
    config = str(loop.client.project(loop.project)["label_config"])
    loop.client.update_project(loop.project, label_config=config.replace('value="car"', 'value="lorry"'))
    check = world.found()["labelling config"]
    assert_failed(check, 2, "'car'", "'lorry'")
    mend(check.remedy)
    assert world.found()["labelling config"].state == "ok"


def test_a_webhook_without_the_login(world: World):
    loop = world.loop
    assert loop.client.set_webhook_headers(loop.project, world.backend, {}) == 1
    check = world.found()["webhook"]
    assert_failed(check, 4, "does not carry the backend's login")
    mend(check.remedy)
    assert world.found()["webhook"].state == "ok"


def test_a_backend_that_is_not_connected(world: World):
    loop = world.loop
    (known,) = loop.client.backends(loop.project)
    loop.client.delete_backend(known["id"])
    checks = world.found()
    assert checks["backend"].state == "ok"
    assert_failed(checks["backend in Label Studio"], 4, "not connected")
    assert_failed(checks["webhook"], 4, "no webhook")
    mend(checks["backend in Label Studio"].remedy)
    assert exit_code(world.found().values()) == 0


def test_a_backend_started_again_with_another_password(world: World, monkeypatch: pytest.MonkeyPatch):
    """Label Studio keeps the one it was told; a backend of its own, which is disconnected at the end."""
    with running(world.folder) as (process, http):
        url = str(http.base_url).rstrip("/")
        initialize(world.folder, backend_url=url)
        process.terminate()
        process.wait()
        assert_failed(world.found()["backend"], 2, url, "does not answer")
        monkeypatch.setenv("TENTH_BACKEND_PASSWORD", "another-password")
        again = subprocess.Popen(process.args, cwd=TESTS.parent, stderr=subprocess.PIPE, text=True)
        try:
            wait_until_healthy(again, http)
            checks = world.found()
            assert checks["backend"].state == "ok"
            assert_failed(checks["backend in Label Studio"], 4, "'error'", "401")
            assert_failed(checks["webhook"], 4, "does not carry the backend's login")
            mend(checks["backend in Label Studio"].remedy)
            assert exit_code(world.found().values()) == 0
        finally:
            again.terminate()
            again.communicate()
    monkeypatch.setenv("TENTH_BACKEND_PASSWORD", PASSWORD)
    loop = world.loop
    for known in loop.client.backends(loop.project):
        if known["url"] == url:
            loop.client.delete_backend(known["id"])
    initialize(world.folder, backend_url=world.backend)


def test_another_password_than_the_backends(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TENTH_BACKEND_PASSWORD", "not-that-of-the-backend")
    checks = world.found()
    assert_failed(checks["backend"], 2, "refuses the login")
    assert checks["webhook"].cause == "backend"


def test_crops_that_label_studio_does_not_serve(world: World, tmp_path: Path):
    file = world.folder / "controller.toml"
    set_value(file, "label_studio", "crop_folder", str(tmp_path / "crops"))
    set_value(file, "label_studio", "crop_store", "local-files")
    check = world.found()["image access from Label Studio"]
    assert_failed(check, 2, str(tmp_path / "crops"))
    mend(check.remedy)
    assert world.found()["image access from Label Studio"].state == "ok"


def test_a_project_that_is_gone(world: World):
    file, project = world.folder / "controller.toml", world.loop.project
    for number, code in ((0, 2), (99_999_999, 4)):
        set_value(file, "label_studio", "project", number)
        checks = world.found()
        assert_failed(checks["project"], code, str(number))
        assert checks["labelling config"].cause == "project"
    set_value(file, "label_studio", "project", project)
    assert exit_code(world.found().values()) == 0


def test_an_open_group_and_the_version_that_the_project_shows(world: World):
    """The last test: it pushes a group."""
    next_round(world.loop)
    loop = world.loop
    checks = world.found()
    assert exit_code(checks.values()) == 0
    version = str(loop.workspace.models.current())
    assert version in checks["model version shown"].message
    assert "the crop of task" in checks["image access from Label Studio"].message
    for change in ({"model_version": ""}, {"sampling": "Sequential sampling"}):
        loop.client.update_project(loop.project, **change)
        check = world.found()["model version shown"]
        assert_failed(check, 4, version)
        mend(check.remedy)
        assert world.found()["model version shown"].state == "ok"
