"""Which loss students learn soft labels by: short trainings on a quarter of the pixels, measured on val.

    python -m benchmarks.distillation_losses --dataset camvid --weights espnetv2_s_2.0_city_1024x512.pth

The teachers are those of benchmarks.distillation, which have to be trained, and look at the images at its
size; a student's pixel gets the mean of what they say about the pixels that it covers. Rows that the result
file has already are not measured again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812

from benchmarks.distillation import Work, parser, teachers_of, words_of, work_of
from benchmarks.jobs import RESULTS, processor, size_of
from controller.find_teacher import find_teachers, temperatures_of
from controller.material import read_material
from controller.simulation.results import write_json
from controller.soft_labels import ask_teachers
from controller.standalone import Images, fit, measure, read_splits
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.distillation import DistillationLoss
from tenth.segmentation.distillation.teachers import TaughtImage, temperature_of
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec

STEPS = {"icnet": 500, "enet": 600}


def tried() -> Iterator[tuple[str, int, DistillationLoss | None]]:
    """Yield networks, seeds and losses; ``None`` is the cross-entropy alone."""
    at_each_pixel = partial(DistillationLoss, stride=1)
    plain_kl = partial(at_each_pixel, 1.0, 1.0, reduction="pixels", class_weighted=True)
    for network in STEPS:
        yield network, 0, None
        yield network, 0, at_each_pixel(temperature_of(network), class_weighted=True)
        yield network, 0, plain_kl()
        yield network, 0, plain_kl(hard_weight=0.0)
        yield network, 0, at_each_pixel(1.0, 3.0, "cwd")
        yield network, 0, at_each_pixel(1.0, 10.0, "cwd")
        yield network, 0, at_each_pixel(1.0, 1.0, "dist")
        yield network, 0, at_each_pixel(1.0, 3.0, "dist")
    yield "icnet", 0, at_each_pixel(4.0, 3.0, "cwd")
    yield "icnet", 1, None
    yield "icnet", 1, plain_kl()
    yield "icnet", 1, at_each_pixel(1.0, 3.0, "cwd")
    yield "icnet", 1, at_each_pixel(1.0, 1.0, "dist")


@dataclass(frozen=True)
class Averaged:
    """Soft labels of smaller images."""

    labels: dict[str, NDArray[np.float32]]

    def read(self, key: str) -> NDArray[np.float32]:
        """Return an image's soft labels, (C, h, w) float32."""
        return self.labels[key]


class Taught:
    """What the teachers say about the images of train, by whether they are softened.

    Parameters
    ----------
    work : Work
        Of benchmarks.distillation.
    size : tuple of int
        Width and height of the students' images.
    """

    def __init__(self, work: Work, size: tuple[int, int]) -> None:
        self.work = work
        self.size = size
        self._known: dict[bool, Averaged] = {}

    def images(self, images: Images, *, softened: bool) -> list[TaughtImage]:
        """Return the images with soft labels."""
        if softened not in self._known:
            self._known[softened] = self._averaged(softened)
        return [TaughtImage(image, self._known[softened]) for image in images]

    def _averaged(self, softened: bool) -> Averaged:
        folder = "students" if softened else "students-dist"  # those of benchmarks.distillation
        job = self.work.training("icnet", folder, 1, 0)
        material = read_material(job, None, self.work.progress)
        teachers = find_teachers(teachers_of(self.work), material.dataset)
        temperatures = temperatures_of(teachers, [], "kl" if softened else "dist")
        # As the thesis weighs them, and as they were when these losses were first compared.
        taught = ask_teachers(job, teachers, temperatures, material, self.work.progress, "iou")
        width, height = self.size
        return Averaged({image.key: _area_mean(image.load_soft(), height, width) for image in taught.images})


def _area_mean(soft: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    mean = F.adaptive_avg_pool2d(torch.from_numpy(soft.copy())[None], (height, width))[0].numpy()
    # Half of the memory, and exact enough for what is trained on here.
    return mean.astype(np.float16).astype(np.float32)


def miou_on_val(work: Work, taught: Taught, network: str, seed: int, loss: DistillationLoss | None) -> float:
    """Train a student and return its mIoU on val."""
    job = work.training(network, "losses", STEPS[network], seed, taught.size)
    dataset = FolderDataset(job.dataset)
    splits = read_splits(job, dataset, work.progress)
    images: Sequence[Any] = splits["train"]
    if loss is not None:
        images = taught.images(splits["train"], softened=loss.temperature > 1)
    job.out.mkdir(parents=True, exist_ok=True)
    spec = NetworkSpec(network, len(dataset.classes), job.network_options)
    module, _, checkpoint = fit(job, spec, images, job.options(loss), work.progress)
    found = measure(Predictor(module, job.device), {"val": splits["val"]}, dataset, network, work.progress)
    checkpoint.unlink(missing_ok=True)
    return float(found["val"].miou)


def main() -> None:
    """Measure what has not been measured."""
    options = parser(__doc__)
    options.add_argument("--student-size", default="120x90", help="images of the students")
    options.add_argument("--out", type=Path, default=RESULTS / "distillation_losses.json")
    arguments = options.parse_args()
    work = work_of(arguments)
    taught = Taught(work, size_of(arguments.student_size))
    document = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else {}
    known = document.get("rows", [])
    about = {
        **{name: text for name, text in document.get("about", {}).items() if name == "origin"},
        "command": "python -m benchmarks.distillation_losses --dataset DIR --weights FILE",
        "size": arguments.student_size,
        "teachers": work.teacher_steps,
        "hardware": f"{processor()}, {torch.get_num_threads()} thread(s)",
        "torch": torch.__version__,
    }
    rows: list[dict[str, Any]] = []
    for network, seed, loss in tried():
        row: dict[str, Any] = {
            "network": network,
            "steps": STEPS[network],
            "seed": seed,
            "loss": words_of(loss),
        }
        before = [each for each in known if row.items() <= each.items()]
        score = before[0]["miou_val"] if before else miou_on_val(work, taught, network, seed, loss)
        rows.append({**row, "miou_val": score})
        write_json(arguments.out, {"about": about, "rows": rows})


if __name__ == "__main__":
    main()
