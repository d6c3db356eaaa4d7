"""From Cityscapes to another data set (table 3.3): a network that knows the classes asks about new streets.

    python -m benchmarks.transfer --dataset camvid --weights espnetv2_s_2.0_city_1024x512.pth

The network is ESPNetv2 with its released Cityscapes weights, classes mapped; there is no initial set, and the
pool is all of train. Jobs, parts and resuming are those of benchmarks.label_efficiency.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from benchmarks.label_efficiency import RESULTS, Job, about, collect, job, perform
from controller.simulation.recipes import ANSWERS
from controller.simulation.settings import Simulation
from tenth.progress import Progress

STRATEGIES = ("tenth", "sp-crf", "random-regions")


def plan(base: Simulation, seeds: tuple[int, ...]) -> list[Job]:
    """Return all jobs, the most wanted first."""
    jobs: list[Job] = []
    for stage, seed in enumerate(seeds, 1):
        jobs.append(Job(stage, base, seed))
        jobs += [job(stage, base, strategy, seed) for strategy in STRATEGIES]
    for seed in seeds:
        for strategy in ("sp-crf", "random-regions"):
            jobs.append(job(len(seeds) + 1, base, strategy, seed, ANSWERS, name=f"{strategy} (answers only)"))
    return jobs


def main() -> None:
    """Run the jobs up to a stage, then collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", required=True, help="data set folder")
    parser.add_argument("--weights", required=True, type=Path, help="released weights of ESPNetv2")
    parser.add_argument("--scale", type=float, default=2.0, help="their width")
    parser.add_argument("--size", default="240x180", help="images are resized to this")
    parser.add_argument("--region-size", type=int, default=40, help="mean pixels of a superpixel")
    parser.add_argument("--round-steps", type=int, default=80)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--stage", type=int, default=4, help="1: the first seed, 2: the second too, …")
    parser.add_argument("--part", default="0/1", help="which of how many processes this is: 0/2, 1/2")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves it alone")
    parser.add_argument("--work", type=Path, default=Path(".cache/transfer"))
    parser.add_argument("--out", type=Path, default=RESULTS / "transfer.json")
    parser.add_argument("--collect", action="store_true", help="only write what is done")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    width, height = map(int, arguments.size.split("x"))
    base = Simulation(
        dataset=arguments.dataset,
        size=(width, height),
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
    )
    jobs = [each for each in plan(base, tuple(arguments.seeds)) if each.stage <= arguments.stage]
    part, parts = map(int, arguments.part.split("/"))
    if not arguments.collect:
        for number, each in enumerate(jobs):
            if number % parts == part:
                print(f"job {number + 1} of {len(jobs)}: {each.name}", flush=True)
                perform(each, arguments.work, Progress(None))
    description = about(arguments, base, "benchmarks.transfer")
    description["network_options"] |= {"weights": arguments.weights.name}
    print(f"{collect(jobs, arguments.work, description, arguments.out)} rows in {arguments.out}")


if __name__ == "__main__":
    main()
