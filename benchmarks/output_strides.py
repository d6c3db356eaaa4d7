"""How much of an image a map of an eighth, or a quarter, of its size can tell, were it right everywhere.

    python -m benchmarks.output_strides --dataset camvid

The labels of val and test are averaged over cells, class by class, enlarged bilinearly as networks enlarge
what they say, and compared with themselves. No bound in the strict sense, for a network may answer more
sharply than by shares, but what its output's size costs it. Writes benchmarks/results/output_strides.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from benchmarks.jobs import RESULTS, size_of
from controller.simulation.images import LabelledPicture, load_pictures
from controller.simulation.results import write_json
from tenth.progress import Progress
from tenth.segmentation.cells import cells_along
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.distillation.losses import mean_over
from tenth.segmentation.metrics import ConfusionMatrix

STRIDES = (2, 4, 8, 16)
SPLITS = ("val", "test")


def enlarged(labels: Tensor, classes: int, stride: int) -> Tensor:
    """Return labels (H, W), int64, as a map of cells that knew each class's share would tell them.

    Parameters
    ----------
    labels : Tensor
        (H, W) int64; what is no class, as 255, has no share.
    classes : int
        Number of classes.
    stride : int
        Pixels a side of a cell.
    """
    shares = torch.stack([(labels == each).float() for each in range(classes)])[None]
    height, width = labels.shape
    small = mean_over(shares, cells_along(height, stride), cells_along(width, stride))
    return F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)[0].argmax(0)


def miou(pictures: Sequence[LabelledPicture], classes: int, stride: int) -> float:
    """Return the mIoU of labels told by cells."""
    confusion = ConfusionMatrix(classes)
    for picture in pictures:
        labels = torch.from_numpy(picture.truth).long()
        confusion.update(enlarged(labels, classes, stride).numpy(), picture.truth)
    return float(confusion.miou)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", required=True, type=Path, help="data set folder")
    parser.add_argument("--size", nargs="+", default=["240x180", "480x360"], help="of the images")
    parser.add_argument("--out", type=Path, default=RESULTS / "output_strides.json")
    arguments = parser.parse_args()
    dataset, progress = FolderDataset(arguments.dataset), Progress(None)
    rows: list[dict[str, Any]] = []
    for size in arguments.size:
        splits = {name: load_pictures(dataset.split(name), size_of(size), progress) for name in SPLITS}
        for stride in progress.over(STRIDES, len(STRIDES), f"Strides at {size}", "stride"):
            row: dict[str, Any] = {"size": size.replace("x", "×"), "stride": stride}
            for name, pictures in splits.items():
                row[f"miou_{name}"] = miou(pictures, len(dataset.classes), stride)
            rows.append(row)
    sizes = " ".join(arguments.size)
    about = {"command": f"python -m benchmarks.output_strides --dataset DIR --size {sizes}"}
    write_json(arguments.out, {"about": about, "rows": rows})


if __name__ == "__main__":
    main()
