"""Workspaces with `[distill]`, for the tests of students."""

import shutil
from pathlib import Path

from rounds import TINY, answer, make_workspace, open_round

from controller.initialize import create_or_change
from controller.loop import Loop
from controller.merge import merge
from controller.round import close, learn_initial, learning
from controller.steps import run_steps
from controller.train import training_images

STUDENT = {
    "student": "icnet",
    "student_options": {"encoder": "resnet18", "width": 0.125, "weights": ""},
    "initial_iterations": 40,
    "iterations": 2,
    "weight": 0.1,
    "pseudo": False,
}
QUICK = {"learning_rate": 0.05, "class_weighting": "none", "scale": [0.5, 2.0]}
SETTINGS = {**TINY, "training": {**TINY["training"], **QUICK}, "distill": STUDENT}
"""The student learns something, mostly from labels, since the large network has four steps for it."""


def make_taught(folder: Path) -> Path:
    """Make a workspace whose round 0 is closed; the labels of the pool are gone, so nobody looked at them."""
    loop = make_workspace(folder, settings=SETTINGS)
    initial = {Path(str(image.labels)) for image in training_images(loop, 0)}
    for path in next(iter(initial)).parent.iterdir():
        if path not in initial:
            path.rename(path.with_suffix(".hidden"))
    learn_initial(loop)
    return loop.workspace.folder


def copied(taught_folder: Path, folder: Path) -> Loop:
    """Open a copy to change; answers need the labels of the images asked."""
    labels = taught_folder.parent / "scenes" / "train" / "labels"
    for path in labels.glob("*.hidden"):
        shutil.copy(path, path.with_suffix(".png"))
    return Loop.open(shutil.copytree(taught_folder, folder / "workspace"))


def change(loop: Loop, **distill) -> Loop:
    create_or_change(loop.workspace.folder, None, [("distill", key, value) for key, value in distill.items()])
    return Loop.open(loop.workspace.folder)


def trained_round(loop: Loop, number: int = 1) -> None:
    """Leave a round as it is before "distill"."""
    open_round(loop, number)
    answer(loop, number)
    run_steps(loop, number, (("merge", merge), learning(loop, number)[0]))


def run_rounds_after_the_first(loop: Loop) -> None:
    trained_round(loop)
    run_steps(loop, 1, learning(loop, 1))
    close(loop, 1)
