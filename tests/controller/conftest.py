"""Tiny workspaces, made once: one with a published model, one whose first group is out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from rounds import TINY, make_workspace, open_round
from sqlalchemy import select

from controller.loop import Loop
from controller.round import learn_initial
from tenth.segmentation.scenes import write_scenes
from tenth.workspace.database import Region

SIZE = (96, 64)


@pytest.fixture(autouse=True)
def _no_label_studio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the shell says, no test here talks to a server or to another workspace."""
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "TENTH_WORKSPACE", "TENTH_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def learned_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two labelled images, a pool of four, and the initial model: round 0 is closed."""
    loop = make_workspace(tmp_path_factory.mktemp("learned"), scenes=(6, 1, 1), size=SIZE, settings=TINY)
    learn_initial(loop)
    return loop.workspace.folder


@pytest.fixture(scope="session")
def asked_folder(tmp_path_factory: pytest.TempPathFactory, learned_folder: Path) -> Path:
    """The same with round 1 open; its regions count as pushed, as tasks 1, 2, …"""
    folder = shutil.copytree(learned_folder, tmp_path_factory.mktemp("asked") / "workspace")
    loop = Loop.open(folder)
    open_round(loop, 1)
    with loop.workspace.database.session() as session:
        for task, region in enumerate(session.scalars(select(Region).order_by(Region.id)), 1):
            region.task_id = task
    return folder


@pytest.fixture
def fresh(tmp_path: Path, learned_folder: Path) -> Iterator[Path]:
    """Folder of the data set of `learned_folder`, for a workspace of one's own."""
    yield learned_folder.parent / "scenes"


@pytest.fixture
def learned(tmp_path: Path, learned_folder: Path) -> Loop:
    """A copy to change."""
    return Loop.open(shutil.copytree(learned_folder, tmp_path / "workspace"))


@pytest.fixture
def asked(tmp_path: Path, asked_folder: Path) -> Loop:
    """A copy to change."""
    return Loop.open(shutil.copytree(asked_folder, tmp_path / "workspace"))


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of generated scenes, for simulations."""
    folder = tmp_path_factory.mktemp("streets")
    write_scenes(folder, train=12, val=2, test=2, width=96, height=72, seed=4)
    return folder
