"""Jobs of the experiments: learning curves that are done once, by any number of processes, and collected."""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import platform
import signal
import subprocess
import traceback
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import cv2
import torch

from benchmarks.results_page.rows import BASELINE, BOUND, BOUND_ALIKE, BOUNDS, LEARNED_ALIKE, RUN, SIZES
from controller.simulation.compare import Comparison
from controller.simulation.recipes import OURS, recipe_of
from controller.simulation.results import relative, write_json
from controller.simulation.settings import Recipe, Run, Simulation, digest
from controller.simulation.shelf import Shelf
from tenth.errors import ConfigurationError
from tenth.progress import SILENT, Progress

RESULTS = Path(__file__).parent / "results"

CIRCUMSTANCES = ("command", "hardware", "commit", "torch", "earlier")
"""What the settings of two machines may differ in."""

Curve = list[tuple[dict[str, Any], dict[str, Any]]]
"""Rows and details of one run, round by round."""


@dataclass(frozen=True)
class Job:
    """A learning curve, or the two bounds of a seed (no run)."""

    stage: int
    simulation: Simulation
    seed: int
    run: Run | None = None

    @property
    def label(self) -> str:
        """What people call it, for `--only`."""
        sizes = self.simulation
        where = f"seed {self.seed}, {sizes.initial} images at first"
        if self.run is None:
            return f"bounds {where}"
        run = self.run
        how = f"{run.annotator}, {sizes.groups} groups, regions of {sizes.region_size}"
        return f"{run.name or run.strategy} {where}, budget {run.budget:g} {how}"

    @property
    def name(self) -> str:
        """Name of the file of its results."""
        bound = self.simulation.identity(of="bound")
        if self.run is None:
            return f"bounds-{digest(bound, self.seed)}"
        settings = bound if self.run.strategy == BOUND else self.simulation.identity()
        return f"{self.run.strategy}-{digest(settings, self.run.identity())}"


def job(
    stage: int,
    simulation: Simulation,
    strategy: str,
    seed: int,
    recipe: Recipe | None = None,
    *,
    budget: float = 0.1,
    annotator: Any = "dominant",
    name: str = "",
    options: dict[str, Any] | None = None,
    dropout: bool = False,
) -> Job:
    """Return the job of one curve; MC dropout needs a network that has `dropout`, others can have one."""
    if dropout or strategy.startswith("mc-dropout"):
        changed = {**simulation.network_options, "dropout": 0.2}
        simulation = replace(simulation, network_options=changed)
    run = Run(strategy, seed, budget, annotator, recipe or recipe_of(strategy), options or {}, name)
    return Job(stage, simulation, seed, run)


def learned_alike(
    stage: int, simulation: Simulation, strategy: str, seed: int, *, budget: float = 0.1
) -> Job:
    """Return the job of a strategy from whose answers is learned what `tenth` learns from its own."""
    name = f"{strategy} {LEARNED_ALIKE}"
    return job(stage, simulation, strategy, seed, OURS, budget=budget, name=name)


def full_labels_alike(stage: int, simulation: Simulation, seed: int) -> Job:
    """Return the job of training on all labels as `tenth` trains on its answers."""
    return Job(stage, simulation, seed, Run(BOUND, seed, 1.0, "exact", OURS, name=BOUND_ALIKE))


SHELF = Shelf()
"""Images and superpixels of this process; a data set's files do not change while experiments run."""


def perform(job: Job, work: Path, progress: Progress) -> None:
    """Do one job; what it has done before is not done again."""
    out = work / "jobs" / f"{job.name}.json"
    comparison = Comparison(
        job.simulation, out, resume=True, bounds=False, work=work, progress=progress, shelf=SHELF
    )
    if job.run is None:
        comparison.add_bounds(job.seed)
    elif job.run.strategy == BOUND:
        comparison.add_full_labels(job.run)
    else:
        comparison.perform([job.run])


def collect(jobs: Iterable[Job], work: Path, about: dict[str, Any], out: Path) -> int:
    """Write the rows of all jobs that have any, with the bounds of their seed; return their number.

    What full labels reach is that of the two trainings which is better on val. Runs that `out` has of another
    machine stay there.

    Raises
    ------
    ConfigurationError
        When `out` has runs with other settings, or runs of one name learned in different ways; it stays as
        it is.
    """
    found: list[Curve] = []
    for each in jobs:
        path = work / "jobs" / f"{each.name}.json"
        if path.exists():
            found += [_with_dropout(curve, each.simulation) for curve in curves(path)]
    earlier, abouts = published(out, about)
    done = {curve_key(each): len(each) for each in found}
    # A curve that has only begun here does not replace a longer one.
    kept = [each for each in earlier if done.get(curve_key(each), 0) < len(each)]
    stay = {curve_key(each) for each in kept}
    every = [*(each for each in found if curve_key(each) not in stay), *kept]
    _require_one_recipe(detail for each in every for _, detail in each)
    pairs = [pair for each in every for pair in each]
    ends = {(_setting(detail), row["strategy"]): row for row, detail in pairs if row["strategy"] in BOUNDS}
    rows = []
    for row, detail in pairs:
        plain, alike, least = (ends.get((_setting(detail), name)) for name in (BOUND, BOUND_ALIKE, BASELINE))
        most = max((each for each in (plain, alike) if each), key=itemgetter("miou_val"), default=None)
        row |= {
            "initial_miou_test": None if least is None else least["miou_test"],
            "full_label_miou_test": None if most is None else most["miou_test"],
        }
        rows.append(row | relative(row))
    details = [detail for each in every for _, detail in each]
    if kept and abouts:
        about = about | {"earlier": abouts}
    write_json(out, {"runs": rows})
    write_json(out.with_name(f"{out.stem}_details.json"), {"about": about, "runs": details})
    return len(rows)


def _with_dropout(curve: Curve, simulation: Simulation) -> Curve:
    """Say which network the curve is of: one with dropout has no bounds of another's."""
    dropout = simulation.network_options.get("dropout")
    return curve if dropout is None else [(row, detail | {"dropout": dropout}) for row, detail in curve]


def _setting(detail: Mapping[str, Any]) -> tuple[Any, ...]:
    return detail["initial_share"], detail["seed"], detail.get("dropout")


def _require_one_recipe(details: Iterable[Mapping[str, Any]]) -> None:
    """Refuse runs of one name, some of which learned otherwise than the others, or had other options."""
    known: dict[tuple[Any, ...], str] = {}
    for detail in details:
        name = tuple(detail[each] for each in ("strategy", "annotator", "budget", "initial_share"))
        # Older runs lack what could not be chosen then.
        recipe = asdict(Recipe(**detail.get("recipe", {})))
        own = json.dumps([recipe, detail.get("strategy_options", {})], sort_keys=True)
        if known.setdefault(name, own) != own:
            raise ConfigurationError(
                f"There are runs of {name} that differ in their recipe or options: {known[name]} and {own}. "
                "Give one of them a name that says how it differs."
            )


def curve_key(curve: Curve) -> tuple[Any, ...]:
    """Return what tells a run from all others."""
    detail = curve[0][1]
    sizes = () if detail["strategy"] in BOUNDS else SIZES
    return tuple(detail[name] for name in (*RUN, *sizes) if name != "round")


def curves(path: Path) -> list[Curve]:
    """Return the runs in a file of rows and the file of details beside it."""
    texts = (each.read_text(encoding="utf-8") for each in (path, path.with_name(f"{path.stem}_details.json")))
    rows, details = (json.loads(text)["runs"] for text in texts)
    found: dict[tuple[Any, ...], Curve] = {}
    for pair in zip(rows, details, strict=True):
        found.setdefault(curve_key([pair]), []).append(pair)
    return list(found.values())


def published(out: Path, about: Mapping[str, Any]) -> tuple[list[Curve], list[dict[str, Any]]]:
    """Return the runs that are in `out` already, and where they come from.

    Raises
    ------
    ConfigurationError
        When they have other settings, and so do not belong into one file with those to come.
    """
    beside = out.with_name(f"{out.stem}_details.json")
    if not out.exists() or not beside.exists():
        return [], []
    theirs = json.loads(beside.read_text(encoding="utf-8"))["about"]
    mine = json.loads(json.dumps(about))
    others = [name for name in mine if name not in CIRCUMSTANCES and theirs.get(name) != mine[name]]
    if others:
        differences = ", ".join(f"{name} {theirs.get(name)} there, {mine[name]} here" for name in others)
        raise ConfigurationError(
            f"{out} holds runs with other settings ({differences}). Name another file with --out, or take "
            "that one away."
        )
    origin = {name: theirs[name] for name in ("commit", "hardware") if name in theirs}
    here = {name: mine.get(name) for name in origin}
    before = [each for each in (*theirs.get("earlier", []), origin) if each != here]
    return curves(out), list({json.dumps(each): each for each in before}.values())


def about(module: str, arguments: argparse.Namespace, simulation: Simulation) -> dict[str, Any]:
    """Return what a reader needs to repeat the runs."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    settings = asdict(simulation) | {"dataset": Path(simulation.dataset).name}
    of_first = f"--initial-steps {arguments.initial_steps} " if "initial_steps" in arguments else ""
    return {
        "command": f"python -m {module} --dataset DIR --size {arguments.size} "
        f"--region-size {arguments.region_size} {of_first}"
        f"--round-steps {arguments.round_steps} --seeds {' '.join(map(str, arguments.seeds))}",
        "hardware": f"{processor()}, {arguments.threads or torch.get_num_threads()} thread(s)"
        + (f" in each of {arguments.processes} processes" if arguments.processes > 1 else ""),
        "commit": commit.stdout.strip(),
        "torch": torch.__version__,
        **settings,
    }


def processor() -> str:
    """Return what networks are trained on, by its name where the system tells one."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else cpu()


def cpu() -> str:
    """Return the processor, by its name where the system tells one."""
    with contextlib.suppress(OSError):  # not Linux
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return f"CPU {line.partition(':')[2].strip()}"
    return f"{platform.machine()} CPU"


def parser(
    description: str | None, name: str, round_steps: int, stages: str, *, initial_steps: int = 0
) -> argparse.ArgumentParser:
    """Return the options that all experiments share.

    Parameters
    ----------
    description : str or None
        The module's docstring.
    name : str
        Of the results and of the folder of the jobs.
    round_steps : int
        Training steps of a round.
    stages : str
        What ``--stage`` says.
    initial_steps : int, optional
        Those of the model that asks first; 0: nothing is trained before the first round.
    """
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--dataset", required=True, help="data set folder")
    options.add_argument("--size", default="240x180", help="images are resized to this")
    options.add_argument("--region-size", type=int, default=40, help="mean pixels of a superpixel")
    if initial_steps:
        options.add_argument(
            "--initial-steps", type=int, default=initial_steps, help="of the model that asks first"
        )
    options.add_argument("--round-steps", type=int, default=round_steps, help="of a round, on average")
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--stage", type=int, default=9, help=stages)
    options.add_argument("--part", default="0/1", help="which of how many processes this is: 0/2, 1/2")
    options.add_argument("--only", default="", help="only jobs whose label contains this: 'sp-crf seed 1'")
    options.add_argument("--processes", type=int, default=1, help="that do jobs at the same time")
    options.add_argument("--threads", type=int, default=0, help="of torch in each; 0 leaves it alone")
    options.add_argument("--work", type=Path, default=Path(".cache") / name)
    options.add_argument("--out", type=Path, default=RESULTS / f"{name}.json")
    options.add_argument("--collect", action="store_true", help="only write what is done")
    return options


def size_of(text: str) -> tuple[int, int]:
    """Return width and height of a text such as ``240x180``."""
    width, height = map(int, text.split("x"))
    return width, height


def icnet(arguments: argparse.Namespace) -> Simulation:
    """Return what all runs of ICNet on EfficientNet-Lite0 with ImageNet weights share."""
    return Simulation(
        dataset=arguments.dataset,
        size=size_of(arguments.size),
        network_options={"encoder": "efficientnet-lite0", "weights": "imagenet"},
        region_size=arguments.region_size,
        initial_steps=arguments.initial_steps,
        round_steps=arguments.round_steps,
    )


def run_jobs(jobs: Iterable[Job], arguments: argparse.Namespace, description: dict[str, Any]) -> None:
    """Do this process's share of the jobs up to ``--stage``, then collect what all have done.

    Raises
    ------
    Exception
        What a job has raised: at once, or with several processes what the first has, after all others.
    """
    published(arguments.out, description)  # no hours of work for a file that cannot take them
    # Some are part of several comparisons.
    wanted = list({each.name: each for each in jobs if each.stage <= arguments.stage}.values())
    part, parts = map(int, arguments.part.split("/"))
    mine = [
        each
        for number, each in enumerate(wanted)
        if number % parts == part and arguments.only in each.label and not arguments.collect
    ]
    try:
        if arguments.processes > 1:
            perform_beside(mine, arguments)
        else:
            _use(arguments.threads)
            for number, each in enumerate(mine, 1):
                print(f"job {number} of {len(mine)}: {each.label}", flush=True)
                perform(each, arguments.work, Progress(None))
    finally:
        rows = collect(wanted, arguments.work, description, arguments.out)
        print(f"{rows} rows in {arguments.out}")


def perform_beside(jobs: Sequence[Job], arguments: argparse.Namespace) -> None:
    """Do jobs in several processes, each of which takes the next one when it is free."""
    # A process that forked could not use a GPU.
    context, count = multiprocessing.get_context("spawn"), arguments.processes
    with ProcessPoolExecutor(count, context, initializer=_begin, initargs=(arguments.threads,)) as pool:
        running = {pool.submit(perform, each, arguments.work, SILENT): each for each in jobs}
        failed = []
        for number, future in enumerate(as_completed(running), 1):
            error = future.exception()
            print(f"{number} of {len(jobs)}: {running[future].label}: {error or 'done'}", flush=True)
            if error:
                traceback.print_exception(error)
                failed.append(error)
    if failed:
        raise failed[0]


def _begin(threads: int) -> None:
    """Begin a process of several: Ctrl-C ends it at once, whatever jobs wait; what it did goes on later."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _use(threads)


def _use(threads: int) -> None:
    """Compute with so many threads in this process; 0: as many as torch likes."""
    if threads:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
