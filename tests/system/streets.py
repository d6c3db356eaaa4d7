"""Small workspaces on generated scenes, each with a project of its own in the running Label Studio."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

sys.path.append(str(Path(__file__).resolve().parents[1] / "controller"))  # its tiny workspaces

from rounds import make_workspace

from controller.loop import Loop
from controller.oracle import Oracle, answer_group, prepare
from controller.round import learn_initial, next_round
from tenth.workspace.database import Answer, Image, Problem, Region, Round, Step

REPOSITORY = Path(__file__).resolve().parents[2]
SIZE = (96, 64)
SETTINGS: dict[str, dict[str, Any]] = {
    "network": {"encoder": "resnet18", "width": 0.125, "weights": ""},
    "training": {
        "initial_iterations": 6,
        "round_iterations": 2,
        "batch_size": 2,
        "crop": [32, 32],
        "device": "cpu",
    },
    "labels": {"min_confidence": 0.0},  # every pixel of an image has a label to compare
    "superpixels": {"size": 60},
    "selection": {"group_size": 2, "budget": 0.1, "max_regions": 10},
    "label_studio": {"import_chunk": 2},
}


def make_template(folder: Path) -> Path:
    """Make a workspace without a project, whose initial model is published: 2 labelled images, 6 others."""
    loop = make_workspace(folder, scenes=(8, 1, 1), size=SIZE, settings=SETTINGS)
    learn_initial(loop)
    return Path(loop.workspace.folder)


@dataclass(frozen=True)
class Streets:
    """A workspace with its project."""

    folder: Path

    def open(self) -> Loop:
        """Open it anew, as each command does."""
        return Loop.open(self.folder)

    @property
    def truth(self) -> Path:
        """Where the ground truth lies."""
        return self.open().dataset.root / "train" / "labels"

    def start(self, command: str, *arguments: object) -> subprocess.Popen[str]:
        """Start ``controller COMMAND --workspace … --json``."""
        return subprocess.Popen(
            [sys.executable, "-m", "controller.cli", command, "-w", str(self.folder), "--json"]
            + [str(argument) for argument in arguments],
            cwd=REPOSITORY,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, command: str, *arguments: object, code: int = 0) -> dict[str, Any]:
        """Run a command to its end; return what it prints."""
        process = self.start(command, *arguments)
        out, error = process.communicate()
        assert process.returncode == code, f"{process.returncode}\n{out}\n{error}"
        document: dict[str, Any] = json.loads(out)
        return document

    def push(self) -> Loop:
        """Push the next group."""
        loop = self.open()
        next_round(loop)
        return loop

    def answer(self, count: int | None = None, oracle: Oracle | None = None) -> list[int]:
        """Answer `count` unanswered regions of the open group, all by default; return their tasks."""
        loop = self.open()
        oracle = oracle or Oracle()
        if count is None:
            answer_group(loop, self.truth, oracle)
            return []
        chosen = [region for region in self.regions() if region.state == "pushed"][:count]
        for region, result in prepare(loop, chosen, self.truth, oracle):
            loop.client.create_annotation(region.task_id or 0, result)
        return [region.task_id or 0 for region in chosen]

    def regions(self, number: int = 1) -> list[Region]:
        """Return the regions of a round."""
        with self.open().workspace.database.reading() as session:
            query = select(Region).where(Region.round == number).order_by(Region.id)
            return list(session.scalars(query))

    def rows(self) -> list[list[dict[str, Any]]]:
        """Return what the database holds, to see whether anything changed."""
        with self.open().workspace.database.reading() as session:
            return [
                [
                    {column.name: getattr(row, column.name) for column in table.__table__.columns}
                    for row in session.scalars(select(table))
                ]
                for table in (Round, Step, Image, Region, Answer, Problem)
            ]

    def tasks(self, number: int = 1) -> dict[str, list[int]]:
        """Return the tasks that Label Studio has of a round, by region."""
        loop = self.open()
        found: dict[str, list[int]] = {}
        for task in loop.client.tasks(loop.project, data={"round": number}):
            found.setdefault(task["data"]["region_id"], []).append(task["id"])
        return found
