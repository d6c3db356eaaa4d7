"""Measure how well a Cityscapes model does on CamVid without having seen any of it.

    python benchmarks/espnetv2_zero_shot.py --dataset CAMVID --weights FILE.pth --size 480x352 --size 240x176

Images are resized bilinearly and label maps by nearest neighbour; test images are read, nothing is trained or
selected on them. Each mapping of the classes is measured with the probabilities of joined classes added up
(``sum``, what the network does with ``class_map``) and, to show why, with their classifier rows averaged
(``mean``). Rows of the same size and limit replace those in the result file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor

from benchmarks.jobs import size_of
from tenth.segmentation.class_mapping import CLASS_MAPPINGS, ClassMapping
from tenth.segmentation.dataset import FolderDataset, Sample, choose_initial
from tenth.segmentation.device import to_input
from tenth.segmentation.metrics import ConfusionMatrix
from tenth.segmentation.networks import SegmentationNetwork, build_network


def mean_logits(mapping: ClassMapping, logits: Tensor) -> Tensor:
    """Return (N, Ct, H, W): what averaging the classifier's rows of each target would give."""
    parts = logits[:, mapping.rows].split(mapping.sizes, 1)
    return torch.cat([part.mean(1, keepdim=True) for part in parts], 1)


JOINS = {"sum": ClassMapping.mapped_logits, "mean": mean_logits}


def measure(
    network: SegmentationNetwork, samples: Sequence[Sample], size: tuple[int, int]
) -> dict[tuple[str, str, str], ConfusionMatrix]:
    """Return the counts by mapping, join and drive."""
    classes = len(next(iter(CLASS_MAPPINGS.values())).targets)
    counts: dict[tuple[str, str, str], ConfusionMatrix] = defaultdict(lambda: ConfusionMatrix(classes))
    for sample in samples:
        image, labels = sample.load()
        labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
        pixels = to_input(cv2.resize(image, size)[None], network, torch.device("cpu"))
        logits = network(pixels)
        drive = Path(sample.image).stem.split("_")[0]
        for name, mapping in CLASS_MAPPINGS.items():
            for join, joined in JOINS.items():
                counts[name, join, drive].update(joined(mapping, logits)[0].argmax(0).numpy(), labels)
    return counts


def rows(
    counts: dict[tuple[str, str, str], ConfusionMatrix], names: list[str], facts: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return a row for each mapping and join, with the drives apart and together."""
    result = []
    for mapping, join in dict.fromkeys(key[:2] for key in counts):
        drives = {key[2]: value for key, value in counts.items() if key[:2] == (mapping, join)}
        together = sum(drives.values(), ConfusionMatrix(len(names)))
        apart = {drive: value.miou for drive, value in drives.items()}
        result.append(
            facts | {"mapping": mapping, "join": join} | together.to_dict(names) | {"drives": apart}
        )
    return result


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", required=True, help="folder of CamVid, with classes.json")
    parser.add_argument("--weights", required=True, help="released weights of ESPNetv2, 20 classes")
    parser.add_argument("--scale", type=float, default=2.0, help="the scale they are of")
    parser.add_argument("--size", type=size_of, action="append", required=True, help="WxH; may be repeated")
    parser.add_argument("--limit", type=int, help="so many test images at even distances")
    parser.add_argument("--out", default="benchmarks/results/espnetv2_zero_shot.json")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    dataset = FolderDataset(arguments.dataset)
    samples = dataset.split("test", require_labels=True)
    if arguments.limit:
        samples = choose_initial(samples, arguments.limit, "spread")
    network = build_network("espnetv2", 20, scale=arguments.scale, weights=arguments.weights).eval()
    digest = hashlib.sha256(Path(arguments.weights).read_bytes()).hexdigest()
    out = Path(arguments.out)
    runs = json.loads(out.read_text(encoding="utf-8"))["runs"] if out.exists() else []
    for size in arguments.size:
        with torch.inference_mode():
            counts = measure(network, samples, size)
        facts = {
            "network": "espnetv2",
            "scale": arguments.scale,
            "weights_sha256": digest,
            "size": list(size),
            "images": len(samples),
        }
        runs = [run for run in runs if any(run[key] != value for key, value in facts.items())]
        new = rows(counts, dataset.classes.names, facts)
        runs += new
        for run in new:
            iou = ", ".join(f"{name} {100 * value:.1f}" for name, value in run["iou"].items())
            print(f"{size[0]}x{size[1]} {run['mapping']} {run['join']}: mIoU {100 * run['miou']:.2f} ({iou})")
        out.write_text(json.dumps({"runs": runs}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
