"""Step "score": how uncertain the model is about each image of the pool."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.loop import Loop
from controller.maps import descriptor
from controller.pool import as_sample, images_with_role
from tenth.workspace.database import Round


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
    nothing to score.
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
    with path.open("a", encoding="utf-8") as lines:
        for image in loop.progress.over(left, len(left), f"Round {number}: scoring the pool", "image"):
            probabilities = predictor.probabilities(as_sample(loop, image).load_image())
            known[image.key] = Scored(loop.strategy.image_score(probabilities), descriptor(probabilities))
            lines.write(known[image.key].to_json(image.key) + "\n")
            lines.flush()
    return {"images": len(known), "version": version}


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
