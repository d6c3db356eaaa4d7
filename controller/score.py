"""Step "score": how uncertain the model is about each image of the pool."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.loop import Loop
from controller.maps import descriptor
from controller.pool import as_sample, images_with_role
from tenth.errors import DataError, UnreadableFile
from tenth.workspace.database import Round

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scored:
    """How much an image is worth asking about, and what it looks like to the network.

    Parameters
    ----------
    score : float
        The strategy's `image_score`.
    descriptor : (K,) float32
        See `controller.maps.descriptor`.
    """

    score: float
    descriptor: NDArray[np.float32]

    def to_json(self, key: str) -> str:
        """Return one line of the file of scores."""
        rounded = [round(float(value), 4) for value in self.descriptor]
        return json.dumps({"key": key, "score": self.score, "descriptor": rounded})


def score(loop: Loop, number: int) -> dict[str, Any]:
    """Score every image of the pool with the model in use and write the scores down one by one.

    A killed call goes on behind the last whole line of the file. Without a model (cold start) there is
    nothing to score. An image that is missing or broken is left out of this round.

    Raises
    ------
    DataError
        When no image of the pool can be read, or the pool's storage cannot be reached.
    """
    with loop.workspace.database.session() as session:
        version = session.get_one(Round, number).model_version
        pool = images_with_role(session, "pool")
    if version is None:
        return {"images": 0}
    path = scores_file(loop, number)
    known = read_scores(path)
    left = [image for image in pool if image.key not in known]
    predictor = loop.predictor(version)
    unreadable: list[UnreadableFile] = []
    with path.open("a", encoding="utf-8") as lines:
        for image in loop.progress.over(left, len(left), f"Round {number}: scoring the pool", "image"):
            try:
                picture = as_sample(loop, image).load_image()
            except UnreadableFile as error:
                log.warning("Not asked about in round %d: %s", number, error)
                unreadable.append(error)
                continue
            probabilities = predictor.probabilities(picture)
            known[image.key] = Scored(loop.strategy.image_score(probabilities), descriptor(probabilities))
            lines.write(known[image.key].to_json(image.key) + "\n")
            lines.flush()
    if unreadable and not known:
        raise DataError(f"No image of the pool can be read. The first: {unreadable[0]}") from unreadable[0]
    skipped = {"unreadable": len(unreadable)} if unreadable else {}
    return {"images": len(known), "version": version, **skipped}


def scores_file(loop: Loop, number: int) -> Path:
    """Return where the scores of a round are kept."""
    folder = loop.workspace.folder / "scores"
    folder.mkdir(exist_ok=True)
    return folder / f"round-{number:03d}.jsonl"


def read_scores(path: Path) -> dict[str, Scored]:
    """Read scores; a last line that a kill cut short is dropped from the file."""
    if not path.exists():
        return {}
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if whole != text:
        path.write_bytes(whole)
    rows = [json.loads(line) for line in whole.splitlines()]
    return {
        row["key"]: Scored(row["score"], np.asarray(row.get("descriptor", ()), np.float32)) for row in rows
    }
