"""JSON that every database and every reader takes: no NaN, no numpy."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return `value` made of dict, list, str, int, float, bool and None.

    NaN and the infinities become None (the IoU of a class that does not occur), arrays become lists.

    Raises
    ------
    TypeError
        When something in it is of another kind.
    """
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} {value!r} cannot be written as JSON.")


def dumps(value: Any) -> str:
    """Return the JSON text of `value` after `plain`."""
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
