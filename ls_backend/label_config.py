"""Which controls of a project's labelling config predictions of whole images fill in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from tenth.errors import DataError
from tenth.label_studio.configs import IMAGE, LABEL


@dataclass(frozen=True)
class BrushControl:
    """The brush of a project and the picture it paints on.

    Attributes
    ----------
    name, picture : str
        Names of the two tags: a result's ``from_name`` and ``to_name``.
    key : str
        Under which a task's data hold the picture's address.
    labels : frozenset of str or None
        What the brush offers; ``None`` where the config is not known.
    """

    name: str
    picture: str
    key: str
    labels: frozenset[str] | None

    def fit(self, prediction: dict[str, Any]) -> dict[str, Any]:
        """Return a prediction made for our own config with this project's names.

        Masks of classes that the brush does not offer are left out: Label Studio refuses the whole batch for
        one unknown label.
        """
        result = [
            {**entry, "from_name": self.name, "to_name": self.picture}
            for entry in prediction["result"]
            if self.labels is None or self.labels.issuperset(entry["value"]["brushlabels"])
        ]
        return {**prediction, "result": result}


OURS = BrushControl(LABEL, IMAGE, IMAGE, None)
"""The names of `tenth.label_studio.configs.image_config`."""


def brush_control(label_config: str) -> BrushControl:
    """Return the first brush of a labelling config that paints on a picture, ours where the config is empty.

    Raises
    ------
    DataError
        When the config is no XML or has no such brush.
    """
    if not label_config.strip():
        return OURS
    try:
        root = ElementTree.fromstring(label_config)  # noqa: S314 - expat expands no external entities
    except ElementTree.ParseError as error:
        raise DataError(f"The project's labelling config is no XML: {error}.") from error
    pictures = {tag.get("name"): tag.get("value", "") for tag in root.iter("Image")}
    for brush in root.iter("BrushLabels"):
        name, picture = brush.get("name"), brush.get("toName")
        if name and picture in pictures and picture is not None:
            labels = (label.get("alias") or label.get("value") or "" for label in brush.iter("Label"))
            return BrushControl(name, picture, pictures[picture].removeprefix("$"), frozenset(labels))
    raise DataError(
        'The project\'s labelling config has no <BrushLabels name="…" toName="…"> on an <Image>, which '
        "is what predictions of whole images fill in. Add one with the classes' names as labels."
    )
