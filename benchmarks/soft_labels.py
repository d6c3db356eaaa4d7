"""Measure the store of soft labels: how small, how exact, how fast.

    python -m benchmarks.soft_labels
    python -m benchmarks.soft_labels --dataset CAMVID --espnetv2 2.0=FILE.pth --espnetv2 1.0=FILE.pth
    python -m benchmarks.soft_labels --dataset CAMVID --model icnet=FOLDER --model deeplabv3plus=FOLDER

Without arguments ICNet, ERFNet and DeepLabv3 are trained on generated street scenes first. With them the
teachers are released ESPNetv2 models (20 outputs) or models that ``controller train`` or
benchmarks.distillation has trained, and the images those of the validation split. Each teacher alone and all
as an ensemble are softened, stored and read back at each temperature. Milliseconds are CPU time of one
thread, the file included. Rows of the same data and size replace those in the result file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.jobs import cpu, size_of
from controller.simulation.images import load_pictures
from tenth.progress import Progress
from tenth.segmentation.dataset import FolderDataset, choose_initial
from tenth.segmentation.device import to_input
from tenth.segmentation.distillation import Ensemble, SoftLabelStore
from tenth.segmentation.distillation.divergence import kl_divergence
from tenth.segmentation.networks import NetworkSpec, SegmentationNetwork, build_network
from tenth.segmentation.scenes import write_scenes
from tenth.segmentation.training import TrainingOptions, train
from tenth.workspace.models import ModelStore

TEMPERATURES = (1, 3, 4, 5)
KIND = ("data", "height", "width")
CITYSCAPES_GB = 2975 * 512 * 1024 * 19 * 2 / 1e9
TEACHERS = {
    "icnet": {"encoder": "efficientnet-lite0", "weights": "imagenet"},
    "erfnet": {},
    "deeplabv3": {"encoder": "mobilenetv3-large"},
}


def trained(dataset: FolderDataset, iterations: int) -> dict[str, SegmentationNetwork]:
    """Train the teachers on the split ``train``."""
    samples = dataset.split("train", require_labels=True)
    networks = {}
    for name, options in TEACHERS.items():
        torch.manual_seed(0)
        networks[name] = NetworkSpec(name, len(dataset.classes.names), options).build()
        how = TrainingOptions(iterations, batch_size=4, learning_rate=0.05, device="cpu", precision="f32")
        train(networks[name], samples, how, progress=Progress(None), description=name)
    return networks


def released(files: Sequence[str]) -> dict[str, SegmentationNetwork]:
    """Load ESPNetv2 models given as ``SCALE=FILE``."""
    pairs = [text.split("=", 1) for text in files]
    return {
        f"espnetv2 {scale}": build_network("espnetv2", 20, scale=float(scale), weights=file).eval()
        for scale, file in pairs
    }


def stored(folders: Sequence[str]) -> dict[str, SegmentationNetwork]:
    """Load models given as ``NAME=FOLDER``."""
    pairs = [text.split("=", 1) for text in folders]
    return {name: ModelStore(Path(folder).parent).load(Path(folder).name).network for name, folder in pairs}


def softened(
    networks: Mapping[str, SegmentationNetwork], logits: Mapping[str, Tensor], temperature: float
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the distributions of each teacher, then of all with equal weights."""
    classes = next(iter(logits.values())).shape[1]
    groups = [[name] for name in networks] + [list(networks)] * (len(networks) > 1)
    for names in groups:
        weights = np.full((len(names), classes), 1 / len(names))
        ensemble = Ensemble(names, [temperature] * len(names), weights)
        yield " + ".join(names), ensemble.probabilities(logits[name] for name in names)[0].numpy()


def timed_round_trip(
    store: SoftLabelStore, exact: NDArray[np.float32]
) -> tuple[NDArray[np.float32], dict[str, float]]:
    """Write and read one image; return what came back, with bytes and milliseconds."""
    start = time.process_time()
    store.write("image", exact)
    written = time.process_time()
    stored = store.read("image")
    read = time.process_time()
    return stored, {
        "bytes": store.nbytes,
        "encode": 1000 * (written - start),
        "decode": 1000 * (read - written),
    }


def measure(
    networks: Mapping[str, SegmentationNetwork], images: Sequence[NDArray[np.uint8]], folder: Path
) -> list[dict[str, Any]]:
    """Return a row for each teacher, the ensemble, and each temperature."""
    store = SoftLabelStore.create(folder, {"benchmark": "soft labels"})
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    shape: tuple[int, ...] = ()
    for image in images:
        with torch.inference_mode():
            logits = {
                name: net.eval()(to_input(image[None], net, torch.device("cpu"))).float()
                for name, net in networks.items()
            }
            for temperature in TEMPERATURES:
                for name, exact in softened(networks, logits, temperature):
                    stored, cost = timed_round_trip(store, exact)
                    wrong = int((stored.argmax(0) != exact.argmax(0)).sum())
                    kept = {"kl": kl_divergence(exact, stored), "wrong": wrong} | cost
                    found.setdefault((name, temperature), []).append(kept)
                    shape = exact.shape
    return [summary(name, temperature, each, shape) for (name, temperature), each in found.items()]


def summary(
    teachers: str, temperature: int, images: list[dict[str, Any]], shape: tuple[int, ...]
) -> dict[str, Any]:
    """Return what was measured of one ensemble at one temperature, as JSON."""
    classes, height, width = shape
    divergence = np.concatenate([image["kl"].reshape(-1) for image in images])
    size = statistics.mean(image["bytes"] for image in images) / (height * width)
    return {
        "teachers": teachers,
        "temperature": temperature,
        "classes": classes,
        "height": height,
        "width": width,
        "images": len(images),
        "bytes_per_pixel": round(size, 4),
        "share_of_float16": round(size / (2 * classes), 5),
        "kl_mean": float(f"{divergence.mean():.3g}"),
        "kl_p999": float(f"{np.quantile(divergence, 0.999):.3g}"),
        "argmax_exact": not any(image["wrong"] for image in images),
        "encode_ms": round(statistics.median(image["encode"] for image in images), 1),
        "decode_ms": round(statistics.median(image["decode"] for image in images), 1),
    }


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", help="folder of a data set; generated scenes without it")
    parser.add_argument("--espnetv2", action="append", help="SCALE=FILE of released weights; may be repeated")
    parser.add_argument("--model", action="append", help="NAME=FOLDER of a trained model; may be repeated")
    parser.add_argument("--size", help="images are resized to this, as in 240x180; theirs without it")
    parser.add_argument("--images", type=int, default=8, help="so many of the validation split")
    parser.add_argument("--iterations", type=int, default=150, help="training steps of each teacher")
    parser.add_argument("--out", default="benchmarks/results/soft_labels.json")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        data = arguments.dataset
        if data is None:
            data = str(Path(folder) / "scenes")
            write_scenes(data, train=60, val=arguments.images, test=0)
        dataset = FolderDataset(data)
        if arguments.model:
            networks = stored(arguments.model)
        elif arguments.espnetv2:
            networks = released(arguments.espnetv2)
        else:
            networks = trained(dataset, arguments.iterations)
        samples = choose_initial(dataset.split("val"), arguments.images, "spread")
        size = size_of(arguments.size) if arguments.size else None
        images = [each.picture for each in load_pictures(samples, size, Progress(None))]
        rows = measure(networks, images, Path(folder) / "store")
    name = "generated scenes" if arguments.dataset is None else Path(arguments.dataset).name
    facts = {"data": name, "training_steps": None if arguments.dataset else arguments.iterations}
    new = [facts | row | {"threads": 1, "machine": cpu()} for row in rows]
    out = Path(arguments.out)
    runs = json.loads(out.read_text(encoding="utf-8"))["runs"] if out.exists() else []
    kinds = {tuple(row[key] for key in KIND) for row in new}
    runs = [run for run in runs if tuple(run[key] for key in KIND) not in kinds] + new
    out.write_text(json.dumps({"runs": runs}, indent=1) + "\n", encoding="utf-8")
    for row in new:
        share = row["share_of_float16"]
        print(
            f"{row['data']}, {row['teachers']}, T = {row['temperature']}: {row['bytes_per_pixel']:.3f} bytes "
            f"a pixel, {100 * share:.2f} % of float16 (Cityscapes: {share * CITYSCAPES_GB:.2f} GB), "
            f"KL {row['kl_mean']:.2g} / {row['kl_p999']:.2g}, "
            f"argmax {'exact' if row['argmax_exact'] else 'WRONG'}, "
            f"{row['encode_ms']:.0f} / {row['decode_ms']:.0f} ms"
        )


if __name__ == "__main__":
    main()
