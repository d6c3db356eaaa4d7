"""From Cityscapes to another data set (table 3.3): a network that knows the classes asks about new streets.

    python -m benchmarks.transfer --dataset camvid --weights espnetv2_s_2.0_city_1024x512.pth

The network is ESPNetv2 with its released Cityscapes weights, classes mapped; there is no initial set, and the
pool is all of train. Jobs, parts and resuming are those of benchmarks.label_efficiency.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.ablation import BY_CHANCE, SWITCHED_ON
from benchmarks.jobs import Job, about, job, learned_alike, parser, run_jobs, size_of
from controller.simulation.settings import Simulation

STRATEGIES = ("tenth", "sp-crf", "random-regions")


def plan(base: Simulation, seeds: tuple[int, ...]) -> list[Job]:
    """Return all jobs, the most wanted first."""
    jobs: list[Job] = []
    for stage, seed in enumerate(seeds, 1):
        jobs.append(Job(stage, base, seed))
        jobs += [job(stage, base, strategy, seed) for strategy in STRATEGIES]
    for seed in seeds:
        for strategy in ("sp-crf", "random-regions"):
            jobs.append(learned_alike(len(seeds) + 1, base, strategy, seed))
        options = SWITCHED_ON["chance"]
        jobs.append(job(len(seeds) + 1, base, "tenth", seed, name=BY_CHANCE, options=options))
    return jobs


def main() -> None:
    """Run the jobs up to a stage, then collect."""
    options = parser(__doc__, "transfer", 80, "1: the first seed, 2: the second too, …")
    options.add_argument("--weights", required=True, type=Path, help="released weights of ESPNetv2")
    options.add_argument("--scale", type=float, default=2.0, help="their width")
    arguments = options.parse_args()
    base = Simulation(
        dataset=arguments.dataset,
        size=size_of(arguments.size),
        network="espnetv2",
        network_options={
            "scale": arguments.scale,
            "weights": str(arguments.weights),
            "class_map": "cityscapes-camvid-wall",
        },
        initial=0,
        group_size=62,
        region_size=arguments.region_size,
        round_steps=arguments.round_steps,
        schedule="equal",
        learning_rate=0.01,
        class_weighting="none",
        scale=(0.5, 2.0),
    )
    description = about("benchmarks.transfer", arguments, base)
    description["network_options"] |= {"weights": arguments.weights.name}
    run_jobs(plan(base, tuple(arguments.seeds)), arguments, description)


if __name__ == "__main__":
    main()
