"""One running Label Studio for all system tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

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
