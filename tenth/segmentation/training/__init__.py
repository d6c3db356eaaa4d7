"""Training a segmentation network.

``options``: what can be set; ``sources``: what is learned from; ``survey``: a look at the images beforehand;
``batches``: which images a step sees; ``loss``, ``schedule``: the mathematics; ``teacher``, ``classmix``,
``consistency``: learning from pixels without a label; ``soft``: learning from soft labels; ``checkpoint``:
what survives a kill; ``interrupts``: Ctrl-C; ``run``: the steps; ``loop``: all of it together.
"""

from tenth.segmentation.training.loop import train
from tenth.segmentation.training.options import TrainingOptions
from tenth.segmentation.training.result import TrainingResult
from tenth.segmentation.training.sources import LabelledImage, SoftLabelledImage, WeightedImage

__all__ = [
    "LabelledImage",
    "SoftLabelledImage",
    "TrainingOptions",
    "TrainingResult",
    "WeightedImage",
    "train",
]
