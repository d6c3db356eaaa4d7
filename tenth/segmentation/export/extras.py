"""Packages that only exported models need: imported when they are used."""

from __future__ import annotations

import sys
from types import ModuleType

from tenth.segmentation import extras


def need(package: str, extra: str) -> ModuleType:
    """Import a package of the extra ``"onnx"`` or ``"openvino"``.

    Raises
    ------
    ConfigurationError
        When it cannot be imported.
    """
    return extras.need(package, extra, "exported models")


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
