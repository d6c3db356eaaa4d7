"""What each strategy buys, on a real data set: all runs behind docs/results.md.

    python -m benchmarks.label_efficiency --dataset camvid --size 240x180 --stage 1

Each run is a job of its own; jobs that are done are not done again, so a killed call is repeated. Several
processes share the work: ``--part 0/2`` and ``--part 1/2``. ``--collect`` alone writes what the jobs have so
far into benchmarks/results/label_efficiency.json and label_efficiency_details.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from controller.simulation.compare import Comparison
from controller.simulation.recipes import ANSWERS, OURS, THESIS, recipe_of
from controller.simulation.results import relative, write_json
from controller.simulation.settings import Recipe, Run, Simulation, digest
from tenth.progress import Progress

MODULE = "benchmarks.label_efficiency"
RESULTS = Path(__file__).parent / "results"
ALL = (
    "random-pixels",
    "image",
    "entropy",
    "entropy-edge",
    "margin",
    "least-confident",
    "mc-dropout",
    "mc-dropout-bald",
    "committee",
    "sp",
    "sp-crf-class-share",
)
SWITCHED_OFF: dict[str, Any] = {
    "flip": {"flip": False},
    "purity": {"purity": 0.0},
    "balance": {"balance": 0.0},
    "spread": {"spread": 0.0},
    "duplicates": {"duplicates": 0.0},
}


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


def plan(base: Simulation, seeds: tuple[int, ...]) -> Iterator[Job]:
    """Yield all jobs, the most wanted first."""
    first, *others = seeds
    yield from steps_of_table_1(1, base, first)
    yield from answers_only(1, base, first)
    for place, seed in enumerate(others):
        yield from steps_of_table_1(2, base, seed)
        yield from answers_only(2, base, seed)
        if place == 0:
            yield from ablation(2, base, first)
    for seed in others:
        yield from ablation(3, base, seed)
    for seed in seeds:
        yield from everything_else(base, seed)


def steps_of_table_1(stage: int, base: Simulation, seed: int) -> Iterator[Job]:
    """Yield the bounds and the strategies that are told apart first."""
    yield Job(stage, base, seed)
    for strategy in ("tenth", "random-regions", "sp-crf"):
        yield job(stage, base, strategy, seed)


def answers_only(stage: int, base: Simulation, seed: int) -> Iterator[Job]:
    """Yield what strategies are worth without pseudo-labels, and the class-specific one."""
    for strategy in ("sp-crf", "random-regions"):
        yield job(stage, base, strategy, seed, ANSWERS, name=f"{strategy} (answers only)")
    yield job(stage, base, "sp-crf-class", seed)


def everything_else(base: Simulation, seed: int) -> Iterator[Job]:
    """Yield budgets, all other strategies, exact answers, region and group sizes, and a larger P."""
    for strategy in ("tenth", "sp-crf"):
        for budget in (0.05, 0.2, 0.3, 0.4):
            yield job(3, base, strategy, seed, budget=budget)
    for strategy in ALL:
        yield job(3, base, strategy, seed)
    for strategy in ("tenth", "sp-crf", "random-regions"):
        yield job(3, base, strategy, seed, annotator="exact")
    for strategy in ("sp-crf", "tenth"):
        yield job(3, replace(base, region_size=4 * base.region_size), strategy, seed)
        half = replace(base, groups=2 * base.groups, group_size=-(-base.group_size // 2))
        yield job(3, replace(half, round_steps=base.round_steps // 2), strategy, seed)
    yield job(3, base, "sp-crf", seed, replace(THESIS, propagate=True), name="sp-crf (propagated)")
    yield from forty_percent(base, seed)


def ablation(stage: int, base: Simulation, seed: int) -> Iterator[Job]:
    """Yield `tenth` without each of its ingredients, and with what was left out of it."""
    learning = {
        "tenth with mean teacher": replace(OURS, consistency=0.2),
        "tenth with soft pseudo-labels": replace(OURS, min_confidence=0.0, soft=True),
        "tenth without sieve": replace(OURS, sieve=False),
        "tenth with ClassMix": replace(OURS, consistency=0.2, mix="classmix", unlabelled=True),
        "tenth with pseudo-labels": replace(OURS, min_confidence=0.0),
    }
    for name, recipe in learning.items():
        yield job(stage, base, "tenth", seed, recipe, name=name)
    for name, options in SWITCHED_OFF.items():
        yield job(stage, base, "tenth", seed, name=f"tenth without {name}", options=options)


def forty_percent(base: Simulation, seed: int) -> Iterator[Job]:
    """Yield the thesis's share of P in Cityscapes."""
    larger = replace(base, initial=147, group_size=37)
    yield Job(3, larger, seed)
    for strategy in ("random-regions", "sp-crf", "tenth"):
        yield job(3, larger, strategy, seed)


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


def collect(jobs: list[Job], work: Path, about: dict[str, Any], out: Path) -> int:
    """Write the rows of all jobs that have any, with the bounds of their seed; return their number."""
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


def about(arguments: argparse.Namespace, simulation: Simulation, module: str) -> dict[str, Any]:
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


def main() -> None:
    """Run the jobs of a stage, then collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", required=True, help="data set folder")
    parser.add_argument("--size", default="240x180", help="images are resized to this")
    parser.add_argument("--region-size", type=int, default=40, help="mean pixels of a superpixel")
    parser.add_argument("--initial-steps", type=int, default=600)
    parser.add_argument("--round-steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--stage", type=int, default=3, help="1: preliminary, 2: its other seeds, 3: all")
    parser.add_argument("--part", default="0/1", help="which of how many processes this is: 0/2, 1/2")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves it alone")
    parser.add_argument("--work", type=Path, default=Path(".cache/label_efficiency"))
    parser.add_argument("--out", type=Path, default=RESULTS / "label_efficiency.json")
    parser.add_argument("--collect", action="store_true", help="only write what is done")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    width, height = map(int, arguments.size.split("x"))
    base = Simulation(
        dataset=arguments.dataset,
        size=(width, height),
        network_options={"encoder": "efficientnet-lite0", "weights": "imagenet"},
        region_size=arguments.region_size,
        initial_steps=arguments.initial_steps,
        round_steps=arguments.round_steps,
    )
    jobs = [each for each in plan(base, tuple(arguments.seeds)) if each.stage <= arguments.stage]
    part, parts = map(int, arguments.part.split("/"))
    if not arguments.collect:
        for number, each in enumerate(jobs):
            if number % parts == part:
                print(f"job {number + 1} of {len(jobs)}: {each.name}", flush=True)
                perform(each, arguments.work, Progress(None))
    rows = collect(jobs, arguments.work, about(arguments, base, MODULE), arguments.out)
    print(f"{rows} rows in {arguments.out}")


if __name__ == "__main__":
    main()
