"""Small simulations on generated scenes."""

import numpy as np

from controller.simulation.bounds import Splits
from controller.simulation.run import Curve
from controller.simulation.settings import Simulation
from tenth.segmentation.dataset import FolderDataset

# two regions of six pixels: the left one is pure, the right one holds class 1, class 2 and a void pixel
SUPERPIXELS = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]], np.int32)
TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, 2], [0, 0, 1, 255]], np.uint8)
GUESS = np.array([[0, 0, 2, 2], [0, 1, 2, 2], [0, 0, 1, 1]], np.uint8)


def tiny(streets, **changes):
    settings = {
        "network_options": {"encoder": "resnet18", "width": 0.125},
        "initial": 4,
        "groups": 2,
        "group_size": 3,
        "region_size": 60,
        "initial_steps": 4,
        "round_steps": 2,
        "batch_size": 2,
        "device": "cpu",
        "precision": "f32",
    }
    return Simulation(str(streets), **(settings | changes))


def curve(streets, folder, run, initial=(), **changes):
    splits = Splits(list(initial), [], [], [])
    classes = FolderDataset(streets).classes
    return Curve(tiny(streets, **changes), run, splits, classes, None, folder, None)
