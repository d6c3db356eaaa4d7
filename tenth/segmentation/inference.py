"""A trained network at work: class probabilities of one image."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.device import Precision, autocast, check_precision, resolve_device, to_input
from tenth.segmentation.networks import SegmentationNetwork
from tenth.segmentation.recording import Recording


class ImagePredictor(Protocol):
    """What predicts images of any size, in whatever runtime."""

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the class probabilities of each pixel.

        Parameters
        ----------
        image : ndarray
            (H, W, 3) uint8 RGB.

        Returns
        -------
        ndarray
            (C, H, W) float32 in 0..1, summing to 1 over the classes within 1e-5.

        Raises
        ------
        DataError
            When `image` is something else.
        """

    def labels(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the most probable class of each pixel of `image` (H, W, 3) uint8: (H, W) uint8.

        Raises
        ------
        DataError
            When `image` is something else.
        """
        labels: NDArray[np.uint8] = self.probabilities(image).argmax(axis=0).astype(np.uint8)
        return labels


DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


LEAST_SIDE_BF16 = 32
"""Images with a shorter side are computed in float32. Where maps are one pixel wide, convolutions of oneDNN
(with PyTorch 2.13, on processors with AMX) read what is no part of them: NaN, or numbers of any size."""


def dropout_layers(network: nn.Module) -> list[nn.Module]:
    """Return the layers of a network that drop anything in training."""
    return [module for module in network.modules() if isinstance(module, DROPOUT) and module.p > 0]


class Predictor(ImagePredictor):
    """Predicts images of any size with a network.

    The same weights, image and device give the same result each time.

    Parameters
    ----------
    network : SegmentationNetwork
        Is moved to the device and used as it is at the time of each call, so that a network in training can
        be watched.
    device : str
        ``"auto"`` (a GPU where there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
    precision : str
        ``"auto"`` is float32 here, unlike in training: the ranking of regions depends on small probabilities.
        ``"bf16"`` runs the network in bfloat16; the softmax is float32 in any case, and so is the network
        for images with a side below `LEAST_SIDE_BF16`.

    Raises
    ------
    ConfigurationError
        When the device or the precision cannot be used.
    """

    def __init__(
        self, network: SegmentationNetwork, device: str = "auto", precision: Precision = "auto"
    ) -> None:
        check_precision(precision)
        self.device = resolve_device(device)
        self.network = network.to(self.device)
        self.bf16 = precision == "bf16"
        self.recording = Recording(self.network)

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the class probabilities of each pixel, see `ImagePredictor`."""
        with torch.inference_mode():
            result: NDArray[np.float32] = self._logits(image).softmax(0).contiguous().cpu().numpy()
        return result

    def logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what `probabilities` is the softmax of, (C, H, W) float32, of `image` (H, W, 3) uint8.

        Raises
        ------
        DataError
            When `image` is something else.
        """
        with torch.inference_mode():
            result: NDArray[np.float32] = self._logits(image).contiguous().cpu().numpy()
        return result

    def labels(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the most probable class of each pixel, see `ImagePredictor`."""
        # On the device: fewer bytes to fetch from it, and no softmax.
        with torch.inference_mode():
            result: NDArray[np.uint8] = self._logits(image).argmax(0).to(torch.uint8).cpu().numpy()
        return result

    def stochastic(self, image: NDArray[np.uint8], passes: int, seed: int) -> NDArray[np.float32]:
        """Return the class probabilities of several passes with dropout (MC dropout, arXiv 1506.02142).

        Everything but dropout works as in `probabilities`. The network's modes and the random numbers of
        others are left as they were.

        Parameters
        ----------
        image : ndarray
            (H, W, 3) uint8 RGB.
        passes : int
            Number of passes T, at least 1.
        seed : int
            Of the dropped units; the same seed drops the same ones.

        Returns
        -------
        ndarray
            (T, C, H, W) float32 in 0..1, summing to 1 over the classes within 1e-5.

        Raises
        ------
        ConfigurationError
            When the network has no dropout, or `passes` is below 1.
        DataError
            When `image` is something else.
        """
        if passes < 1:
            raise ConfigurationError(f"selection.passes = {passes}: it takes at least one pass.")
        dropping = dropout_layers(self.network)
        if not dropping:
            raise ConfigurationError(
                f"The network {type(self.network).__name__} has no dropout, so all passes would be the same. "
                "Set dropout in [network], for example to 0.5, and train it with that."
            )
        modes = [(module, module.training) for module in self.network.modules()]
        gpus = [self.device] if self.device.type == "cuda" else []
        try:
            self.network.eval()
            for layer in dropping:
                layer.training = True
            with torch.inference_mode(), torch.random.fork_rng(gpus):
                self._seed(seed)
                drawn = [self._forward(image).softmax(0).cpu() for _ in range(passes)]
        finally:
            for module, mode in modes:
                module.training = mode
        result: NDArray[np.float32] = torch.stack(drawn).contiguous().numpy()
        return result

    def features(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the network's last layer, its module `classifier`, sees.

        Parameters
        ----------
        image : ndarray
            (H, W, 3) uint8 RGB.

        Returns
        -------
        ndarray
            (D, h, w) float32, D channels at the layer's own resolution.

        Raises
        ------
        ConfigurationError
            When the network has no module `classifier`.
        DataError
            When `image` is something else.
        """
        classifier = getattr(self.network, "classifier", None)
        if not isinstance(classifier, nn.Module):
            raise ConfigurationError(
                f"The network {type(self.network).__name__} does not say which of its layers is the last: it "
                "has no module called 'classifier', and features are what that one sees. Name it so, or take "
                "a strategy that needs no features."
            )
        seen: list[Tensor] = []
        hook = classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            with torch.inference_mode():
                self._logits(image, recorded=False)
        finally:
            hook.remove()
        result: NDArray[np.float32] = seen[-1][0].float().contiguous().cpu().numpy()
        return result

    def _seed(self, seed: int) -> None:
        """Seed this device's generator and no other."""
        if self.device.type == "cuda":
            with torch.cuda.device(self.device):
                torch.cuda.manual_seed(seed)
        else:
            torch.default_generator.manual_seed(seed)

    def _logits(self, image: NDArray[np.uint8], *, recorded: bool = True) -> Tensor:
        if self.network.training:  # going through all modules takes longer than a GPU with an image
            self.network.eval()
        return self._forward(image, recorded=recorded)

    def _forward(self, image: NDArray[np.uint8], *, recorded: bool = False) -> Tensor:
        check_image(image)
        inputs = to_input(image[None], self.network, self.device)
        return self.recording(self._outputs, inputs=inputs) if recorded else self._outputs(inputs)

    def _outputs(self, inputs: Tensor) -> Tensor:
        with autocast(self.device, bf16=self.bf16 and min(inputs.shape[2:]) >= LEAST_SIDE_BF16):
            logits: Tensor = self.network(inputs)
        return logits[0].float()


def check_image(image: NDArray[np.uint8]) -> None:
    """Refuse what no predictor takes.

    Raises
    ------
    DataError
        When `image` is not (H, W, 3) uint8, or is empty.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise DataError(
            f"An image of shape {image.shape} and type {image.dtype} cannot be predicted; "
            "it has to be (height, width, 3) uint8 RGB."
        )
