"""What each strategy buys, on a real data set: all runs behind docs/results.md.

    python -m benchmarks.label_efficiency --dataset camvid --size 240x180 --stage 1

Each run is a job of its own; jobs that are done are not done again, so a killed call is repeated. Several
processes share the work: ``--part 0/2`` and ``--part 1/2``. ``--collect`` alone writes what the jobs have so
far into benchmarks/results/label_efficiency.json and label_efficiency_details.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from benchmarks.jobs import Job, about, job, parser, run_jobs, size_of
from benchmarks.results_page.series import ENTROPY_WITH_DROPOUT
from controller.simulation.recipes import ANSWERS, OURS, THESIS
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

SWITCHED_OFF: dict[str, Any] = {
    "flip": {"flip": False},
    "purity": {"purity": 0.0},
    "balance": {"balance": 0.0},
    "spread": {"spread": 0.0},
    "duplicates": {"duplicates": 0.0},
}
SWITCHED_ON: dict[str, dict[str, Any]] = {"cost": {"cost": 1.0}, "impurity": {"purity": -1.0}}
"""What `tenth` can do and does not by default."""


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
    yield from budgets(base, seed)
    yield from other_strategies(base, seed)
    for strategy in ("sp-crf", "tenth"):
        for region_size in (base.region_size // 2, 4 * base.region_size):
            yield job(3, replace(base, region_size=region_size), strategy, seed)
        half = replace(base, groups=2 * base.groups, group_size=-(-base.group_size // 2))
        yield job(3, replace(half, round_steps=base.round_steps // 2), strategy, seed)
    for strategy in ("sp-crf", "sp-crf-class"):
        recipe = replace(THESIS, propagate=True)
        yield job(3, base, strategy, seed, recipe, name=f"{strategy} (propagated)")
    yield from forty_percent(base, seed)


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


def ablation(stage: int, base: Simulation, seed: int) -> Iterator[Job]:
    """Yield `tenth` without each of its ingredients, and with what was left out of it."""
    learning = {
        "tenth with mean teacher": replace(OURS, consistency=0.2),
        "tenth with soft pseudo-labels": replace(OURS, min_confidence=0.0, soft=True),
        "tenth with sure pseudo-labels, all of P's weight": replace(
            OURS, min_confidence=0.95, soft=True, initial_weight=1.0
        ),
        "tenth with all of P's weight": replace(OURS, initial_weight=1.0),
        "tenth without sieve": replace(OURS, sieve=False),
        "tenth with ClassMix": replace(OURS, consistency=0.2, mix="classmix", unlabelled=True),
        "tenth with pseudo-labels": replace(OURS, min_confidence=0.0),
    }
    for name, recipe in learning.items():
        yield job(stage, base, "tenth", seed, recipe, name=name)
    for name, options in SWITCHED_OFF.items():
        yield job(stage, base, "tenth", seed, name=f"tenth without {name}", options=options)
    for name, options in SWITCHED_ON.items():
        yield job(stage, base, "tenth", seed, name=f"tenth with {name}", options=options)


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
    options = parser(__doc__, "label_efficiency", 200, "1: preliminary, 2: its other seeds, 3: all")
    options.add_argument("--initial-steps", type=int, default=600)
    arguments = options.parse_args()
    base = Simulation(
        dataset=arguments.dataset,
        size=size_of(arguments),
        network_options={"encoder": "efficientnet-lite0", "weights": "imagenet"},
        region_size=arguments.region_size,
        initial_steps=arguments.initial_steps,
        round_steps=arguments.round_steps,
    )
    description = about("benchmarks.label_efficiency", arguments, base)
    run_jobs(plan(base, tuple(arguments.seeds)), arguments, description)


if __name__ == "__main__":
    main()
