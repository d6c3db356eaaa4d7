"""The classes of a data set: ids, names, colours and hotkeys."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError

IGNORE: int = 255
"""The label of pixels that count for nothing: not trained on, not measured, not paid for."""

HOTKEYS = "1234567890qwrtyiopa"
"""Keys handed out in this order to classes that name none; E and U are the editor's eraser and "unselect"."""


@dataclass(frozen=True)
class LabelClass:
    """One class.

    Parameters
    ----------
    id : int
        ``0..C-1``; the value of its pixels in a label map.
    name : str
        Name shown to annotators; unique in its class set.
    color : tuple of int
        RGB, each 0..255.
    hotkey : str or None
        The key that answers with this class; ``None`` when the keys ran out.
    """

    id: int
    name: str
    color: tuple[int, int, int]
    hotkey: str | None = None


@dataclass(frozen=True)
class ClassSet:
    """The classes of one data set, in order of their ids.

    Classes without a hotkey get the first free one of ``1234567890qwrtyiopa``.

    Parameters
    ----------
    name : str
        Name of the data set.
    classes : tuple of LabelClass
        2 to 255 classes with ids 0..C-1 in order, unique names and unique hotkeys.

    Raises
    ------
    DataError
        When the classes break one of these rules.
    """

    name: str
    classes: tuple[LabelClass, ...]

    def __post_init__(self) -> None:
        """Check the classes and hand out the missing hotkeys."""
        _check(self.classes)
        object.__setattr__(self, "classes", _with_hotkeys(self.classes))

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> list[str]:
        """Names in order of the ids."""
        return [entry.name for entry in self.classes]

    @cached_property
    def palette(self) -> NDArray[np.uint8]:
        """Colours by id, (256, 3) uint8 RGB; ids without a class, ignore among them, are black."""
        palette = np.zeros((256, 3), np.uint8)
        for entry in self.classes:
            palette[entry.id] = entry.color
        palette.flags.writeable = False
        return palette

    def colorize(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Paint a label map (H, W) uint8 in the classes' colours: (H, W, 3) uint8 RGB, ignore black."""
        return self.palette[labels]

    def id_of(self, name: str) -> int:
        """Return the id of the class called `name`.

        Raises
        ------
        DataError
            When there is none.
        """
        for entry in self.classes:
            if entry.name == name:
                return entry.id
        raise DataError(f"'{self.name}' has no class '{name}'. Its classes are: {', '.join(self.names)}.")

    @classmethod
    def load(cls, path: str | Path) -> ClassSet:
        """Read ``classes.json``.

        Raises
        ------
        DataError
            When the file is missing, is no JSON or describes no valid class set; the message names the file.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise DataError(
                f"{path} does not exist. A data set lists its classes there: "
                '{"classes": [{"id": 0, "name": "road", "color": [128, 64, 128]}, …], "ignore": 255}.'
            ) from error
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read as JSON: {error}.") from error
        except DataError as error:
            raise DataError(f"{path}: {error}") from error

    @classmethod
    def from_dict(cls, data: Any) -> ClassSet:
        """Build from the content of ``classes.json``; keys that are not ours are passed over.

        Raises
        ------
        DataError
            When `data` describes no valid class set.
        """
        if not isinstance(data, dict) or not isinstance(data.get("classes"), list):
            raise DataError(
                'There is no list under "classes"; expected {"classes": [{"id", "name", "color"}, …]}.'
            )
        ignore = data.get("ignore", IGNORE)
        if ignore != IGNORE:
            raise DataError(f'"ignore" is {ignore!r}, but only 255 can be ignored; store such pixels as 255.')
        return cls(str(data.get("name", "classes")), tuple(_parse(entry) for entry in data["classes"]))

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``classes.json``; `from_dict` gives back an equal set."""
        classes = [
            {"id": entry.id, "name": entry.name, "color": list(entry.color)}
            | ({} if entry.hotkey is None else {"hotkey": entry.hotkey})
            for entry in self.classes
        ]
        return {"name": self.name, "ignore": IGNORE, "classes": classes}


def _is_int(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _parse(entry: Any) -> LabelClass:
    if not isinstance(entry, dict):
        raise DataError(f"The class {entry!r} is not an object with id, name and color.")
    missing = [key for key in ("id", "name", "color") if key not in entry]
    if missing:
        raise DataError(f"The class {entry!r} has no {' and no '.join(missing)}; add it.")
    identity, name, color, hotkey = entry["id"], entry["name"], entry["color"], entry.get("hotkey")
    if not _is_int(identity, 0, IGNORE - 1):
        raise DataError(f"The class id {identity!r} is not a whole number from 0 to 254.")
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"The name {name!r} of class {identity} is not a text.")
    if not isinstance(color, list | tuple) or len(color) != 3 or not all(_is_int(c, 0, 255) for c in color):
        raise DataError(
            f"The colour {color!r} of class '{name}' is not three numbers from 0 to 255: [r, g, b]."
        )
    if hotkey is not None and (not isinstance(hotkey, str) or not hotkey.strip()):
        raise DataError(f'The hotkey {hotkey!r} of class \'{name}\' is not a text such as "1" or "ctrl+b".')
    return LabelClass(identity, name, (color[0], color[1], color[2]), hotkey)


def _check(classes: tuple[LabelClass, ...]) -> None:
    if not 2 <= len(classes) <= IGNORE:
        raise DataError(f"There are {len(classes)} classes; a class set has 2 to 255 (id 255 means ignore).")
    ids = [entry.id for entry in classes]
    if ids != list(range(len(classes))):
        raise DataError(
            f"The class ids are {ids}; list the classes in order with ids 0 to {len(classes) - 1}."
        )
    for what, values in (
        ("name", [entry.name for entry in classes]),
        ("hotkey", [entry.hotkey for entry in classes if entry.hotkey is not None]),
    ):
        repeated = _repeated(values)
        if repeated:
            raise DataError(f"The {what} '{repeated[0]}' belongs to more than one class; give each its own.")


def _repeated(values: Iterable[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def _with_hotkeys(classes: tuple[LabelClass, ...]) -> tuple[LabelClass, ...]:
    taken = {entry.hotkey for entry in classes}
    free = iter([key for key in HOTKEYS if key not in taken])
    return tuple(
        entry if entry.hotkey is not None else LabelClass(entry.id, entry.name, entry.color, next(free, None))
        for entry in classes
    )
