"""What a network asks of its encoder, and encoders by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

from torch import Tensor, nn

from tenth.errors import ConfigurationError, DataError
from tenth.registry import Registry
from tenth.segmentation.networks.base import IMAGENET_MEAN, IMAGENET_STD
from tenth.segmentation.networks.weights import load_weights

OUTPUT_STRIDES = (8, 16, 32)


class Encoder(nn.Module, ABC):
    """Features of an image in parts, with seams where the stride reaches 4 and 8.

    A cascade runs `middle` at one resolution, shrinks its result and runs `deep` on that. A plain network
    calls `shallow`, `to_middle` and `deep` one after the other.

    Parameters
    ----------
    width : float
        What the channels of the original are multiplied with.
    output_stride : int
        Where the stride stops, 8, 16 or 32: what would shrink further keeps its grid, and what follows is
        dilated instead. It computes what the strided network does, and the positions between. With 32 the
        features are those of the classification network.

    Attributes
    ----------
    shallow_channels, middle_channels, deep_channels : int
        Channels of what `shallow`, `middle` and `deep` return.
    mean, std : tuple of float
        Normalisation of the images (RGB in 0..1) that the pretrained weights expect.

    Raises
    ------
    ConfigurationError
        When `width` or `output_stride` is out of range.
    """

    shallow_channels: int
    middle_channels: int
    deep_channels: int
    mean: ClassVar[tuple[float, float, float]] = IMAGENET_MEAN
    std: ClassVar[tuple[float, float, float]] = IMAGENET_STD

    def __init__(self, width: float, output_stride: int) -> None:
        super().__init__()
        if not 0 < width <= 4:
            raise ConfigurationError(
                f"width = {width} is no usable multiplier of channels; give one in (0, 4]."
            )
        if output_stride not in OUTPUT_STRIDES:
            raise ConfigurationError(
                f"output_stride = {output_stride} is none that an encoder can have; give "
                f"{', '.join(map(str, OUTPUT_STRIDES[:-1]))} or {OUTPUT_STRIDES[-1]}."
            )
        self.width = width
        self.output_stride = output_stride

    @abstractmethod
    def shallow(self, x: Tensor) -> Tensor:
        """Return (N, shallow_channels, ⌈H/4⌉, ⌈W/4⌉) from normalised images (N, 3, H, W)."""

    @abstractmethod
    def to_middle(self, x: Tensor) -> Tensor:
        """Return (N, middle_channels, ⌈h/2⌉, ⌈w/2⌉) from what `shallow` returned, (N, …, h, w)."""

    def middle(self, x: Tensor) -> Tensor:
        """Return (N, middle_channels, ⌈H/8⌉, ⌈W/8⌉) from normalised images (N, 3, H, W)."""
        return self.to_middle(self.shallow(x))

    @abstractmethod
    def deep(self, x: Tensor) -> Tensor:
        """Return the last features, from what `middle` returned.

        Parameters
        ----------
        x : Tensor
            (N, middle_channels, h, w).

        Returns
        -------
        Tensor
            (N, deep_channels, ⌈8h/s⌉, ⌈8w/s⌉), s being the output stride.
        """

    @classmethod
    @abstractmethod
    def imagenet_weights(cls) -> tuple[str, str]:
        """Return path or URL of the ImageNet weights at width 1, and their SHA-256."""

    @classmethod
    def rename(cls, key: str) -> str | None:
        """Return this module's name for `key` of a state dict; ``None`` for what it has no use for."""
        return key

    def load_pretrained(self, weights: str, sha256: str | None = None) -> None:
        """Load pretrained weights.

        Parameters
        ----------
        weights : str
            ``"imagenet"``, a path or an http(s) URL (see `load_weights`).
        sha256 : str, optional
            Of the file; required with a URL.

        Raises
        ------
        ConfigurationError
            When the weights cannot be had, or are those of another width.
        DataError
            When the file is not what it should be, or holds another network.
        """
        if weights == "imagenet":
            if self.width != 1:
                raise ConfigurationError(
                    f"ImageNet weights exist for width = 1 only, not {self.width}; set width = 1, or leave "
                    "weights out to start from random ones."
                )
            weights, sha256 = self.imagenet_weights()
        renamed = {self.rename(key): value for key, value in load_weights(weights, sha256).items()}
        state = {key: value for key, value in renamed.items() if key is not None}
        own = self.state_dict()
        # Files written before PyTorch 0.4.1 lack the counters, which nothing here reads.
        missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
        foreign = [key for key in state if key not in own]
        other = [key for key in own if key in state and own[key].shape != state[key].shape]
        if wrong := missing + foreign + other:
            raise DataError(
                f"Weights '{weights}' do not fit {type(self).__name__} of width {self.width}: {len(missing)} "
                f"tensors missing, {len(foreign)} foreign, {len(other)} of another shape, the first being "
                f"'{wrong[0]}'. Give the weights of this encoder, or another encoder."
            )
        self.load_state_dict(state, strict=False)


class EncoderFactory(Protocol):
    """What is registered as an encoder: usually its class."""

    def __call__(self, width: float = ..., *, output_stride: int = ...) -> Encoder:
        """Return an encoder with random weights; without arguments the original, at an output stride of 8."""


ENCODERS: Registry[EncoderFactory] = Registry("encoder", "tenth.encoders")


def build_encoder(
    name: str,
    width: float = 1.0,
    weights: str | None = None,
    weights_sha256: str | None = None,
    *,
    output_stride: int = 8,
) -> Encoder:
    """Build an encoder by name and load its initial weights.

    Parameters
    ----------
    name : str
        One of ``ENCODERS.names()``.
    width : float, optional
        Multiplier of its channels.
    weights, weights_sha256 : str, optional
        See `Encoder.load_pretrained`; without `weights` (or with ``""``) it starts from random ones.
    output_stride : int, optional
        8, 16 or 32; see `Encoder`.

    Raises
    ------
    ConfigurationError, DataError
        As `Encoder` and `Encoder.load_pretrained`; also for an unknown name.
    """
    encoder = ENCODERS.get(name)(width, output_stride=output_stride)
    if weights:
        encoder.load_pretrained(weights, weights_sha256)
    return encoder


def scaled(channels: int, width: float) -> int:
    """Return `channels` × `width`, rounded to a multiple of 8 (fast on every processor), at least 8."""
    return max(8, round(channels * width / 8) * 8)
