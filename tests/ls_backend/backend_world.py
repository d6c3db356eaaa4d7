"""A workspace with two images, an open group and two model versions; small networks with random weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tenth.label_studio.regions import crop_for
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.crf import CRFOptions, dense_crf
from tenth.segmentation.images import write_png
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import NetworkSpec
from tenth.workspace.database import Image, Region, Round
from tenth.workspace.names import superpixels_name
from tenth.workspace.workspace import Workspace

USER, PASSWORD = "tenth", "geheim ß"
PROJECT = 7
SIZE = (96, 128)
BLOCK = 32
SUPERPIXELS = np.arange(12, dtype=np.int32).reshape(3, 4).repeat(BLOCK, 0).repeat(BLOCK, 1)
CLASSES = ClassSet.from_dict(
    {
        "name": "blocks",
        "classes": [
            {"id": 0, "name": "sky", "color": [90, 140, 220]},
            {"id": 1, "name": "road", "color": [90, 90, 90]},
            {"id": 2, "name": "car", "color": [200, 30, 30]},
        ],
    }
)
SPEC = NetworkSpec("icnet", 3, {"encoder": "resnet18", "width": 0.25, "weights": None})


@dataclass(frozen=True)
class World:
    """A workspace and what is in it."""

    workspace: Workspace
    dataset: Path
    first: str
    second: str

    def region_id(self, image: int, superpixel: int) -> str:
        return f"r1-{image:06d}-{superpixel:05d}"

    def image_path(self, image: int) -> Path:
        return self.dataset / "train" / "images" / f"{image}.png"


def picture(seed: int) -> NDArray[np.uint8]:
    """Sky over road, a car between, and noise."""
    rng = np.random.default_rng(seed)
    image = np.zeros((*SIZE, 3))
    image[:48], image[48:] = (90, 140, 220), (90, 90, 90)
    image[30:70, 20 * seed : 20 * seed + 40] = (200, 30, 30)
    return np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)


def refined(world: World, image: int, version: str) -> NDArray[np.float32]:
    """Return what a version sees in an image, computed without the backend."""
    pixels = picture(image)
    probabilities = Predictor(world.workspace.models.load(version).network).probabilities(pixels)
    return dense_crf(probabilities, pixels, CRFOptions())


def add_version(workspace: Workspace, seed: int) -> str:
    torch.manual_seed(seed)
    network = SPEC.build(pretrained=False)
    return workspace.models.add(network, SPEC, CLASSES, metrics={}, parents=[], training={})


def make_world(folder: Path, project: int = PROJECT) -> World:
    """Make a workspace in `folder` with round 1 open: every superpixel of images 1 and 2 is asked."""
    dataset = folder / "dataset"
    (dataset / "train" / "images").mkdir(parents=True)
    (dataset / "classes.json").write_text(json.dumps(CLASSES.to_dict()))
    workspace = Workspace.create(
        folder / "work", f"[data]\ndataset = {str(dataset)!r}\n[label_studio]\nproject = {project}\n"
    )
    first, second = add_version(workspace, 0), add_version(workspace, 1)
    workspace.models.use(first)
    world = World(workspace, dataset, first, second)
    with workspace.database.session() as session:
        session.add(Round(number=1, strategy="sp-crf", seed=0, model_version=first, state="open"))
        session.flush()
        for number in (1, 2):
            write_png(world.image_path(number), picture(number))
            source = str(world.image_path(number))
            session.add(Image(id=number, key=f"train/{number}", source=source, role="asked", round=1))
            session.flush()
            workspace.arrays.save(superpixels_name(1, number), superpixels=SUPERPIXELS)
            session.add_all(_region(world, number, superpixel) for superpixel in range(12))
    return world


def _region(world: World, image: int, superpixel: int) -> Region:
    crop = crop_for(superpixel == SUPERPIXELS, context=0.25)
    return Region(
        id=world.region_id(image, superpixel),
        round=1,
        image_id=image,
        superpixel=superpixel,
        area=BLOCK**2,
        score=1.0,
        x=crop.x,
        y=crop.y,
        width=crop.width,
        height=crop.height,
        scale=crop.scale,
        state="pushed",
    )
