"""What every segmentation network is, whatever it is built of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ScaledLogits:
    """One output of a network in training.

    Parameters
    ----------
    weight : float
        Weight of its loss in the sum.
    logits : Tensor
        (N, C, h, w); compared with the labels resized by nearest neighbour to (h, w).
    """

    weight: float
    logits: Tensor


class SegmentationNetwork(nn.Module, ABC):
    """Images in, class logits out, for any image size.

    Attributes
    ----------
    classes : int
        Number of classes C.
    mean, std : tuple of float
        What the input is normalised with: RGB in 0..1, ``(image - mean) / std``. A network whose encoder was
        trained otherwise sets its own; read them from the instance, not from the class.
    recordable : bool
        Whether a GPU may record the kernels of a pass and launch them together. Not with what changes from
        pass to pass outside of tensors on the GPU, such as a counter: it would stay as it was.

    Notes
    -----
    A network whose last layer is a module called ``classifier`` can be asked for its features: they are what
    that module gets. One that has dropout modules can be asked for stochastic passes. Strategies that need
    the one or the other say so; nothing else does.
    """

    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    recordable: bool = True

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of every pixel.

        Parameters
        ----------
        x : Tensor
            (N, 3, H, W) float32, RGB normalised with `mean` and `std`.

        Returns
        -------
        Tensor
            (N, C, H, W).
        """

    @abstractmethod
    def training_outputs(self, x: Tensor) -> list[ScaledLogits]:
        """Return what the loss is computed on: the main output first (weight 1), then the auxiliary ones.

        Parameters
        ----------
        x : Tensor
            (N, 3, H, W) float32, RGB normalised with `mean` and `std`.
        """
