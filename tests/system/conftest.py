"""One running Label Studio for all system tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from streets import Streets, make_template

from controller.initialize import initialize
from tenth.label_studio.server import EmbeddedLabelStudio

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def label_studio_executable() -> Path:
    """`label-studio` to test against; a missing one is a failure, not a skip."""
    default = REPOSITORY / ".venv-label-studio" / "bin" / "label-studio"
    return Path(os.environ.get("TENTH_LABEL_STUDIO") or default)


@pytest.fixture(scope="session")
def label_studio_cache() -> Path:
    """Where the migrated empty database outlives a test run."""
    return REPOSITORY / ".cache" / "label-studio"


@pytest.fixture(scope="session")
def label_studio(
    tmp_path_factory: pytest.TempPathFactory, label_studio_executable: Path, label_studio_cache: Path
) -> Iterator[EmbeddedLabelStudio]:
    """A running server that all system tests share; each makes projects of its own.

    It serves local files below ``label_studio.local_files_root``.
    """
    folder = tmp_path_factory.mktemp("label-studio")
    (folder / "files").mkdir()
    server = EmbeddedLabelStudio(
        label_studio_executable,
        folder / "data",
        local_files_root=folder / "files",
        cache_dir=label_studio_cache,
    )
    with server:
        yield server


@pytest.fixture(scope="session")
def streets_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose initial model is published, to be copied."""
    return make_template(tmp_path_factory.mktemp("streets"))


@pytest.fixture
def surroundings(label_studio: EmbeddedLabelStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user exports before calling the controller."""
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.token)
    monkeypatch.setenv("TENTH_BACKEND_USER", "tenth")
    monkeypatch.setenv("TENTH_BACKEND_PASSWORD", "geheim")
    for name in ("TENTH_WORKSPACE", "TENTH_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def streets(surroundings: None, streets_template: Path, tmp_path: Path) -> Streets:
    """A workspace with an empty project; the initial model is trained, nothing is pushed."""
    folder = shutil.copytree(streets_template, tmp_path / "workspace")
    initialize(folder, title="Streets")
    return Streets(folder)
