"""Labelling configs: the XML that tells Label Studio's editor what to show, and what an answer is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from jinja2 import Environment, StrictUndefined

from tenth.errors import ConfigurationError
from tenth.resources import template
from tenth.segmentation.classes import ClassSet, LabelClass

CROP = "crop"
"""Name of the crop's picture in the region config, and of its URL in a task's data."""
ANSWER = "answer"
"""Name of the choices in the region config."""
PAINT = "paint"
"""Name of the brushes in the region config."""
IMAGE = "image"
"""Name of the picture in the whole-image config, and of its URL in a task's data."""
LABEL = "label"
"""Name of the brushes in the whole-image config."""

MIXED = "mixed"
"""Answer for a region that holds several classes."""
VOID = "void"
"""Answer for a region that belongs to no class."""

# Not b, e, h, u and v, which the editor takes for brush, eraser, pan, unselect and move.
_SPECIAL_KEYS = "mnjklxzcfgdsapoiytrwq0987654321"
_LONGEST_COLUMN = 16


@dataclass(frozen=True)
class SpecialAnswer:
    """An answer that is no class.

    Parameters
    ----------
    value : str
        What Label Studio stores.
    hotkey : str
        The key that answers with it.
    """

    value: str
    hotkey: str


def special_answers(classes: ClassSet) -> tuple[SpecialAnswer, SpecialAnswer]:
    """Return the answers "mixed" and "void" with keys that no class takes.

    Raises
    ------
    ConfigurationError
        When a class has one of their names, or the classes leave no key.
    """
    for value, meaning in ((MIXED, "holds several classes"), (VOID, "belongs to no class")):
        if value in classes.names:
            raise ConfigurationError(
                f"A class is called '{value}', the answer for a region that {meaning}. Rename the class."
            )
    taken = {entry.hotkey.lower() for entry in classes.classes if entry.hotkey}
    free = [key for key in _SPECIAL_KEYS if key not in taken]
    if len(free) < 2:
        raise ConfigurationError(
            f"The classes take all keys of '{_SPECIAL_KEYS}'; leave two of them for '{MIXED}' and '{VOID}'."
        )
    return SpecialAnswer(MIXED, free[0]), SpecialAnswer(VOID, free[1])


def region_config(classes: ClassSet) -> str:
    """Return the config of a project that asks for regions.

    Parameters
    ----------
    classes : ClassSet
        Classes with names, colours and hotkeys; those without a hotkey are listed last and clicked.

    Returns
    -------
    str
        XML for Label Studio's ``label_config``.

    Raises
    ------
    ConfigurationError
        When a class has the name of one of the other two answers.
    """
    mixed, void = special_answers(classes)
    answers = len(classes) + 2
    columns = 1 if answers <= _LONGEST_COLUMN else 2
    return _render(
        "region.xml", classes, mixed=mixed, void=void, columns=columns, rows=-(-answers // columns)
    )


def image_config(classes: ClassSet) -> str:
    """Return the config of a project in which whole images are painted.

    Parameters
    ----------
    classes : ClassSet
        Classes with names, colours and hotkeys.

    Returns
    -------
    str
        XML for Label Studio's ``label_config``.
    """
    return _render("image.xml", classes)


def _render(name: str, classes: ClassSet, **values: Any) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    items = [_item(entry) for entry in classes.classes]
    return environment.from_string(template(name)).render(classes=items, **values) + "\n"


def _item(entry: LabelClass) -> dict[str, Any]:
    key = entry.hotkey
    return {
        "id": entry.id,
        "name": entry.name,
        "color": "#{:02x}{:02x}{:02x}".format(*entry.color),
        "hotkey": key,
        "paint_hotkey": f"alt+{key}" if key and len(key) == 1 else None,
    }


def check_config(config: str, classes: ClassSet) -> list[str]:
    """Compare a project's config with what our tasks, predictions and answers need.

    Parameters
    ----------
    config : str
        ``label_config`` of a project that asks for regions.
    classes : ClassSet
        The classes it should offer.

    Returns
    -------
    list of str
        What is wrong, a sentence each; empty when everything fits.
    """
    try:
        root = ElementTree.fromstring(config)  # noqa: S314 - expat expands no external entities
    except ElementTree.ParseError as error:
        return [f"The labelling config is not XML: {error}."]
    problems = []
    pictures = [tag for tag in root.iter("Image") if tag.get("name") == CROP]
    if not pictures or pictures[0].get("value") != f"${CROP}":
        problems.append(f'The config shows no crop: it needs <Image name="{CROP}" value="${CROP}"/>.')
    for control, child, name, extra in (
        ("Choices", "Choice", ANSWER, [MIXED, VOID]),
        ("BrushLabels", "Label", PAINT, []),
    ):
        problems += _check_control(root, control, child, name, [*classes.names, *extra])
    return problems


def _check_control(
    root: ElementTree.Element, control: str, child: str, name: str, wanted: list[str]
) -> list[str]:
    found = [tag for tag in root.iter(control) if tag.get("name") == name]
    if not found:
        return [f'The config has no <{control} name="{name}" toName="{CROP}">; our answers come through it.']
    problems = []
    if found[0].get("toName") != CROP:
        problems.append(
            f"<{control} name=\"{name}\"> belongs to '{found[0].get('toName')}', not to '{CROP}'."
        )
    if control == "Choices" and found[0].get("choice", "single") not in ("single", "single-radio"):
        problems.append(f'<Choices name="{name}"> takes several answers; set choice="single".')
    # An alias is what Label Studio stores instead of the value.
    offered = [tag.get("alias") or tag.get("value") or "" for tag in found[0].iter(child)]
    missing = [value for value in wanted if value not in offered]
    foreign = [value for value in offered if value not in wanted]
    if missing:
        problems.append(f'<{control} name="{name}"> lacks {_listed(missing)}: add or rename.')
    if foreign:
        problems.append(f'<{control} name="{name}"> offers {_listed(foreign)}, which is no class of ours.')
    return problems


def _listed(values: list[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)
