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
from controller.pool_end import end_of_pool
from controller.steps import forget_step, run_steps
from tenth.errors import DataError, UnreadableFile
from tenth.workspace.database import Round
from tenth.workspace.files import write_text
from tenth.workspace.plain_json import dumps

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

    A killed call goes on behind the last whole line of the file, unless the strategy or its options have been
    changed since. Without a model (cold start) there is nothing to score, nor for a strategy that does not
    look at it. An image that is missing or broken is left out of this round.

    Raises
    ------
    DataError
        When no image of the pool can be read, or the pool's storage cannot be reached.
    NothingToAsk
        When no image that earlier groups have left can be read.
    """
    with loop.workspace.database.session() as session:
        version = session.get_one(Round, number).model_version
        pool = images_with_role(session, "pool")
    if version is None or not loop.strategy.needs_model:
        return {"images": 0}
    path = scores_file(loop, number)
    prepare(path, head(loop, version))
    known = set(read_scores(path))
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
            scored = Scored(loop.strategy.image_score(probabilities), descriptor(probabilities))
            lines.write(scored.to_json(image.key) + "\n")
            lines.flush()
    if unreadable and len(unreadable) == len(pool):
        none = DataError(f"No image of the pool can be read. The first: {unreadable[0]}")
        raise end_of_pool(loop, none) from unreadable[0]
    skipped = {"unreadable": len(unreadable)} if unreadable else {}
    return {"images": len(pool) - len(unreadable), "version": version, **skipped}


def scores_of(loop: Loop, number: int) -> dict[str, Scored]:
    """Return the scores of step "score", by image key; none where there is nothing to score.

    The pool is scored again when the strategy or its options have been changed since, or when all images that
    were scored have left the pool.
    """
    with loop.workspace.database.reading() as session:
        version = session.get_one(Round, number).model_version
        pool = images_with_role(session, "pool")
    if version is None or not loop.strategy.needs_model:
        return {}
    path = scores_file(loop, number)
    scored = read_scores(path) if is_current(path, head(loop, version)) else {}
    if not any(image.key in scored for image in pool):
        forget_step(loop, number, "score")  # a kill from here on leaves scores that are not complete
        run_steps(loop, number, (("score", score),))
        scored = read_scores(path)
    return scored


def scores_file(loop: Loop, number: int) -> Path:
    """Return where the scores of a round are kept."""
    folder = loop.workspace.folder / "scores"
    folder.mkdir(exist_ok=True)
    return folder / f"round-{number:03d}.jsonl"


def head(loop: Loop, version: str) -> str:
    """Return the first line of a file of scores: all that scores depend on beside the image."""
    selection = loop.config.selection
    strategy = {"strategy": selection.strategy, "seed": selection.seed, "options": loop.strategy_options}
    return dumps({"scored_with": {**strategy, "version": version}})


def is_current(path: Path, head: str) -> bool:
    """Tell whether the scores of a file were made with what `head` says."""
    if not path.exists():
        return False
    with path.open("rb") as lines:
        return lines.readline() == f"{head}\n".encode()


def prepare(path: Path, head: str) -> None:
    """Make a file of scores ready for more: without a half line, and anew where it is not current."""
    if not is_current(path, head):
        write_text(path, head + "\n")
    with path.open("rb+") as lines:
        whole = sum(len(line) for line in lines if line.endswith(b"\n"))
        lines.truncate(whole)


def read_scores(path: Path) -> dict[str, Scored]:
    """Read scores by image key, whatever they were made with; a last line that is not whole is left out.

    Files of older versions begin without a head, and may have no descriptors.
    """
    if not path.exists():
        return {}
    with path.open("rb") as lines:
        rows = (json.loads(line) for line in lines if line.endswith(b"\n"))
        return {
            row["key"]: Scored(row["score"], np.asarray(row.get("descriptor", ()), np.float32))
            for row in rows
            if "key" in row
        }
