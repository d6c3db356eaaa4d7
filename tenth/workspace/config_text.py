"""The text of `controller.toml`: defaults with a comment a key, and changes that keep the comments."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from tenth.errors import ConfigurationError
from tenth.workspace.config import CONFIG_NAME, Config
from tenth.workspace.config_errors import nearest
from tenth.workspace.files import write_text

_HEAD = """\
# Settings of a Tenth workspace. Relative paths are relative to this file's folder.
# Secrets stand only in the environment: LABEL_STUDIO_API_KEY, TENTH_BACKEND_USER, TENTH_BACKEND_PASSWORD.
"""


def default_toml(file: str | Path = CONFIG_NAME, /, **values: Mapping[str, object]) -> str:
    """Return a documented file with the defaults, some of them replaced.

    Parameters
    ----------
    file : str or Path, optional
        Where the text will be written to: what a message about a wrong value names.
    **values : mapping of str to object
        By section: ``default_toml(data={"dataset": "/data/camvid"}, training={"batch_size": 4})``.

    Raises
    ------
    ConfigurationError
        When a section, a key or a value cannot be used.
    """
    Config.from_values(values, file)
    parts = [_HEAD]
    for name in Config.model_fields:
        section = type(getattr(Config(), name))
        parts.append(_section(name, section, values.get(name, {})))
    return "\n".join(parts)


def _section(name: str, section: type[BaseModel], values: Mapping[str, object]) -> str:
    lines = [f"# {line}" for line in textwrap.wrap(str(section.__doc__), 100)]
    lines.append(f"[{name}]")
    # A count of superpixels on its own means: not by size.
    values = {"size": 0, **values} if name == "superpixels" and values.get("count") else values
    for key, field in section.model_fields.items():
        lines += [f"# {line}" for line in textwrap.wrap(str(field.description), 100)]
        lines.append(f"{key} = {_toml(values.get(key, field.get_default(call_default_factory=True)))}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if value is None:
        return "[]"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, Mapping):
        # An inline table; a key is quoted as a text is.
        entries = (f"{_toml(str(name))} = {_toml(item)}" for name, item in value.items())
        return f"{{ {', '.join(entries)} }}" if value else "{}"
    if isinstance(value, str | Path):
        # TOML's basic strings are JSON's, but for DEL, which JSON leaves as it is.
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def set_value(path: str | Path, section: str, key: str, value: object) -> None:
    """Replace one value in a file, keeping all comments; the file changes at once or not at all.

    Raises
    ------
    ConfigurationError
        When the section, the key or the value cannot be used; the file is then left as it was.
    """
    path = Path(path)
    Config.load(path)
    fields = Config.model_fields
    if section not in fields:
        raise ConfigurationError(
            f"There is no section [{section}]; the nearest is [{nearest(section, fields)}]."
        )
    changed = _replaced(path.read_text(encoding="utf-8"), section, f"{key} = {_toml(value)}", key)
    Config.parse(changed, path)
    write_text(path, changed)


def _replaced(text: str, section: str, setting: str, key: str) -> str:
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines) if re.match(rf"\s*\[\s*{section}\s*\]", line)]
    if not heads:
        return text.rstrip("\n") + f"\n\n[{section}]\n{setting}\n"
    start = heads[0] + 1
    ends = (
        number
        for number in range(start, len(lines))
        if re.match(r"\s*\[\s*\w+\s*\]\s*(#.*)?$", lines[number])
    )
    end = next(ends, len(lines))
    for number in range(start, end):
        if re.match(rf"\s*{re.escape(key)}\s*=", lines[number]):
            lines[number] = setting
            break
    else:
        lines.insert(start, setting)
    return "\n".join(lines) + "\n"
