"""Reading pretrained weights from a path or a URL, without trusting either."""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.hub import download_url_to_file

from tenth.errors import ConfigurationError, DataError


def cache_folder() -> Path:
    """Return the folder downloaded weights are kept in (``$XDG_CACHE_HOME/tenth/weights``)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tenth" / "weights"


def load_weights(source: str, sha256: str | None = None) -> dict[str, Tensor]:
    """Load a state dict.

    Parameters
    ----------
    source : str
        A path or an http(s) URL of a ``.safetensors`` file or a PyTorch file. The latter is read with
        ``weights_only=True``, so that nothing in it is executed.
    sha256 : str, optional
        The file's SHA-256, 64 hex digits. Required with a URL.

    Returns
    -------
    dict of str to Tensor
        On the CPU.

    Raises
    ------
    ConfigurationError
        When there is no such file, the URL does not answer, or the hash is missing or malformed.
    DataError
        When the file has another hash or is not a state dict.
    """
    if sha256 and (len(sha256) != 64 or set(sha256.lower()) - set("0123456789abcdef")):
        raise ConfigurationError(f"weights_sha256 = '{sha256}' is no SHA-256: 64 hex digits are needed.")
    if urlsplit(source).scheme in {"http", "https"}:
        path = _download(source, sha256)
    else:
        path = Path(source).expanduser()
        if not path.is_file():
            raise ConfigurationError(f"There is no weights file '{source}'; give an existing path or a URL.")
        if sha256:
            _check(path, source, sha256)
    return _read(path)


def _download(url: str, sha256: str | None) -> Path:
    if not sha256:
        raise ConfigurationError(
            f"Weights from a URL ({url}) need weights_sha256, so that a changed file is noticed; give it."
        )
    target = cache_folder() / f"{sha256.lower()}{Path(urlsplit(url).path).suffix}"
    if target.is_file() and _digest(target) == sha256.lower():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    # Renamed only once whole and checked, so that parallel or killed runs never leave a broken file behind.
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        part = Path(folder) / "part"
        try:
            download_url_to_file(url, str(part), progress=False)
        except (URLError, OSError) as error:
            raise ConfigurationError(
                f"Cannot fetch weights from {url}: {error}. Check the connection, or give a local path."
            ) from error
        _check(part, url, sha256)
        part.replace(target)
    return target


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, source: str, sha256: str) -> None:
    found = _digest(path)
    if found != sha256.lower():
        raise DataError(
            f"Weights '{source}' have SHA-256 {found}, not {sha256.lower()}: the file is damaged or another; "
            "fetch it again or correct weights_sha256."
        )


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read as weights: {error}") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise DataError(
            f"'{path}' is not a state dict (names to tensors); export one with model.state_dict()."
        )
    return dict(state)
