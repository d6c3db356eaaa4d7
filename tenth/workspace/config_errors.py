"""Why a setting cannot be used and what to write instead, in words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_TYPES = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a text in quotes",
    "bool_type": "true or false",
    "finite_number": "a finite number",
    "literal_error": "one of the known words",
    "dict_type": "a table of names and values",
}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_LENGTHS = {"min_length": "at least", "max_length": "at most"}


def explain(error: ValidationError, model: type[BaseModel], file: Path) -> str:
    """Return a line for every setting that is wrong: file, section, key, value, reason, remedy."""
    sections = _sections(model)
    return "\n".join(f"{file}: {_line(item, sections)}" for item in error.errors())


def _sections(model: type[BaseModel]) -> dict[str, dict[str, FieldInfo]]:
    return {
        name: field.annotation.model_fields
        for name, field in model.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def _line(item: ErrorDetails, sections: dict[str, dict[str, FieldInfo]]) -> str:
    place = [str(part) for part in item["loc"]]
    section, key = place[0], place[1] if len(place) > 1 else None
    if item["type"] == "extra_forbidden":
        if key is None:
            return _unknown_section(section, item["input"], sections)
        return _unknown_key(section, key, sections)
    if key is None:
        if item["type"] == "value_error":
            return f"[{section}] {_own_reason(item)}."
        return f"{section} = {_shown(item['input'])} must be a table. Write [{section}] on its own line."
    return f"[{section}] {key} = {_shown(item['input'])}: {_reason(item, key, sections[section][key])}"


def _unknown_section(name: str, value: object, sections: dict[str, dict[str, FieldInfo]]) -> str:
    homes = [section for section, fields in sections.items() if name in fields]
    if not isinstance(value, dict) and homes:
        return f"{name} = {_shown(value)} stands outside of its section. Move it below [{homes[0]}]."
    what = f"section [{name}]" if isinstance(value, dict) else f"setting '{name}'"
    return (
        f"there is no {what}. The nearest section is [{nearest(name, sections)}]. Known: "
        f"{', '.join(f'[{section}]' for section in sections)}."
    )


def _unknown_key(section: str, key: str, sections: dict[str, dict[str, FieldInfo]]) -> str:
    homes = [other for other, fields in sections.items() if key in fields]
    if homes:
        return f"[{section}] has no key '{key}'; it belongs to [{homes[0]}]. Move it there."
    return (
        f"[{section}] has no key '{key}'. The nearest one is '{nearest(key, sections[section])}'. Known: "
        f"{', '.join(sections[section])}."
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word most like `word`, however far."""
    return difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.0)[0]


def _own_reason(item: ErrorDetails) -> str:
    """Return what one of our validators wrote."""
    return str(item["ctx"]["error"])


def _reason(item: ErrorDetails, key: str, field: FieldInfo) -> str:
    example = f"{key} = {_shown(field.get_default(call_default_factory=True))}, the default"
    if item["type"] == "value_error":
        return f"{_own_reason(item)}; {example}."
    meaning = str(field.description).rstrip(".")
    if item["type"] == "literal_error":
        near = nearest(str(item["input"]), re.findall(r"'([^']+)'", item["ctx"]["expected"]))
        return f"it must be {item['ctx']['expected']}; the nearest is '{near}'. It means: {meaning}."
    return f"{_wrong(item, field)}. Set for example {example}. It means: {meaning}."


def _wrong(item: ErrorDetails, field: FieldInfo) -> str:
    if item["type"] in _TYPES:
        return f"it must be {_TYPES[item['type']]}"
    if item["type"] == "string_too_short":
        return "it must not be empty"
    limits: dict[str, Any] = {}
    for constraint in field.metadata:
        limits |= {
            name: getattr(constraint, name) for name in (*_BOUNDS, *_LENGTHS) if hasattr(constraint, name)
        }
    numbers = [f"{word} {limits[name]:g}" for name, word in _BOUNDS.items() if name in limits]
    if item["type"] == "string_too_long":
        return f"it must have at most {limits['max_length']} characters"
    return f"it must be {' and '.join(numbers)}" if numbers else item["msg"]


def _shown(value: object) -> str:
    """Return the value as TOML would write it, shortened, and without a login that a URL may hold."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "[]"
    text = re.sub(r"://[^@/\s]*@", "://…@", repr(list(value) if isinstance(value, tuple) else value))
    return text if len(text) <= 80 else text[:77] + "…"
