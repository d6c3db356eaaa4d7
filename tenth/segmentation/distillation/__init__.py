"""Distillation: several teachers' knowledge in one small student.

``ensemble``: the teachers as one; ``stacking``: how much each counts; ``temperatures``: which make them
equally soft; ``store``: their soft labels on disk, in a few bits a pixel (``codec``); ``remembered``: those
that are kept in memory; ``teachers``: how they get there; ``losses``: what the student learns from them.
"""

from tenth.segmentation.distillation.ensemble import Ensemble, class_weights, soften
from tenth.segmentation.distillation.losses import DistillationLoss
from tenth.segmentation.distillation.remembered import RememberedSoftLabels
from tenth.segmentation.distillation.stacking import stacked_weights
from tenth.segmentation.distillation.store import SoftLabelStore
from tenth.segmentation.distillation.temperatures import Reference, TemperatureFit, fit_temperatures

__all__ = [
    "DistillationLoss",
    "Ensemble",
    "Reference",
    "RememberedSoftLabels",
    "SoftLabelStore",
    "TemperatureFit",
    "class_weights",
    "fit_temperatures",
    "soften",
    "stacked_weights",
]
