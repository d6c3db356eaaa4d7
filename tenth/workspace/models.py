"""Model versions on disk: a folder each, whole or absent, and a pointer to the version in use.

::

    models/
        v0001-5f2bffd0/weights.safetensors   the network's state; nothing is ever unpickled
        v0001-5f2bffd0/model.json            network, classes, metrics, parents, versions of libraries, digest
        current                              the name of the version in use, replaced in one step
        teacher                              the version that rounds go on with, while a student is in use
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.networks import NetworkSpec, SegmentationNetwork
from tenth.segmentation.weights_file import encoded, write_durably
from tenth.workspace.files import (
    exclusive,
    remove_leftovers,
    sync_file,
    sync_folder,
    temporary_path,
    write_text,
)
from tenth.workspace.model_info import LoadedModel, ModelInfo, number_of
from tenth.workspace.plain_json import plain
from tenth.workspace.provenance import git_commit, library_versions
from tenth.workspace.schema import utc_now

_WEIGHTS = "weights.safetensors"
_DESCRIPTION = "model.json"
_POINTER = "current"
_TEACHER = "teacher"
_TEMPORARY = ".tmp"
_LOCK = ".lock"

__all__ = ["LoadedModel", "ModelInfo", "ModelStore"]


class ModelStore:
    """A folder of model versions.

    Parameters
    ----------
    folder : str or Path
        Made when missing; what dead writers left in it is removed.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.folder / _TEMPORARY)

    def add(
        self,
        network: SegmentationNetwork,
        spec: NetworkSpec,
        classes: ClassSet,
        *,
        metrics: Mapping[str, Any],
        parents: Sequence[str],
        training: Mapping[str, Any],
        input_size: tuple[int, int] | None = None,
    ) -> str:
        """Store a network as a new version; it is not yet in use.

        Parameters
        ----------
        network : SegmentationNetwork
            Its state is stored, from whatever device it is on.
        spec : NetworkSpec
            What `network` was built from.
        classes : ClassSet
            As many as the network has channels.
        metrics, training : mapping
            Plain values; NaN is stored as null.
        parents : sequence of str
            Versions that it was trained from.
        input_size : (int, int), optional
            Height and width of the training images in pixels.

        Returns
        -------
        str
            The version, once it outlasts a power cut. Two calls never return the same, whatever process
            they come from.

        Raises
        ------
        ConfigurationError
            When the numbers of classes differ.
        """
        if spec.classes != len(classes):
            raise ConfigurationError(
                f"The network tells {spec.classes} classes apart, but the class set '{classes.name}' has "
                f"{len(classes)}. Build the network with {len(classes)} classes."
            )
        description = {
            "network": spec.to_dict(),
            "classes": classes.to_dict(),
            "input_size": input_size,
            "metrics": metrics,
            "training": training,
            "parents": list(parents),
            "created_at": utc_now().isoformat(),
            "git_commit": git_commit(),
            "libraries": library_versions(),
        }
        temporary = temporary_path(self.folder / _TEMPORARY)
        temporary.mkdir()
        try:
            weights = _write_weights(network, temporary / _WEIGHTS)
            description["digest"] = digest = _digest(weights, description)
            with exclusive(self.folder / _LOCK):
                number = max((number_of(version) for version in self.names()), default=0) + 1
                version = f"v{number:04d}-{digest[:8]}"
                text = json.dumps(plain({"version": version, **description}), indent=2, ensure_ascii=False)
                (temporary / _DESCRIPTION).write_text(text + "\n", encoding="utf-8")
                sync_file(temporary / _DESCRIPTION)
                sync_folder(temporary)
                temporary.rename(self.folder / version)
                sync_folder(self.folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return version

    def names(self) -> list[str]:
        """Return all versions, the oldest first; unlike `readable` it opens no file."""
        names = [path.name for path in self.folder.iterdir() if number_of(path.name)]
        return sorted(names, key=number_of)

    def find(self, digest: str) -> str | None:
        """Return the version of these weights, network and classes, ``None`` where there is none.

        Raises
        ------
        DataError
            When the description of a version whose name fits is damaged.
        """
        for name in self.names():
            if name.endswith(digest[:8]) and self.info(name).digest == digest:
                return name
        return None

    def readable(self) -> Iterator[ModelInfo]:
        """Yield what is known about all versions but those with a damaged description, the oldest first.

        For whoever looks for one version: the damage of another is nothing to them.
        """
        for name in self.names():
            try:
                info = self.info(name)
            except DataError:
                continue
            yield info

    def info(self, version: str) -> ModelInfo:
        """Return what is known about a version.

        Raises
        ------
        DataError
            When there is no such version, or its description is damaged.
        """
        path = self._folder_of(version) / _DESCRIPTION
        try:
            return ModelInfo.from_dict(version, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, IndexError, DataError) as error:
            raise DataError(f"{path} is damaged ({error!r}). Restore it, or use another version.") from error

    def load(self, version: str) -> LoadedModel:
        """Read a version, checking that it is what was stored.

        Raises
        ------
        DataError
            When there is no such version, or its weights, network or classes were altered since.
        ConfigurationError
            When its network comes from a package that is not installed.
        """
        info = self.info(version)
        path = self._folder_of(version) / _WEIGHTS
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error}. Restore it, or use another version.") from error
        identity = {"network": info.spec.to_dict(), "classes": info.classes.to_dict()}
        if _digest(hashlib.sha256(content).hexdigest(), identity) != info.digest or not version.endswith(
            info.digest[:8]
        ):
            raise DataError(
                f"Model {version} is not what was stored: {path} or the {_DESCRIPTION} beside it was altered "
                "(the digest differs). Restore both, or use another version."
            )
        network = info.spec.build(pretrained=False)
        try:
            network.load_state_dict(safetensors.torch.load(content))
        except (SafetensorError, RuntimeError) as error:
            raise DataError(
                f"{path} does not fit network '{info.spec.name}': {error}. "
                "Use the versions of the libraries that its model.json names."
            ) from error
        return LoadedModel(network.eval(), info.classes, info)

    def use(self, version: str) -> None:
        """Make a version the one in use; readers see the one before or this one, nothing in between.

        Raises
        ------
        DataError
            When there is no such version.
        """
        self._folder_of(version)
        write_text(self.folder / _POINTER, version + "\n")

    def current(self) -> str | None:
        """Return the version in use, ``None`` before the first.

        Raises
        ------
        DataError
            When the pointer names a version that is not there.
        """
        return self._pointed(_POINTER)

    def teach(self, version: str | None) -> None:
        """Make a version the one that rounds go on with, whichever is in use; ``None``: the one in use.

        Raises
        ------
        DataError
            When there is no such version.
        """
        if version is None:
            (self.folder / _TEACHER).unlink(missing_ok=True)
            return
        self._folder_of(version)
        write_text(self.folder / _TEACHER, version + "\n")

    def teacher(self) -> str | None:
        """Return the version that asks, merges and is trained further; ``None`` before the first.

        It is the version in use, unless `teach` named another because a student is served.

        Raises
        ------
        DataError
            When a pointer names a version that is not there.
        """
        return self._pointed(_TEACHER) or self.current()

    def _pointed(self, pointer: str) -> str | None:
        try:
            version = (self.folder / pointer).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        self._folder_of(version)
        return version

    def _folder_of(self, version: str) -> Path:
        folder = self.folder / version
        if not number_of(version) or not folder.is_dir():
            known = ", ".join(self.names()[-5:]) or "none"
            raise DataError(f"There is no model version {version!r} in {self.folder}. Latest: {known}.")
        return folder


def _write_weights(network: SegmentationNetwork, path: Path) -> str:
    """Write the state on the disk and return the file's SHA-256."""
    content = encoded(network.state_dict())
    write_durably(path, content)
    return hashlib.sha256(content).hexdigest()


def _digest(weights_sha256: str, description: Mapping[str, Any]) -> str:
    identity = {
        "weights": weights_sha256,
        "network": description["network"],
        "classes": description["classes"],
    }
    canonical = json.dumps(plain(identity), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
