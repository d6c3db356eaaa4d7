"""Measure the pixel CRF and the superpixel CRF against the network alone, each with fitted settings.

    python -m benchmarks.crf_modes --dataset CAMVID --size 240x180
    python -m benchmarks.crf_modes --dataset CAMVID --size 240x180 --workspace streets --val 60 --trials 60

Without --weights or --workspace a small ICNet is trained on --train images first. Settings are searched and
scored on images of the validation split, in folds of consecutive frames: "held_out" is the mean over the
folds, each with what was best on the others; the other figures are those of the best on all of them. Seconds
an image are CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from benchmarks.jobs import size_of
from controller.simulation.images import LabelledPicture, load_pictures
from tenth.progress import Progress
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.crf_candidates import crf_candidates
from tenth.segmentation.crf_fit import FitImage, Trial, fit_crf
from tenth.segmentation.dataset import FolderDataset, choose_initial
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec, SegmentationNetwork
from tenth.segmentation.superpixels import slic
from tenth.segmentation.training import TrainingOptions, train
from tenth.workspace.provenance import library_versions
from tenth.workspace.workspace import Workspace

MEASURES = ("miou", "errors-found")


def trained(pictures: list[LabelledPicture], classes: int, iterations: int) -> SegmentationNetwork:
    """Train an ICNet on EfficientNet-Lite0 from ImageNet weights."""
    torch.manual_seed(0)
    network = NetworkSpec("icnet", classes, {"encoder": "efficientnet-lite0"}).build()
    height, width = pictures[0].truth.shape
    options = TrainingOptions(iterations, batch_size=8, crop=(height, width), device="cpu", precision="f32")
    train(network, pictures, options, progress=Progress(None))
    return network


def network_of(arguments: argparse.Namespace, dataset: FolderDataset) -> tuple[SegmentationNetwork, str]:
    """Return the network that is asked for, and how it came about."""
    classes = len(dataset.classes)
    if arguments.workspace:
        models = Workspace.open(arguments.workspace).models
        version = str(models.current())
        return models.load(version).network, f"version {version} of a workspace"
    if arguments.weights:
        network = NetworkSpec("icnet", classes, {"encoder": "efficientnet-lite0"}).build(pretrained=False)
        network.load_state_dict(load_file(arguments.weights))
        return network, arguments.about
    samples = dataset.split("train", require_labels=True)
    pictures = load_pictures(choose_initial(samples, min(arguments.train, len(samples))), arguments.size)
    made = trained(pictures, classes, arguments.iterations)
    return made, f"ICNet, {arguments.iterations} steps of 8 on {len(pictures)} images"


def fit_images(
    network: SegmentationNetwork, pictures: list[LabelledPicture], region_size: int
) -> tuple[list[FitImage], float]:
    """Return the images with what the network says, and the seconds that superpixels take an image."""
    predictor = Predictor(network, device="cpu")
    images, seconds = [], 0.0
    for each in pictures:
        begin = time.process_time()
        superpixels = slic(each.picture, size=region_size)
        seconds += time.process_time() - begin
        probabilities = predictor.probabilities(each.picture)
        images.append(FitImage(probabilities.astype(np.float16), each.picture, each.truth, superpixels))
    return images, seconds / len(pictures)


def figures(trial: Trial, classes: ClassSet) -> dict[str, Any]:
    """Return what one setting reaches on all images."""
    total = sum(trial.folds[1:], start=trial.folds[0])
    return {
        "options": None if trial.options is None else asdict(trial.options),
        "miou": total.score("miou"),
        "pixel_accuracy": total.matrix.pixel_accuracy,
        "errors_found": total.score("errors-found"),
        "seconds_per_image": trial.seconds,
        "iou": total.matrix.to_dict(classes.names)["iou"],
    }


def compare(images: list[FitImage], classes: ClassSet, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of the network and of both modes: unfitted, fitted, and held out."""
    longer = max(images[0].truth.shape)
    found: dict[str, Any] = {}
    for mode in ("pixel", "superpixel"):
        candidates = crf_candidates(CRFOptions(mode=mode), "random", arguments.trials, longer, seed=0)
        result = fit_crf(images, candidates, folds=arguments.folds, progress=Progress(None))
        found.setdefault("network", figures(result.network, classes))
        found[mode] = {"defaults": figures(result.trials[0], classes)}
        for measure in MEASURES:
            chosen = type(result)(measure, result.network, result.trials)
            found[mode][f"best {measure}"] = {
                **figures(chosen.best(), classes),
                "held_out": chosen.held_out_score,
                "held_out_network": chosen.network_score,
            }
    pixel, region = (
        statistics.median(row["seconds_per_image"] for row in found[mode].values())
        for mode in ("pixel", "superpixel")
    )
    return {**found, "pixel_seconds_over_superpixel_seconds": pixel / region}


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", required=True, help="folder with splits train and val and classes.json")
    parser.add_argument("--size", type=size_of, required=True, help="WxH that images are resized to")
    parser.add_argument("--workspace", help="take its model in use")
    parser.add_argument("--weights", help="state of an ICNet on EfficientNet-Lite0 (safetensors)")
    parser.add_argument("--about", default="given weights", help="what --weights were trained on, in words")
    parser.add_argument("--train", type=int, default=60, help="images to train on without either")
    parser.add_argument("--iterations", type=int, default=300, help="steps of that training")
    parser.add_argument("--val", type=int, default=20, help="validation images, at even distances")
    parser.add_argument("--trials", type=int, default=16, help="settings to try in each mode")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--region-size", type=int, default=350, help="pixels in a superpixel")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/crf_modes.json"))
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    begin = time.perf_counter()
    dataset = FolderDataset(arguments.dataset)
    network, about = network_of(arguments, dataset)
    samples = dataset.split("val", require_labels=True)
    pictures = load_pictures(choose_initial(samples, min(arguments.val, len(samples))), arguments.size)
    images, slic_seconds = fit_images(network, pictures, arguments.region_size)
    document = {
        "dataset": Path(arguments.dataset).name,
        "network": about,
        "size": list(arguments.size),
        "images": len(images),
        "trials": arguments.trials,
        "folds": arguments.folds,
        "region_size": arguments.region_size,
        "superpixel_seconds_per_image": slic_seconds,
        "results": compare(images, dataset.classes, arguments),
        "seconds": time.perf_counter() - begin,
        "threads": 1,
        "machine": platform.machine(),
        "libraries": library_versions(),
    }
    arguments.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for line in lines(document["results"]):
        print(line)


def lines(results: dict[str, Any]) -> list[str]:
    """Return the table that is printed."""
    rows = {"network": results["network"]}
    rows |= {f"{mode} {name}": row for mode in ("pixel", "superpixel") for name, row in results[mode].items()}
    text = [f"{'':28}   mIoU accuracy  found  held out (network)  s/image"]
    for name, row in rows.items():
        held = f"{row['held_out']:.4f} ({row['held_out_network']:.4f})" if "held_out" in row else ""
        text.append(
            f"{name:28} {row['miou']:.4f}   {row['pixel_accuracy']:.4f} {row['errors_found']:.4f}  {held:18}"
            f" {row['seconds_per_image']:.4f}"
        )
    return text


if __name__ == "__main__":
    main()
