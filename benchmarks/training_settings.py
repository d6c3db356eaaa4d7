"""How all trainings of the experiments are set: short trainings on the full labels of train, measured on val.

    python -m benchmarks.training_settings --dataset camvid

Rows that the result file has already are not measured again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from benchmarks.distillation import OPTIONS
from benchmarks.jobs import RESULTS, size_of
from controller.simulation.results import write_json
from controller.standalone import Standalone, fit, measure, read_splits
from tenth.progress import Progress
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec

NARROW, WIDE = (0.75, 1.5), (0.5, 2.0)

TRIED = (
    ("icnet", 600, 0.01, "none", WIDE),
    ("icnet", 600, 0.04, "none", WIDE),
    ("icnet", 600, 0.1, "none", WIDE),
    ("icnet", 600, 0.04, "none", NARROW),
    ("icnet", 600, 0.04, "frequency", WIDE),
    ("icnet", 600, 0.1, "frequency", WIDE),
    ("icnet", 600, 0.04, "frequency", NARROW),
    ("enet", 500, 0.02, "none", WIDE),
    ("enet", 500, 0.05, "none", WIDE),
    ("enet", 500, 0.1, "frequency", WIDE),
    ("enet", 500, 0.2, "frequency", WIDE),
)
"""Network, steps, learning rate, class weighting, zoom."""


def miou_on_val(job: Standalone, progress: Progress) -> float:
    """Train and return the mIoU on val."""
    dataset = FolderDataset(job.dataset)
    splits = read_splits(job, dataset, progress)
    spec = NetworkSpec(job.network, len(dataset.classes), job.network_options)
    network, _, checkpoint = fit(job, spec, splits["train"], job.options(), progress)
    found = measure(Predictor(network, job.device), {"val": splits["val"]}, dataset, job.network, progress)
    checkpoint.unlink(missing_ok=True)
    return float(found["val"].miou)


def main() -> None:
    """Measure what has not been measured."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--dataset", required=True, type=Path, help="data set folder")
    options.add_argument("--size", default="240x180", help="images are resized to this")
    options.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves it alone")
    options.add_argument("--work", type=Path, default=Path(".cache/training_settings"))
    options.add_argument("--out", type=Path, default=RESULTS / "training_settings.json")
    arguments = options.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    known = json.loads(arguments.out.read_text(encoding="utf-8"))["rows"] if arguments.out.exists() else []
    rows: list[dict[str, Any]] = []
    for network, steps, rate, weighting, zoom in TRIED:
        job = Standalone(
            arguments.dataset,
            arguments.work,
            network,
            steps,
            size_of(arguments.size),
            OPTIONS[network],
            learning_rate=rate,
            class_weighting=weighting,  # type: ignore[arg-type]
            scale=zoom,
        )
        row: dict[str, Any] = {
            "network": network,
            "steps": steps,
            "learning_rate": rate,
            "class_weighting": weighting,
            "zoom": f"{zoom[0]:g} to {zoom[1]:g}",
        }
        before = [each for each in known if row.items() <= each.items()]
        row["miou_val"] = before[0]["miou_val"] if before else miou_on_val(job, Progress(None))
        rows.append(row)
        about = {
            "command": "python -m benchmarks.training_settings --dataset DIR",
            "size": arguments.size,
            "batch_size": job.batch_size,
            "seed": job.seed,
            "torch": torch.__version__,
        }
        write_json(arguments.out, {"about": about, "rows": rows})


if __name__ == "__main__":
    main()
