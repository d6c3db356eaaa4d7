"""Which code and which libraries made a model."""

from __future__ import annotations

import functools
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tenth

_LIBRARIES = ("torch", "numpy", "safetensors", "pydensecrf2", "scikit-image", "opencv-python-headless")


@functools.cache
def git_commit() -> str | None:
    """Return the commit of our source tree, with ``-dirty`` behind it when files differ.

    ``None`` where the package is installed: the repository around its environment is not ours.
    """
    folder = Path(tenth.__file__).parent
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    return _git(folder, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def library_versions() -> dict[str, str]:
    """Return the versions of Tenth, Python and the libraries that numbers depend on."""
    versions = {"tenth": tenth.__version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
