"""A workspace: made once, opened often, one command at a time."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from tenth.errors import ConfigurationError
from tenth.workspace.config_text import default_toml
from tenth.workspace.database import Image, Region, Round, SchemaInfo
from tenth.workspace.workspace import Workspace

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "workspace", default_toml())


def test_made_and_opened(workspace: Workspace):
    workspace.arrays.save("x", a=[1, 2])
    workspace.inbox.put("X", 1, {})
    opened = Workspace.open(workspace.folder)
    assert opened.config == workspace.config
    assert opened.arrays.load("x")["a"].tolist() == [1, 2]
    assert len(opened.inbox.pending()) == 1
    assert opened.models.current() is None
    assert (workspace.folder / "controller.toml").read_text() == default_toml()


def test_a_workspace_is_not_made_twice(workspace: Workspace):
    with pytest.raises(ConfigurationError, match="already"):
        Workspace.create(workspace.folder, default_toml())


def test_a_wrong_text_makes_nothing(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="batch_size"):
        Workspace.create(tmp_path / "new", "[training]\nbatchsize = 3")
    assert not (tmp_path / "new").exists()


def test_an_interrupted_creation_is_repeated(workspace: Workspace):
    (workspace.folder / "controller.toml").unlink()  # written last
    with pytest.raises(ConfigurationError, match="controller init"):
        Workspace.open(workspace.folder)
    Workspace.create(workspace.folder, default_toml())
    Workspace.open(workspace.folder)


def test_opening_what_is_none(tmp_path: Path, workspace: Workspace):
    with pytest.raises(ConfigurationError, match="controller init"):
        Workspace.open(tmp_path / "nothing")
    (workspace.folder / "tenth.db").unlink()
    with pytest.raises(ConfigurationError, match=r"tenth\.db is missing"):
        Workspace.open(workspace.folder)


def test_a_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        Workspace.create(tmp_path / "file" / "workspace", default_toml())


def test_another_version_of_the_schema(workspace: Workspace):
    with workspace.database.session() as session:
        session.get_one(SchemaInfo, 1).version += 1
    with pytest.raises(ConfigurationError, match="Update Tenth"):
        Workspace.open(workspace.folder)


def test_the_database_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TENTH_DATABASE_URL", f"sqlite:///{tmp_path}/elsewhere.db")
    workspace = Workspace.create(tmp_path / "workspace", default_toml())
    assert (tmp_path / "elsewhere.db").is_file()
    assert not (workspace.folder / "tenth.db").exists()


def add_round(workspace: Workspace, number: int, *states: str) -> None:
    with workspace.database.session() as session:
        image = Image(key=f"train/{number}", source="x", role="asked", height=2, width=2)
        session.add(Round(number=number, strategy="sp-crf", seed=0, model_version=f"v000{number}-00000000"))
        session.add(image)
        session.flush()
        for superpixel, state in enumerate(states):
            session.add(
                Region(
                    id=f"r{number}-{superpixel}", round=number, image_id=image.id, superpixel=superpixel,
                    area=1, score=0, x=0, y=0, width=1, height=1, scale=1, state=state,
                )
            )  # fmt: skip


def close(workspace: Workspace, number: int) -> None:
    with workspace.database.session() as session:
        session.get_one(Round, number).state = "closed"


def test_the_open_group(workspace: Workspace):
    assert workspace.open_group() is None
    add_round(workspace, 1, "answered", "unanswered")
    assert workspace.open_group() == (1, "v0001-00000000")
    close(workspace, 1)
    assert workspace.open_group() is None
    add_round(workspace, 2)
    assert workspace.open_group() is None, "nothing selected yet"
    add_round(workspace, 3, "selected", "selected")
    assert workspace.open_group() is None, "nothing pushed yet"
    add_round(workspace, 4, "selected", "pushed")
    assert workspace.open_group() == (4, "v0004-00000000"), "people can see the first task already"


def test_the_lock_names_its_holder(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/controller", "next-round", "--workspace", "x"])
    with workspace.lock():
        with pytest.raises(ConfigurationError) as caught, Workspace.open(workspace.folder).lock():
            pytest.fail("locked twice")
        message = str(caught.value)
        assert "`controller next-round --workspace x`" in message
        assert f"process {os.getpid()} on {os.uname().nodename}, since 20" in message
    with workspace.lock():
        pass


def test_an_error_lets_go_of_the_lock(workspace: Workspace):
    with pytest.raises(KeyError), workspace.lock():
        raise KeyError
    with workspace.lock():
        pass


def _hold(folder: Path, held: "multiprocessing.synchronize.Event") -> None:
    with Workspace.open(folder).lock():
        held.set()
        signal.pause()


def test_the_lock_of_a_killed_process_is_taken_over(workspace: Workspace):
    held = SPAWN.Event()
    process = SPAWN.Process(target=_hold, args=(workspace.folder, held), daemon=True)
    process.start()
    assert held.wait(60)
    with pytest.raises(ConfigurationError, match=f"process {process.pid} "), workspace.lock():
        pytest.fail("locked twice")
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert str(process.pid) in (workspace.folder / "lock").read_text(), "a stale name is left"
    with workspace.lock():
        assert str(os.getpid()) in (workspace.folder / "lock").read_text()


def _hold_and_fork(folder: Path, children: "multiprocessing.connection.Connection") -> None:
    with Workspace.open(folder).lock():
        if os.fork() == 0:
            children.send(os.getpid())
        signal.pause()


def test_a_forked_child_that_outlives_its_parent_does_not_keep_the_lock(workspace: Workspace):
    children, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_hold_and_fork, args=(workspace.folder, theirs), daemon=True)
    process.start()
    assert children.poll(60)
    child = children.recv()
    try:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        os.kill(child, 0)  # it lives
        with workspace.lock():
            pass
    finally:
        os.kill(child, signal.SIGKILL)
