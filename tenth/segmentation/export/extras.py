"""Packages that only exported models need: imported when they are used."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from tenth.errors import ConfigurationError


def need(package: str, extra: str) -> ModuleType:
    """Import a package of one of our extras.

    Parameters
    ----------
    package : str
        Such as ``"onnxruntime"``.
    extra : str
        The extra that installs it, ``"onnx"`` or ``"openvino"``.

    Raises
    ------
    ConfigurationError
        When it cannot be imported.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ConfigurationError(
            f"The package {package} cannot be imported ({error}), and exported models need it. "
            f"Install it: pip install 'tenth[{extra}]'"
        ) from error


def need_openvino() -> ModuleType:
    """Import OpenVINO without its reports.

    By itself it tells its vendor of every import, through a package of its own, and does without where that
    is missing; so it is made to look missing. A program that wants the reports imports that package first.

    Raises
    ------
    ConfigurationError
        When it cannot be imported.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # how Python spells "missing"
    return need("openvino", "openvino")
