"""ESPNetv2: a light network of dilated depthwise convolutions (arXiv 1811.11431), with Cityscapes weights.

Layers follow the released models (github.com/sacmehta/EdgeNets): the paper's encoder without its last level,
and a decoder of pyramid poolings. They have one output; only the first version's decoder,
which this one replaced, trained with a second.

The released weights know the 19 train ids of Cityscapes and void. For other classes, ``class_map`` says which
of them stand for which (`tenth.segmentation.class_mapping`): the network keeps their rows of the classifier,
and a class's logit is the log-sum-exp of its rows. So it starts as exactly the Cityscapes model with the
probabilities of joined classes added up, and every row goes on learning in ordinary training. (Averaged rows
would start 11 points of mIoU lower on CamVid: ``benchmarks/espnetv2_zero_shot.py``.) ::

    NetworkSpec("espnetv2", 11, {"scale": 2.0, "weights": PATH, "class_map": "cityscapes-camvid-wall"})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.class_mapping import ClassMapping, find_mapping, grouped_logsumexp
from tenth.segmentation.networks.base import ScaledLogits, SegmentationNetwork
from tenth.segmentation.networks.espnetv2_decoder import ESPNetv2Decoder, enlarge
from tenth.segmentation.networks.espnetv2_encoder import ESPNetv2Encoder
from tenth.segmentation.networks.espnetv2_weights import renamed
from tenth.segmentation.networks.registry import NETWORKS
from tenth.segmentation.networks.weights import load_weights

FEWEST_PLANES = 10
MOST_PLANES = 16


@NETWORKS.register("espnetv2")
class ESPNetv2(SegmentationNetwork):
    """ESPNetv2: light, dilated and depthwise; can start from released Cityscapes weights (arXiv 1811.11431).

    Parameters
    ----------
    classes : int
        Number of classes C.
    scale : float, optional
        Multiplier of the encoder's channels: 0.5, or a multiple of 0.25 from 1 to 4. There are Cityscapes
        weights for 0.5, 1.0, 1.5 and 2.0.
    weights : str, optional
        Path or URL of the whole network's released weights; random ones by default.
    weights_sha256 : str, optional
        SHA-256 of that file; required with a URL.
    class_map : str or dict, optional
        The name of a mapping to C target classes, or the mapping itself as `ClassMapping.to_dict` gives it.
        Without it the weights have to be of C classes.

    Raises
    ------
    ConfigurationError
        When `scale` cannot be used, the mapping is not to C classes, or the weights cannot be had.
    DataError
        When the weights or the mapping are not what they should be, or the weights do not fit.

    Notes
    -----
    Parameters for 20 classes at scales 0.5, 1.0, 2.0: 80 230, 233 786, 788 762. The authors state 0.08, 0.23
    and 0.79 M; they count three activations in the strided units that nothing uses.
    Training with a batch of one needs an image of more than 16 pixels on a side.
    """

    def __init__(
        self,
        classes: int,
        scale: float = 2.0,
        weights: str | None = None,
        weights_sha256: str | None = None,
        class_map: str | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(classes)
        mapping = None if class_map is None else find_mapping(class_map)
        if mapping and len(mapping.targets) != classes:
            raise ConfigurationError(
                f"class_map leads to {len(mapping.targets)} classes ({', '.join(mapping.names)}), but the "
                f"network is to have {classes}; give the mapping to these classes."
            )
        self.sizes = mapping.sizes if mapping else [1] * classes
        # As wide as for the classes of the weights, whatever they are mapped to. The authors take half as
        # many planes as classes, 10 for their 20 and 21; few classes would leave too few to learn from.
        known = len(mapping.sources) if mapping else classes
        planes = max(FEWEST_PLANES, min(known // 2, MOST_PLANES))
        self.encoder = ESPNetv2Encoder(scale)
        self.decoder = ESPNetv2Decoder(self.encoder.channels, planes)
        self.classifier = nn.Conv2d(planes, sum(self.sizes), 1)
        self._initialise()
        if weights:
            self._load(weights, weights_sha256, mapping)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        # The classifier as well, not near zero as elsewhere: the layers before it learn by what comes back
        # through it, and they are few.
        nn.init.zeros_(self.classifier.bias)  # type: ignore[arg-type]

    def _load(self, weights: str, sha256: str | None, mapping: ClassMapping | None) -> None:
        state = renamed(load_weights(weights, sha256))
        own = self.state_dict()
        if wrong := sorted(own.keys() ^ state.keys()):
            raise DataError(
                f"Weights '{weights}' are not those of an ESPNetv2: {len(wrong)} tensors are missing or "
                f"foreign, the first being '{wrong[0]}'. Give the released ones."
            )
        given = len(state["classifier.bias"])
        if mapping:
            state["classifier.weight"], state["classifier.bias"] = mapping.mapped_classifier(
                state["classifier.weight"], state["classifier.bias"]
            )
        elif given != self.classes:
            raise ConfigurationError(
                f"Weights '{weights}' know {given} classes, not {self.classes}; set class_map to say which "
                "of them stand for which, or leave weights out."
            )
        if other := [key for key in own if own[key].shape != state[key].shape]:
            raise DataError(
                f"Weights '{weights}' are of another size: '{other[0]}' is {tuple(state[other[0]].shape)} "
                f"instead of {tuple(own[other[0]].shape)}. Set scale to the weights'."
            )
        self.load_state_dict(state)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of normalised images (N, 3, H, W)."""
        rows = self.classifier(self.decoder(self.encoder(x)))
        return grouped_logsumexp(enlarge(rows, x.shape[-2:]), self.sizes)

    def training_outputs(self, x: Tensor) -> list[ScaledLogits]:
        """Return the logits (N, C, H, W), at full size as the authors train, of the images (N, 3, H, W)."""
        return [ScaledLogits(1.0, self(x))]
