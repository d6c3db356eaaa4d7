"""Seconds that each strategy needs for one image (table 3.5), all of them side by side in one run.

    python -m benchmarks.strategy_seconds

The network is ICNet on EfficientNet-Lite0 with 19 classes and random weights, the image a generated scene:
neither changes how long it takes. Decoding the image is left out; prediction, CRF, superpixels, ranking and
the choice within the budget are in.
"""

from __future__ import annotations

import argparse
import statistics
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.jobs import processor
from controller.maps import Division, View
from controller.selection import budget_pixels
from controller.simulation.results import write_json
from controller.strategies import RoundContext, build_strategy
from tenth.progress import Progress
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import build_network
from tenth.segmentation.scenes import generate_scene

STRATEGIES = (
    "random-regions",
    "entropy",
    "entropy-edge",
    "margin",
    "least-confident",
    "sp",
    "tenth",
    "sp-crf",
    "sp-crf-class",
    "mc-dropout",
    "committee",
)
CLASSES, REGIONS, PASSES, MEMBERS = 19, 1400, 20, 4
SIZES = ((480, 360), (2048, 1024))


def seconds_of(name: str, predictor: Predictor, committee: list[Predictor], image: Any) -> float:
    """Return how long one image takes, from pixels to the regions that are asked."""
    strategy = build_strategy(name, 0)
    features = np.random.default_rng(0).normal(size=(CLASSES, 128)).astype(np.float32)
    context = RoundContext(np.full(CLASSES, 1 / CLASSES), features)
    view = View(strategy, predictor, CRFOptions(), committee=committee, passes=PASSES, context=context)
    division = Division(count=REGIONS)
    start = perf_counter()
    maps = view.maps(image, division.regions(strategy, image))
    strategy.select(maps, budget_pixels(0.1, *image.shape[:2]))
    return perf_counter() - start


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves it alone")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "strategy_seconds.json"
    )
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    networks = [
        build_network("icnet", CLASSES, encoder="efficientnet-lite0", dropout=0.2) for _ in range(MEMBERS)
    ]
    predictor, *committee = (Predictor(network.eval()) for network in networks)
    rows: list[dict[str, Any]] = []
    progress = Progress(None)
    for size in SIZES:
        scene, _ = generate_scene(0, 320, 240)
        image = cv2.resize(scene, size, interpolation=cv2.INTER_CUBIC)
        taken: dict[str, list[float]] = {name: [] for name in STRATEGIES}
        turns = [
            name for _ in range(arguments.repeats) for name in STRATEGIES
        ]  # a busy moment hits all alike
        for name in STRATEGIES:  # what only the first call pays: threads, compiled loops, memory
            seconds_of(name, predictor, committee, image)
        for name in progress.over(turns, len(turns), f"{size[0]}×{size[1]}", "image"):
            taken[name].append(seconds_of(name, predictor, committee, image))
        for name, times in taken.items():
            row = {
                "strategy": name,
                "size": f"{size[0]}x{size[1]}",
                "seconds": statistics.median(times),
                "fastest": min(times),
            }
            rows.append(row)
            print(f"{row['size']:>10} {name:16} {row['seconds']:8.2f} s")
    about = {
        "command": f"python -m benchmarks.strategy_seconds --repeats {arguments.repeats}",
        "hardware": f"{processor()}, {torch.get_num_threads()} thread(s) of torch",
        "network": f"icnet, efficientnet-lite0, {CLASSES} classes",
        "repeats": arguments.repeats,
        "regions": REGIONS,
        "passes": PASSES,
        "members": MEMBERS,
        "torch": torch.__version__,
        "date": date.today().isoformat(),
    }
    write_json(arguments.out, {"about": about, "rows": rows})


if __name__ == "__main__":
    main()
