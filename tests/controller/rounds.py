"""A workspace with closed rounds, made with the controller's own steps; answers come from ground truth.

Label Studio is left out: what `push` and `pull` would write into the database is written here.
"""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from controller.choose import choose_regions, superpixels_name
from controller.initialize import create_or_change
from controller.loop import Loop
from controller.merge import merge
from controller.pool import register_images
from controller.round import begin, close, learn_initial, learning
from controller.score import score
from controller.steps import run_steps
from tenth.label_studio.client import LabelStudioClient
from tenth.segmentation.classes import IGNORE
from tenth.segmentation.images import read_labels
from tenth.segmentation.scenes import write_scenes
from tenth.segmentation.uncertainty import dominant_label
from tenth.workspace.config_text import default_toml
from tenth.workspace.database import Answer, Image, Region
from tenth.workspace.workspace import Workspace

TINY = {
    "labels": {"pseudo": True, "min_confidence": 0.0, "sieve": False},
    "network": {"encoder": "resnet18", "width": 0.125, "weights": ""},
    "training": {
        "initial_iterations": 4,
        "round_iterations": 2,
        "batch_size": 2,
        "crop": [32, 32],
        "device": "cpu",
    },
    "superpixels": {"size": 60},
    "selection": {"strategy": "sp-crf", "group_size": 2, "budget": 0.1},
}


def make_workspace(folder: Path, *, scenes=(5, 1, 1), size=(64, 48), initial=2, settings=TINY) -> Loop:
    """Generate scenes and open a new workspace on them."""
    train, val, test = scenes
    write_scenes(folder / "scenes", train=train, val=val, test=test, width=size[0], height=size[1], seed=3)
    data = {"dataset": str(folder / "scenes"), "initial_count": initial}
    Workspace.create(folder / "workspace", default_toml(data=data, **settings))
    loop = Loop.open(folder / "workspace")
    register_images(loop)
    return loop


def nobody(loop: Loop) -> Loop:
    """Let the loop talk to a port on which nobody listens; waiting between attempts is left out."""
    create_or_change(loop.workspace.folder, None, [("label_studio", "project", 1)])
    loop = Loop.open(loop.workspace.folder)
    loop.client = LabelStudioClient("http://127.0.0.1:9", "a" * 40, sleep=lambda _: None)
    return loop


def run_rounds(loop: Loop, count: int) -> None:
    """Train the initial model where there is an initial set, then close `count` rounds."""
    if loop.config.data.initial_count:
        learn_initial(loop)
    for number in range(1, count + 1):
        open_round(loop, number)
        answer(loop, number)
        run_steps(loop, number, (("merge", merge), *learning(loop, number)))
        close(loop, number)


def open_round(loop: Loop, number: int) -> None:
    """Choose the group of a round; its regions count as pushed."""
    begin(loop, number)
    run_steps(loop, number, (("score", score), ("choose", choose_regions)))
    with loop.workspace.database.session() as session:
        for region in session.scalars(select(Region).where(Region.round == number)):
            region.state = "pushed"


def answer(loop: Loop, number: int) -> None:
    """Answer every region of a round with its dominant label."""
    with loop.workspace.database.session() as session:
        for image in session.scalars(select(Image).where(Image.round == number)):
            superpixels = loop.workspace.arrays.load(superpixels_name(number, image.id))["superpixels"]
            truth = dominant_label(
                read_labels(str(image.labels), len(loop.classes)), superpixels, len(loop.classes)
            )
            for region in session.scalars(select(Region).where(Region.image_id == image.id)):
                label = int(truth[region.superpixel])
                region.state = "answered"
                session.add(
                    Answer(
                        region_id=region.id,
                        kind="void" if label == IGNORE else "class",
                        label=None if label == IGNORE else label,
                        annotator="oracle@localhost",
                        annotation_id=int(region.id.replace("-", "")[1:]),
                        keys=1 if label == region.guess else 2,
                        completed_at=datetime.now(UTC),
                    )
                )
