"""Training a segmentation network.

``options``: what can be set; ``survey``: a look at the images beforehand; ``batches``: which images a step
sees; ``loss``, ``schedule``: the mathematics; ``checkpoint``: what survives a kill; ``loop``: all of it
together.
"""

from tenth.segmentation.training.loop import train
from tenth.segmentation.training.options import TrainingOptions
from tenth.segmentation.training.result import TrainingResult
from tenth.segmentation.training.survey import LabelledImage

__all__ = ["LabelledImage", "TrainingOptions", "TrainingResult", "train"]
