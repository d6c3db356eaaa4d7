"""Distillation on a real data set: all trainings behind tables 4.1 to 4.4 of docs/results.md.

    python -m benchmarks.distillation --dataset camvid --weights espnetv2_s_2.0_city_1024x512.pth

Trains the teachers, stores what they say together, then trains each student alone, on labels and soft labels
together (by DIST, CWD, the KL divergence and the thesis's), and on soft labels only. A distilled student gets
as many steps as fit into the seconds of the one alone; the mode ``alone-longer`` gets the seconds that the
soft labels took on top. With ``--labelled 36`` only so many images of train have labels, for teachers and
students alike; one taught learns from soft labels of all the others, too.

What is done is not done again, so a killed call is repeated. Two processes share the work with ``--part 0/2``
and ``--part 1/2``. Then ``python -m benchmarks.distillation_runtimes`` measures how fast the results are, and
writes both.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.jobs import size_of
from controller.distill import distill
from controller.find_teacher import find_teachers, temperatures_of
from controller.material import read_material
from controller.simulation.images import split_initial
from controller.simulation.results import write_json
from controller.soft_labels import ask_teachers
from controller.standalone import Standalone, train_alone
from controller.weighting import Weighting
from tenth.errors import ConfigurationError
from tenth.progress import Progress
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.distillation import DistillationLoss
from tenth.segmentation.distillation.losses import USUAL_WEIGHTS, Form
from tenth.segmentation.distillation.teachers import temperature_of
from tenth.segmentation.networks import NetworkSpec
from tenth.segmentation.training import LabelledImage, TrainingOptions, train

IMAGENET = {"encoder": "efficientnet-lite0", "weights": "imagenet"}
OPTIONS: dict[str, dict[str, Any]] = {"icnet": IMAGENET, "deeplabv3plus": IMAGENET, "enet": {}, "erfnet": {}}
RATES = {"icnet": 0.04, "deeplabv3plus": 0.04, "espnetv2": 0.02, "enet": 0.1, "erfnet": 0.1}
"""Learning rates, those of ICNet and ENet from benchmarks.training_settings, the others by analogy."""

TEACHERS = {"icnet": 600, "deeplabv3plus": 900, "espnetv2": 480}
"""The teachers and their usual steps; the thesis's ERFNet is left to the students, for it has no weights to
start from, while ESPNetv2 comes from Cityscapes."""

TEACHER_SEED = 100  # no student is its own teacher
PATIENCE = 2 * 3600
"""No training takes longer, in seconds."""

POOL = "pool"
"""The split of images without labels, where few have them."""

STUDENTS = ("enet", "icnet", "erfnet")
MODES = (
    "alone",
    "distilled",
    "kl-only",
    "alone-longer",
    "distilled-soft",
    "distilled-iou",
    "distilled-kl",
    "distilled-thesis",
    "distilled-cwd",
)


@dataclass(frozen=True)
class Work:
    """What all trainings share.

    Parameters
    ----------
    dataset, folder : Path
        Data set, and where everything is kept.
    size : tuple of int
        Width and height.
    weights : Path
        ESPNetv2's, of Cityscapes.
    steps : int
        Of a student alone.
    teacher_steps : dict
        Of each of `TEACHERS`.
    labelled : int
        How many images of train have labels, the others being in the split `POOL`; 0: all have.
    """

    dataset: Path
    folder: Path
    size: tuple[int, int]
    weights: Path
    steps: int
    teacher_steps: dict[str, int]
    progress: Progress
    labelled: int = 0

    @property
    def unlabelled(self) -> str | None:
        """Split without labels that students are taught on as well."""
        return POOL if self.labelled else None

    def training(
        self, network: str, folder: str, steps: int, seed: int, size: tuple[int, int] | None = None
    ) -> Standalone:
        """Return the training of a network, the result of which goes to a folder of the work's."""
        options = OPTIONS.get(network)
        if options is None:
            options = {"scale": 2.0, "weights": str(self.weights), "class_map": "cityscapes-camvid-wall"}
        return Standalone(
            self.dataset,
            self.folder / folder,
            network,
            steps,
            size or self.size,
            options,
            learning_rate=RATES[network],
            seed=seed,
            class_weighting="frequency",
            scale=(0.75, 1.5),
        )

    def file(self, name: str) -> Path:
        """Return the file of a job's report."""
        return self.folder / "jobs" / f"{name}.json"

    def report(self, name: str) -> dict[str, Any]:
        """Return the report of a job, once this or another process has written it.

        Raises
        ------
        ConfigurationError
            When none does within `PATIENCE` seconds.
        """
        if not self.file(name).exists():
            print(f"waiting for another process to finish {name} (if none does: --only {name})", flush=True)
        late = time.monotonic() + PATIENCE
        while not self.file(name).exists():
            if time.monotonic() > late:
                raise ConfigurationError(
                    f"{name} has no report in {self.folder} after {PATIENCE // 3600} hours, so no process is "
                    f"at it. Run --only {name}, then this again."
                )
            time.sleep(1)
        found: dict[str, Any] = json.loads(self.file(name).read_text(encoding="utf-8"))
        return found


FORMS: dict[str, Form] = {
    "distilled": "dist",
    "distilled-soft": "dist",
    "distilled-iou": "dist",
    "distilled-cwd": "cwd",
}
"""Those that do not learn by the KL divergence."""


def loss_of(network: str, mode: str = "distilled") -> DistillationLoss:
    """Return the loss of a student.

    ``distilled``, also ``-soft`` and ``-iou``: DIST, the best of benchmarks.distillation_losses;
    ``distilled-cwd``: channel-wise;
    ``distilled-thesis``: the thesis's, KL(student ‖ teachers) unweighted, at each pixel; the others:
    KL(teachers ‖ student), rare classes weighted up.
    """
    if mode in FORMS:
        form = FORMS[mode]
        return DistillationLoss(temperature_of(network, form), weight=USUAL_WEIGHTS[form], form=form)
    if mode == "distilled-thesis":
        return DistillationLoss(temperature_of(network), direction="student-teacher", stride=1)
    hard_weight = 0.0 if mode == "kl-only" else 1.0
    return DistillationLoss(temperature_of(network), class_weighted=True, hard_weight=hard_weight)


def weighting_of(mode: str) -> Weighting:
    """Return how teachers are weighed: the thesis's way beside its loss, and where just that is compared."""
    return "stacked" if mode in ("distilled", "distilled-soft", "distilled-cwd") else "iou"


def pseudo_of(mode: str) -> bool:
    """Tell whether images without labels get pseudo-labels."""
    return mode == "distilled"


def teach(work: Work, network: str) -> dict[str, Any]:
    """Train a teacher."""
    job = work.training(network, "teachers", work.teacher_steps[network], TEACHER_SEED)
    return train_alone(job, work.progress)


def study(work: Work, network: str, mode: str, seed: int) -> dict[str, Any]:
    """Train a student in one of `MODES`."""
    job = work.training(network, folder_of(mode), steps_of(work, network, mode), seed)
    if mode.startswith("alone"):
        return train_alone(job, work.progress)
    return distill(
        job,
        teachers_of(work),
        [],
        loss_of(network, mode),
        work.progress,
        unlabelled=work.unlabelled,
        weighting=weighting_of(mode),
        pseudo=pseudo_of(mode),
    )


WEIGHTINGS: dict[Weighting, str] = {"stacked": "teachers stacked on val", "iou": "teachers by IoU on train"}
"""What people call them."""


def words_of(loss: DistillationLoss | None) -> str:
    """Return what people call a loss; ``None``: that of the labels alone."""
    if loss is None:
        return "cross-entropy"
    between = "student ‖ teachers" if loss.direction == "student-teacher" else "teachers ‖ student"
    by = "pixel and class" if loss.reduction == "pixels-classes" else "pixel"
    weighted = ", class-weighted" if loss.class_weighted else ""
    names = {"kl": f"KL({between}) by {by}{weighted}", "cwd": "CWD", "dist": "DIST"}
    cells = f", cells of {loss.stride}" if loss.stride > 1 else ""
    soft = f"{loss.weight:g} · {names[loss.form]}, T {loss.temperature:g}{cells}"
    return f"cross-entropy + {soft}" if loss.hard_weight else soft


def lesson_of(network: str, mode: str, *, unlabelled: bool) -> str:
    """Return what people call what a student learns from in one of `MODES`."""
    if mode.startswith("alone"):
        return words_of(None)
    pseudo = ", pseudo-labels" if unlabelled and pseudo_of(mode) else ""
    return f"{words_of(loss_of(network, mode))}{pseudo}, {WEIGHTINGS[weighting_of(mode)]}"


def folder_of(mode: str) -> str:
    """Return the folder of a mode's students: those in one share their soft labels, of one temperature."""
    return "students-dist" if loss_of("icnet", mode).form != "kl" else "students"


def teachers_of(work: Work) -> list[str]:
    """Return the teachers as `controller.distill` wants them, once they are trained."""
    return [f"{name}={work.report(f'teacher-{name}')['folder']}" for name in TEACHERS]


def steps_of(work: Work, network: str, mode: str) -> int:
    """Return the steps that take as long as those of the student alone."""
    if mode == "alone":
        return work.steps
    seconds: dict[str, float] = work.report(f"step-{network}")
    if mode == "alone-longer":
        return round(work.steps + seconds["soft_labels"] / seconds["alone"])
    return round(work.steps * seconds["alone"] / seconds[way_of(loss_of(network, mode))])


def way_of(loss: DistillationLoss) -> str:
    """Return the name that the seconds of a step by this loss have: ``dist``, ``kl by pixel``."""
    return loss.form + (" by pixel" if loss.stride == 1 else "")


def step_seconds(work: Work, network: str, repeats: int = 5) -> dict[str, float]:
    """Return the seconds of a step alone and distilled, measured in turns, and of all soft labels."""
    steps = (
        60 if torch.cuda.is_available() else 5
    )  # enough for the first ones, which are slower, not to count
    job = work.training(network, folder_of("distilled"), steps, 0)
    material = read_material(job, work.unlabelled, work.progress)
    teachers = find_teachers(teachers_of(work), material.dataset)
    taught = ask_teachers(job, teachers, temperatures_of(teachers, [], "dist"), material, work.progress)
    module = NetworkSpec(network, len(material.dataset.classes), job.network_options).build()
    ways: dict[str, tuple[Sequence[LabelledImage], TrainingOptions]] = {
        "alone": (material.splits["train"], job.options()),
    }
    for mode in ("distilled", "distilled-cwd", "distilled-kl", "distilled-thesis"):
        # What the soft labels say does not change what a step takes; pseudo-labels, which all have here and
        # only some have later, hardly do.
        loss = loss_of(network, mode)
        ways[way_of(loss)] = (taught.images, job.options(loss))
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, (images, options) in ways.items():
            taken[name].append(train(module, images, options).seconds / steps)
    return {name: median(times) for name, times in taken.items()} | {"soft_labels": taught.seconds}


def few_labels(work: Work) -> Path:
    """Return a data set that links to the work's, but has labels of few images of train only.

    They are the initial set of the label efficiency experiments with seed 0; the other images of train are
    the split `POOL`.

    Raises
    ------
    ConfigurationError
        When the folder has links to another data set.
    """
    train = FolderDataset(work.dataset).split("train", require_labels=True)
    initial, pool = split_initial(train, work.labelled, 0)
    wanted = {f"train/images/{Path(sample.image).name}": sample.image for sample in initial}
    wanted |= {f"train/labels/{Path(str(sample.labels)).name}": str(sample.labels) for sample in initial}
    wanted |= {f"{POOL}/images/{Path(sample.image).name}": sample.image for sample in pool}
    wanted |= {name: str(work.dataset / name) for name in ("classes.json", "val", "test")}
    folder = work.folder / f"labelled-{work.labelled}"
    for name, target in wanted.items():
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # by another process, or an earlier one
            link.symlink_to(Path(target).resolve())
        if link.resolve() != Path(target).resolve():
            raise ConfigurationError(f"{link} is not {target}. Name another folder with --work.")
    return folder


def jobs(work: Work, seeds: Sequence[int]) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Yield names and what to do for them, the most wanted first."""
    for network in TEACHERS:
        yield f"teacher-{network}", partial(teach, work, network)
    for network in STUDENTS:
        yield f"step-{network}", partial(step_seconds, work, network)
    for network, seed in order(seeds):
        for mode in MODES[:4]:
            yield f"{network}-{mode}-s{seed}", partial(study, work, network, mode, seed)
    for network in STUDENTS:
        for mode in MODES[4:]:
            if mode != "distilled-soft" or work.unlabelled:  # else it is what distilled is
                yield f"{network}-{mode}-s{seeds[0]}", partial(study, work, network, mode, seeds[0])


def order(seeds: Sequence[int]) -> list[tuple[str, int]]:
    """Return students and seeds: ERFNet, the slowest, comes last."""
    quick = [(network, seed) for seed in seeds for network in STUDENTS if network != "erfnet"]
    return quick + [("erfnet", seed) for seed in seeds]


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the options that this module and the measuring of runtimes share."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--dataset", required=True, type=Path, help="data set folder")
    options.add_argument("--weights", required=True, type=Path, help="ESPNetv2's of Cityscapes, width 2.0")
    options.add_argument("--size", default="240x180", help="images are resized to this")
    options.add_argument("--steps", type=int, default=1200, help="of a student alone")
    names = ", ".join(TEACHERS)
    options.add_argument(
        "--teacher-steps", type=int, nargs=len(TEACHERS), default=list(TEACHERS.values()), help=f"of {names}"
    )
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--labelled", type=int, default=0, help="images of train with labels; 0: all")
    options.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves it alone")
    options.add_argument("--work", type=Path, default=Path(".cache/distillation"))
    return options


def work_of(arguments: argparse.Namespace) -> Work:
    """Return what the options describe.

    Raises
    ------
    ConfigurationError
        When the folder holds trainings with other settings.
    """
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    teacher_steps = dict(zip(TEACHERS, arguments.teacher_steps, strict=True))
    work = Work(
        arguments.dataset,
        arguments.work,
        size_of(arguments.size),
        arguments.weights,
        arguments.steps,
        teacher_steps,
        Progress(None),
        arguments.labelled,
    )
    check_settings(work)
    return replace(work, dataset=few_labels(work)) if work.labelled else work


def check_settings(work: Work) -> None:
    """Write down what all trainings of a folder share; refuse a folder of others."""
    file = work.folder / "settings.json"
    mine = {
        "size": list(work.size),
        "steps": work.steps,
        "teachers": work.teacher_steps,
        "rates": RATES,
        "labelled": work.labelled,
        "stride": loss_of("icnet").stride,
        "weighting": weighting_of("distilled"),
        "pseudo": pseudo_of("distilled"),
    }
    if not file.exists():
        write_json(file, mine)
    # Before these were settings.
    older = {"labelled": 0, "stride": 1, "weighting": "iou", "pseudo": False}
    theirs = older | json.loads(file.read_text(encoding="utf-8"))
    others = [name for name in mine if theirs.get(name) != mine[name]]
    if others:
        told = ", ".join(f"{name} {theirs.get(name)} there, {mine[name]} here" for name in others)
        raise ConfigurationError(
            f"{work.folder} holds trainings with other settings ({told}). Name another folder with --work."
        )


def main() -> None:
    """Do this process's share of the trainings."""
    options = parser(__doc__)
    options.add_argument("--part", default="0/1", help="which of how many processes this is: 0/2, 1/2")
    options.add_argument("--only", default="", help="only jobs whose name contains this")
    arguments = options.parse_args()
    work = work_of(arguments)
    part, parts = map(int, arguments.part.split("/"))
    for number, (name, perform) in enumerate(jobs(work, arguments.seeds)):
        mine = number % parts == part and arguments.only in name
        if mine and not work.file(name).exists():
            print(name, flush=True)
            write_json(work.file(name), perform())


if __name__ == "__main__":
    main()
