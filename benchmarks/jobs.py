"""Jobs of the experiments: learning curves that are done once, by any number of processes, and collected."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from controller.simulation.compare import Comparison
from controller.simulation.recipes import recipe_of
from controller.simulation.results import relative, write_json
from controller.simulation.settings import Recipe, Run, Simulation, digest
from tenth.progress import Progress

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Job:
    """A learning curve, or the two bounds of a seed (no run)."""

    stage: int
    simulation: Simulation
    seed: int
    run: Run | None = None

    @property
    def name(self) -> str:
        """Name of the file of its results."""
        if self.run is None:
            return f"bounds-{digest(self.simulation.identity(of='bound'), self.seed)}"
        return f"{self.run.strategy}-{digest(self.simulation.identity(), asdict(self.run))}"


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
) -> Job:
    """Return the job of one curve."""
    if strategy.startswith("mc-dropout"):
        changed = {**simulation.network_options, "dropout": 0.2}
        simulation = replace(simulation, network_options=changed)
    run = Run(strategy, seed, budget, annotator, recipe or recipe_of(strategy), options or {}, name)
    return Job(stage, simulation, seed, run)


def perform(job: Job, work: Path, progress: Progress) -> None:
    """Do one job; what it has done before is not done again."""
    out = work / "jobs" / f"{job.name}.json"
    comparison = Comparison(job.simulation, out, resume=True, bounds=False, work=work, progress=progress)
    if job.run is not None:
        comparison.perform([job.run])
    else:
        comparison.add_bounds(job.seed)


def collect(jobs: Iterable[Job], work: Path, about: dict[str, Any], out: Path) -> int:
    """Write the rows of all jobs that have any, with the bounds of their seed; return their number."""
    jobs = list(jobs)
    rows: list[dict[str, Any]] = []
    details: list[dict[str, Any]] = []
    ends: dict[tuple[str, int], dict[str, float]] = {}
    for each in jobs:
        path = work / "jobs" / f"{each.name}.json"
        if each.run is None and path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))["runs"]
            ends[bound_of(each)] = {row["strategy"]: row["miou_test"] for row in found}
    for each in jobs:
        path = work / "jobs" / f"{each.name}.json"
        if not path.exists():
            continue
        end = ends.get(bound_of(each), {})
        for row in json.loads(path.read_text(encoding="utf-8"))["runs"]:
            row["initial_miou_test"] = end.get("initial-labels")
            row["full_label_miou_test"] = end.get("full-labels")
            rows.append(row | relative(row))
        detail_path = path.with_name(f"{path.stem}_details.json")
        details += json.loads(detail_path.read_text(encoding="utf-8"))["runs"]
    write_json(out, {"runs": rows})
    write_json(out.with_name(f"{out.stem}_details.json"), {"about": about, "runs": details})
    return len(rows)


def bound_of(job: Job) -> tuple[str, int]:
    """Return what the bounds of a job are known by: those of the same initial set and steps."""
    simulation = job.simulation
    return f"{simulation.initial}/{simulation.all_steps}", job.seed


def about(module: str, arguments: argparse.Namespace, simulation: Simulation) -> dict[str, Any]:
    """Return what a reader needs to repeat the runs."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} CPU"
    settings = asdict(simulation) | {"dataset": Path(simulation.dataset).name}
    return {
        "command": f"python -m {module} --dataset DIR --size {arguments.size} "
        f"--round-steps {arguments.round_steps} --seeds {' '.join(map(str, arguments.seeds))}",
        "hardware": f"{device}, {torch.get_num_threads()} thread(s)",
        "commit": commit.stdout.strip(),
        "torch": torch.__version__,
        **settings,
    }


def parser(description: str | None, name: str, round_steps: int, stages: str) -> argparse.ArgumentParser:
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
    """
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--dataset", required=True, help="data set folder")
    options.add_argument("--size", default="240x180", help="images are resized to this")
    options.add_argument("--region-size", type=int, default=40, help="mean pixels of a superpixel")
    options.add_argument("--round-steps", type=int, default=round_steps)
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--stage", type=int, default=9, help=stages)
    options.add_argument("--part", default="0/1", help="which of how many processes this is: 0/2, 1/2")
    options.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves it alone")
    options.add_argument("--work", type=Path, default=Path(".cache") / name)
    options.add_argument("--out", type=Path, default=RESULTS / f"{name}.json")
    options.add_argument("--collect", action="store_true", help="only write what is done")
    return options


def size_of(arguments: argparse.Namespace) -> tuple[int, int]:
    """Return width and height of ``--size``."""
    width, height = map(int, arguments.size.split("x"))
    return width, height


def run_jobs(jobs: Iterable[Job], arguments: argparse.Namespace, description: dict[str, Any]) -> None:
    """Do this process's share of the jobs up to ``--stage``, then collect what all have done."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    wanted = [each for each in jobs if each.stage <= arguments.stage]
    part, parts = map(int, arguments.part.split("/"))
    for number, each in enumerate(wanted):
        if number % parts == part and not arguments.collect:
            print(f"job {number + 1} of {len(wanted)}: {each.name}", flush=True)
            perform(each, arguments.work, Progress(None))
    rows = collect(wanted, arguments.work, description, arguments.out)
    print(f"{rows} rows in {arguments.out}")
