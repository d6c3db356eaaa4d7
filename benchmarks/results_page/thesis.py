"""What the thesis printed.

Source: Tejaswi Kasarla, "Efficient Annotation and Knowledge Distillation for Semantic Segmentation", MS
thesis, IIIT Hyderabad, July 2019, chapter 3. Where its text and its tables differ (edge pixels: 89.4 %
against 91.5 %) these are the tables' numbers. mIoU in per cent, on Cityscapes val unless said.
"""

from __future__ import annotations

SOURCE = (
    "T. Kasarla, *Efficient Annotation and Knowledge Distillation for Semantic Segmentation*, "
    "MS thesis, IIIT Hyderabad, 2019"
)

FULL, INITIAL = 65.3, 55.6
"""Table 3.1: full labels of 2975 images; P alone, 1175 images."""

INITIAL_SHARE = 1175 / 2975

GROUPS = 6

LADDER = ("random-pixels", "entropy", "entropy-edge", "sp", "sp-crf", "sp-crf-class")
"""The strategies of table 3.1 in the order of their results, worst first."""

MIOU = {
    "image": 65.3,
    "random-pixels": 56.5,
    "entropy": 58.1,
    "entropy-edge": 59.8,
    "sp": 60.0,
    "sp-crf": 61.0,
    "sp-crf-class": 61.3,
}
"""Table 3.1 after the sixth group, at 10 % of the pixels (`image`: all of them)."""

RATIO = {
    "image": 1.0,
    "random-pixels": 0.865,
    "entropy": 0.889,
    "entropy-edge": 0.915,
    "sp": 0.918,
    "sp-crf": 0.934,
    "sp-crf-class": 0.938,
}
"""Table 3.1, ratio to full labels as printed, which is cut off rather than rounded."""

BUDGETS = {0.1: 61.0, 0.2: 61.8, 0.3: 62.4, 0.4: 63.6}
"""Table 3.2: `sp-crf` by the share of pixels asked."""

BUDGET_RATIO = {0.1: 0.934, 0.2: 0.946, 0.3: 0.955, 0.4: 0.974}

TRANSFER_FULL, TRANSFER_INITIAL = 45.1, 25.2
TRANSFER = {"random-pixels": 30.6, "sp-crf": 40.5}
TRANSFER_RATIO = {"random-pixels": 0.678, "sp-crf": 0.898}
"""Table 3.3: from Cityscapes to Mapillary, after the sixth group."""

DROPOUT = {"entropy": 49.9, "mc-dropout": 50.0}
DROPOUT_FULL = 56.0
DROPOUT_SECONDS = {"entropy": 0.09, "mc-dropout": 0.7}
"""Table 3.4: another protocol than table 3.1; compare only within it."""

SECONDS = {"entropy": 0.09, "entropy-edge": 0.09, "sp": 1.41, "sp-crf": 2.48, "sp-crf-class": 3.62}
"""Table 3.5: seconds an image of 1024×2048, on hardware that is not named."""

WRONG = {"entropy": 0.59, "entropy-edge": 0.66, "sp": 0.71, "sp-crf": 0.77, "sp-crf-class": 0.79}
"""Table 3.6: share of the queried pixels whose label was wrong."""

GROUP_SIZES = (180, 300)
"""Figure 3.12."""


def gap_closed(miou: float, initial: float = INITIAL, full: float = FULL) -> float:
    """Return (mIoU − mIoU_P) / (mIoU_full − mIoU_P)."""
    return (miou - initial) / (full - initial)
