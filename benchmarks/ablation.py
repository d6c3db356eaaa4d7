"""What each ingredient of `tenth` brings: the strategy without it, or with what was left out of it.

    python -m benchmarks.ablation --dataset camvid --size 120x90

Its questions are compared with those of other strategies, too, learned from alike.

Differences between ingredients are smaller than those between strategies, and one seed does not show them, so
this runs at a quarter of the pixels, half of the steps and three seeds by default. The same runs at the size
of the other experiments are jobs of benchmarks.label_efficiency. Jobs, parts and resuming are those of that
module as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from benchmarks.jobs import Job, about, full_labels_alike, icnet, job, learned_alike, parser, run_jobs
from controller.simulation.recipes import OURS
from controller.simulation.settings import Recipe, Simulation

SWITCHED_OFF: dict[str, Any] = {
    "flip": {"flip": False},
    "purity": {"purity": 0.0},
    "balance": {"balance": 0.0},
    "spread": {"spread": 0.0},
    "duplicates": {"duplicates": 0.0},
}
SWITCHED_ON: dict[str, dict[str, Any]] = {
    "chance": {"chance": 1.0},
    "cost": {"cost": 1.0},
    "impurity": {"purity": -1.0},
}
"""What `tenth` can do and does not by default."""

BY_CHANCE = "tenth with chance"
"""A run of these that is compared with other strategies, too."""

LEARNING: dict[str, Recipe] = {
    "with mean teacher": replace(OURS, consistency=0.2),
    "with soft pseudo-labels": replace(OURS, min_confidence=0.0, soft=True),
    "with sure pseudo-labels, all of P's weight": replace(
        OURS, min_confidence=0.95, soft=True, initial_weight=1.0
    ),
    "without restart": replace(OURS, restart=False),
    "with all of P's weight": replace(OURS, initial_weight=1.0),
    "without sieve": replace(OURS, sieve=False),
    "with ClassMix": replace(OURS, consistency=0.2, mix="classmix", unlabelled=True),
    "with pseudo-labels": replace(OURS, min_confidence=0.0),
}


def variants(stage: int, base: Simulation, seed: int) -> Iterator[Job]:
    """Yield `tenth` with other things learned from the answers, then with other questions."""
    for change, recipe in LEARNING.items():
        yield job(stage, base, "tenth", seed, recipe, name=f"tenth {change}")
    for name, options in SWITCHED_OFF.items():
        yield job(stage, base, "tenth", seed, name=f"tenth without {name}", options=options)
    for name, options in SWITCHED_ON.items():
        yield job(stage, base, "tenth", seed, name=f"tenth with {name}", options=options)


def other_questions(stage: int, base: Simulation, seed: int) -> Iterator[Job]:
    """Yield what strategies ask, all learned from alike: the less is asked, the more it matters."""
    for budget in (0.1, 0.02):
        yield job(stage, base, "tenth", seed, budget=budget)
        for strategy in ("random-regions", "sp-crf"):
            yield learned_alike(stage, base, strategy, seed, budget=budget)
    yield job(stage, base, "tenth", seed, budget=0.02, name=BY_CHANCE, options=SWITCHED_ON["chance"])


def plan(base: Simulation, seeds: tuple[int, ...]) -> Iterator[Job]:
    """Yield all jobs, the first seed first."""
    for stage, seed in enumerate(seeds, 1):
        yield Job(stage, base, seed)
        yield full_labels_alike(stage, base, seed)
        yield from other_questions(stage, base, seed)
        yield from variants(stage, base, seed)


def main() -> None:
    """Run the jobs of the first seeds, then collect."""
    options = parser(__doc__, "ablation", 100, "1: the first seed, 2: the second too, …", initial_steps=300)
    options.set_defaults(size="120x90", region_size=20)
    arguments = options.parse_args()
    base = icnet(arguments)
    description = about("benchmarks.ablation", arguments, base)
    run_jobs(plan(base, tuple(arguments.seeds)), arguments, description)


if __name__ == "__main__":
    main()
