"""How fast the trained teachers, their ensemble and the students are (table 4.5), and the rows of chapter 4.

    python -m benchmarks.distillation_runtimes --dataset camvid --weights espnetv2_s_2.0_city_1024x512.pth

Takes what benchmarks.distillation has trained so far. All are timed in turns, from an image in memory to
its labels: every model in torch, those of the first seed in ONNX Runtime and OpenVINO too, in float32 and
bfloat16 where the runtime can; each of these is also measured on val and test. Writes
benchmarks/results/distillation.json (the rows) and distillation_details.json (IoU on train, the ranking of
regions in bfloat16, settings).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.distillation import (
    MODES,
    STUDENTS,
    TEACHERS,
    WEIGHTINGS,
    Work,
    lesson_of,
    loss_of,
    parser,
    words_of,
    work_of,
)
from benchmarks.jobs import RESULTS, cpu, processor
from controller.maps import Division, View
from controller.selection import budget_pixels
from controller.simulation.results import write_json
from controller.standalone import Images, measure, read_splits
from controller.strategies import build_strategy
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.device import prefers_bf16
from tenth.segmentation.distillation import Ensemble
from tenth.segmentation.distillation.teachers import EnsemblePredictor, describe
from tenth.segmentation.export import OnnxPredictor, OpenVinoPredictor, to_onnx
from tenth.segmentation.inference import ImagePredictor, Predictor
from tenth.workspace.exports import metadata_of
from tenth.workspace.models import LoadedModel, ModelStore

TORCH = "torch f32"
REGION_PIXELS = 40

Build = Callable[[LoadedModel, tuple[int, int]], ImagePredictor]


def _onnx(model: LoadedModel, size: tuple[int, int]) -> bytes:
    return to_onnx(model.network, metadata_of(model, (size[1], size[0])))


RUNTIMES: dict[str, Build] = {
    TORCH: lambda model, _: Predictor(model.network, "cpu"),
    "torch bf16": lambda model, _: Predictor(model.network, "cpu", "bf16"),
    "onnxruntime f32": lambda model, size: OnnxPredictor(_onnx(model, size)),
    "openvino f32": lambda model, size: OpenVinoPredictor(_onnx(model, size)),
    "openvino bf16": lambda model, size: OpenVinoPredictor(_onnx(model, size), precision="bf16"),
}
"""ONNX Runtime computes nothing but float32 on processors."""


@dataclass(frozen=True)
class Trained:
    """A row's model."""

    job: str
    network: str
    mode: str
    seed: int
    loss: str
    seconds: float
    figures: Mapping[str, Any]
    models: list[LoadedModel]
    steps: int | None = None
    ensemble: Ensemble | None = None

    @property
    def parameters(self) -> int:
        """Of all networks together."""
        return sum(each.numel() for model in self.models for each in model.network.parameters())

    def predictor(self, runtime: str, size: tuple[int, int]) -> ImagePredictor:
        """Return it at work."""
        if self.ensemble is None:
            return RUNTIMES[runtime](self.models[0], size)
        precision: Any = runtime.removeprefix("torch ")
        members = [Predictor(model.network, "cpu", precision) for model in self.models]
        return EnsemblePredictor(self.ensemble, members)

    def runtimes(self, first_seed: int) -> list[str]:
        """Return the runtimes that it is measured in; no bfloat16 where the processor only emulates it."""
        every = [TORCH, "torch bf16"] if self.ensemble is not None else list(RUNTIMES)
        wanted = self.job == f"{self.network}-distilled-s{first_seed}"
        if self.ensemble is None and not wanted:
            return [TORCH]
        native = prefers_bf16(torch.device("cpu"))
        return [name for name in every if native or not name.endswith("bf16")]


def trained(work: Work, seeds: list[int]) -> dict[str, Trained]:
    """Return what there is, by the name of its job."""
    found: dict[str, Trained] = {}
    for network in TEACHERS:
        _add(found, work, f"teacher-{network}", network, "teacher")
    for seed in seeds:
        for network in STUDENTS:
            for mode in MODES:
                _add(found, work, f"{network}-{mode}-s{seed}", network, mode)
    teachers = [found[f"teacher-{network}"] for network in TEACHERS]
    taught = [each.job for each in found.values() if each.mode == "distilled"]
    ensembles = [_ensemble(teachers, work.report(job)) for job in taught]
    return found | {each.job: each for each in ensembles}  # those of students taught alike are the same


def _add(found: dict[str, Trained], work: Work, name: str, network: str, mode: str) -> None:
    if not work.file(name).exists():
        return
    report = work.report(name)
    folder = Path(report["folder"])
    kind = mode if mode == "kl-only" else mode.partition("-")[0]
    seconds: float = report["train_seconds"] if "train_seconds" in report else report["seconds"]
    model = ModelStore(folder.parent).load(folder.name)
    figures = report["models"]["student"]["splits"] if "models" in report else report["splits"]
    words = (
        words_of(None)
        if mode == "teacher"
        else lesson_of(network, mode, unlabelled=work.unlabelled is not None)
    )
    identity = (name, network, kind, report["seed"], words)
    found[name] = Trained(*identity, seconds, figures, [model], report["iterations"])


def _ensemble(teachers: list[Trained], report: Mapping[str, Any]) -> Trained:
    known = [report["models"][teacher.network] for teacher in teachers]
    temperatures = [each["temperature"] for each in known]
    weights = np.array([each["weights"] for each in known], np.float64)
    together = Ensemble([teacher.network for teacher in teachers], temperatures, weights)
    shares = ", ".join(f"{each:.2f}" for each in weights.mean(1))
    words = (
        f"{WEIGHTINGS[report['weighting']]} ({shares}), T {', '.join(f'{each:g}' for each in temperatures)}"
    )
    return Trained(
        f"ensemble: {words}",
        "+".join(teacher.network for teacher in teachers),
        "ensemble",
        teachers[0].seed,
        words,
        sum(teacher.seconds for teacher in teachers),
        report["models"]["ensemble"]["splits"],
        [model for teacher in teachers for model in teacher.models],
        ensemble=together,
    )


def milliseconds(
    predictors: Mapping[tuple[str, str], ImagePredictor], image: NDArray[np.uint8], repeats: int, work: Work
) -> dict[tuple[str, str], float]:
    """Return the median milliseconds of an image, all predictors taking turns."""
    for predictor in predictors.values():
        predictor.labels(image)
    taken: dict[tuple[str, str], list[float]] = {name: [] for name in predictors}
    turns = [name for _ in range(repeats) for name in predictors]
    for name in work.progress.over(turns, len(turns), "Timing", "image"):
        start = perf_counter()
        predictors[name].labels(image)
        taken[name].append(perf_counter() - start)
    return {name: 1000 * median(times) for name, times in taken.items()}


def asked_alike(one: ImagePredictor, other: ImagePredictor, images: Images) -> dict[str, float]:
    """Return the share of the regions that both predictors would have asked, by strategy."""
    shares: dict[str, list[float]] = {"sp": [], "sp-crf": []}
    division = Division(size=REGION_PIXELS)
    for sample in images:
        picture, _ = sample.load()
        for name, found in shares.items():
            strategy = build_strategy(name, 0)
            regions = division.regions(strategy, picture)
            asked = [
                set(
                    strategy.select(
                        View(strategy, each, CRFOptions()).maps(picture, regions),  # type: ignore[arg-type]
                        budget_pixels(0.1, *picture.shape[:2]),
                    )
                )
                for each in (one, other)
            ]
            found.append(len(asked[0] & asked[1]) / len(asked[0]))
    return {name: float(np.mean(found)) for name, found in shares.items()}


def main() -> None:
    """Time, measure and write."""
    options = parser(__doc__)
    options.add_argument("--repeats", type=int, default=30)
    options.add_argument("--out", type=Path, default=RESULTS / "distillation.json")
    arguments = options.parse_args()
    work = work_of(arguments)
    models = trained(work, arguments.seeds)
    dataset = FolderDataset(work.dataset)
    job = work.training("icnet", "students", 1, 0)
    splits = read_splits(job, dataset, work.progress)
    measured = {name: splits[name] for name in ("val", "test")}
    predictors = {
        (name, runtime): model.predictor(runtime, work.size)
        for name, model in models.items()
        for runtime in model.runtimes(arguments.seeds[0])
    }
    taken = milliseconds(predictors, splits["test"][0].load()[0], arguments.repeats, work)
    about = {**about_runs(work, models, arguments.seeds), "classes": dataset.classes.names}
    rows: list[dict[str, Any]] = []
    details: list[dict[str, Any]] = []
    for (name, runtime), predictor in predictors.items():
        figures: Any = models[name].figures  # measured by torch in float32 when it was trained
        if runtime != TORCH:
            title = f"{name}, {runtime}"
            figures = describe(measure(predictor, measured, dataset, title, work.progress))
        rows.append(row_of(models[name], runtime, figures, taken[name, runtime]))
        classes = figures["val"]["class_iou"]
        steps = models[name].steps
        details.append({"job": name, "runtime": runtime, "steps": steps, "class_iou_val": classes})
        if runtime.endswith("bf16"):
            exact = predictors[name, runtime.replace("bf16", "f32")]
            details[-1]["asked_alike"] = asked_alike(exact, predictor, splits["val"])
        write(arguments.out, rows, details, about)
    print(f"{len(rows)} rows in {arguments.out}")


def write(
    out: Path, rows: list[dict[str, Any]], details: list[dict[str, Any]], about: dict[str, Any]
) -> None:
    """Write what has been measured so far, and what belongs to it."""
    write_json(out, {"runs": rows})
    write_json(out.with_name(f"{out.stem}_details.json"), {"about": about, "runs": details})


def row_of(model: Trained, runtime: str, figures: Mapping[str, Any], taken: float) -> dict[str, Any]:
    """Return a row of distillation.json."""
    return {
        "network": model.network,
        "mode": model.mode,
        "seed": model.seed,
        "loss": model.loss,
        "miou_val": figures["val"]["miou"],
        "miou_test": figures["test"]["miou"],
        "class_iou_test": figures["test"]["class_iou"],
        "train_seconds": model.seconds,
        "parameters": model.parameters,
        "ms_per_image": taken,
        "runtime": runtime,
    }


def about_runs(work: Work, models: Mapping[str, Trained], seeds: list[int]) -> dict[str, Any]:
    """Return what a reader needs to repeat the runs, and what is known of train."""
    known = [network for network in STUDENTS if work.file(f"step-{network}").exists()]
    steps = {network: work.report(f"step-{network}") for network in known}
    first = next((name for name, model in models.items() if model.mode == "distilled"), None)
    report: dict[str, Any] = work.report(first) if first else {"models": {}}
    return {
        "command": f"python -m benchmarks.distillation --dataset DIR --weights FILE --size {work.size[0]}x"
        f"{work.size[1]} --steps {work.steps} --teacher-steps "
        f"{' '.join(map(str, work.teacher_steps.values()))} --seeds {' '.join(map(str, seeds))}"
        f"{f' --labelled {work.labelled}' if work.labelled else ''}",
        "hardware": f"{processor()}, {torch.get_num_threads()} thread(s)",
        "timed_on": f"{cpu()}, {torch.get_num_threads()} thread(s)",
        "torch": torch.__version__,
        "steps": work.steps,
        "teachers": work.teacher_steps,
        "step_seconds": steps,
        "images": report.get("images"),
        "weighting": report.get("weighting"),
        "pseudo_labels": report.get("pseudo_labels"),
        "soft_label_seconds": report.get("soft_label_seconds"),
        "train": {name: model["splits"].get("train") for name, model in report["models"].items()},
        "loss": asdict(loss_of("icnet")),
    }


if __name__ == "__main__":
    main()
