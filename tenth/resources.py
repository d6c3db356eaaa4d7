"""Files that ship with the package: labelling configs and the report page."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def template(name: str) -> str:
    """Return the text of `templates/<name>`.

    In a wheel the folder lies inside the package; in a checkout beside it.

    Raises
    ------
    FileNotFoundError
        When no such template is shipped.
    """
    shipped = files("tenth") / "templates" / name
    if shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    return (Path(__file__).parent.parent / "templates" / name).read_text(encoding="utf-8")
