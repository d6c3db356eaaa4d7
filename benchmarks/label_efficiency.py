"""What each strategy buys, on a real data set: all runs behind docs/results.md.

    python -m benchmarks.label_efficiency --dataset camvid --size 240x180 --stage 1

Each run is a job of its own; jobs that are done are not done again, so a killed call is repeated. Several
processes share the work: ``--part 0/2`` and ``--part 1/2``, or one call that starts them:

    nvidia-cuda-mps-control -d       # where there is an NVIDIA GPU: processes compute on it side by side
    python -m benchmarks.label_efficiency --dataset camvid --processes 16 --threads 1

``--collect`` alone writes what the jobs have so far into benchmarks/results/label_efficiency.json and
label_efficiency_details.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.ablation import BY_CHANCE, SWITCHED_ON, other_questions, variants
from benchmarks.jobs import Job, about, full_labels_alike, icnet, job, learned_alike, parser, run_jobs
from benchmarks.results_page.series import ENTROPY_WITH_DROPOUT
from controller.simulation.recipes import THESIS
from controller.simulation.settings import Simulation

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
REGIONS = ("tenth", "sp-crf", "sp-crf-class", "sp", "random-regions")
"""Strategies whose exact answers tell more than the dominant label."""


def plan(base: Simulation, seeds: tuple[int, ...]) -> Iterator[Job]:
    """Yield all jobs, the most wanted first."""
    for place, seed in enumerate(seeds):
        stage = 1 if place == 0 else 2
        yield from steps_of_table_1(stage, base, seed)
        yield from questions_alone(stage, base, seed)
    for part in (by_chance, budgets, other_strategies, other_labels, few_answers, other_sizes):
        for seed in seeds:
            yield from part(base, seed)
    for seed in seeds:
        yield from variants(3, base, seed)
    for seed in seeds:
        yield from forty_percent(base, seed)


def steps_of_table_1(stage: int, base: Simulation, seed: int) -> Iterator[Job]:
    """Yield the bounds and the strategies that are told apart first."""
    yield Job(stage, base, seed)
    yield full_labels_alike(stage, base, seed)
    for strategy in ("tenth", "random-regions", "sp-crf"):
        yield job(stage, base, strategy, seed)


def questions_alone(stage: int, base: Simulation, seed: int) -> Iterator[Job]:
    """Yield what the questions of strategies are worth where all learn alike, and the class-specific one."""
    for strategy in ("sp-crf", "random-regions"):
        yield learned_alike(stage, base, strategy, seed)
    yield job(stage, base, "sp-crf-class", seed)


def by_chance(base: Simulation, seed: int) -> Iterator[Job]:
    """Yield `tenth` that draws its regions in proportion to their score, where goals are about it."""
    for budget in (0.1, 0.05):
        options = SWITCHED_ON["chance"]
        yield job(3, base, "tenth", seed, budget=budget, name=BY_CHANCE, options=options)


def few_answers(base: Simulation, seed: int) -> Iterator[Job]:
    """Yield what strategies ask where a fiftieth is asked, all learned from alike."""
    for each in other_questions(3, base, seed):
        if each.run and each.run.budget < 0.1:
            yield each


def other_labels(base: Simulation, seed: int) -> Iterator[Job]:
    """Yield the thesis's recipe with answers spread, and with the pseudo-labels of all groups renewed."""
    for strategy in ("sp-crf", "sp-crf-class"):
        recipe = replace(THESIS, propagate=True)
        yield job(3, base, strategy, seed, recipe, name=f"{strategy} (propagated)")
    for strategy in ("sp-crf", "random-regions"):
        recipe = replace(THESIS, refresh=True)
        yield job(3, base, strategy, seed, recipe, name=f"{strategy} (relabelled)")


def other_sizes(base: Simulation, seed: int) -> Iterator[Job]:
    """Yield two more sizes of regions, and twice as many groups."""
    for strategy in ("sp-crf", "tenth"):
        for region_size in (base.region_size // 2, 4 * base.region_size):
            yield job(3, replace(base, region_size=region_size), strategy, seed)
        half = replace(base, groups=2 * base.groups, group_size=-(-base.group_size // 2))
        yield job(3, replace(half, round_steps=base.round_steps // 2), strategy, seed)


def budgets(base: Simulation, seed: int) -> Iterator[Job]:
    """Yield table 3.2."""
    for strategy in ("tenth", "sp-crf"):
        for budget in (0.05, 0.2, 0.3, 0.4):
            yield job(3, base, strategy, seed, budget=budget)


def other_strategies(base: Simulation, seed: int) -> Iterator[Job]:
    """Yield the rest of table 3.1, exact answers among them, and of table 3.4."""
    for strategy in ALL:
        yield job(3, base, strategy, seed)
    for strategy in REGIONS:
        yield job(3, base, strategy, seed, annotator="exact")
    yield job(3, base, "entropy", seed, dropout=True, name=ENTROPY_WITH_DROPOUT)


def forty_percent(base: Simulation, seed: int) -> Iterator[Job]:
    """Yield the thesis's share of P in Cityscapes."""
    larger = replace(base, initial=147, group_size=37)
    yield Job(3, larger, seed)
    for strategy in ("random-regions", "sp-crf", "sp-crf-class", "tenth"):
        yield job(3, larger, strategy, seed)
    yield from budgets(larger, seed)
    yield from other_strategies(larger, seed)


def main() -> None:
    """Run the jobs of a stage, then collect."""
    stages = "1: preliminary, 2: its other seeds, 3: all"
    arguments = parser(__doc__, "label_efficiency", 200, stages, initial_steps=600).parse_args()
    base = icnet(arguments)
    description = about("benchmarks.label_efficiency", arguments, base)
    run_jobs(plan(base, tuple(arguments.seeds)), arguments, description)


if __name__ == "__main__":
    main()
